/// The outcome as a person reads it.
struct ProveReport {
    /// A usual card: its size, and how often each of its cells can be written.
    private static let cardGigabytes = 32.0
    private static let cardWrites = 3000.0

    private let outcome: ProveOutcome

    init(_ outcome: ProveOutcome) { self.outcome = outcome }

    var lines: [StyledLine] {
        guard outcome.isCounted else { return [StyledLine()] + verdict }
        return [StyledLine()] + setting + [StyledLine()] + counts + [StyledLine()] + costs + [StyledLine()] + verdict
    }

    // MARK: - What was done

    private var setting: [StyledLine] {
        var rows = [
            row(
                "Disk", "\(outcome.disk.name), in \(parent)" + (outcome.isOnDisk ? "" : ": memory, which proves little")
            ),
            row(
                "Done to it",
                "\(count(outcome.kills)) SIGKILLs (\(outcome.nodeKills) of the node, \(outcome.cloudKills) of the cloud), "
                    + "\(count(outcome.cuts)) cuts of the link, in \(Quantities.duration(seconds: outcome.seconds.rounded()))"
            ),
        ]
        if let fullDisk = outcome.fullDisk {
            rows.append(
                row(
                    "Full disk",
                    "\(fullDisk); "
                        + (outcome.totals.refused > 0
                            ? "\(count(outcome.totals.refused)) messages refused, and nobody got them"
                            : outcome.fullDiskWasNoticed ? "publishers waited until there was space" : "not noticed")))
        }
        let synced =
            switch outcome.isSynced {
            case true?: "yes: when all was acknowledged, no part of the database was in memory alone"
            case false?: "NO: what was acknowledged is in the kernel's memory, and a power cut would lose it"
            case nil: "not checked: this kernel can't tell (it needs Linux 6.5)"
            }
        rows.append(row("Synced", synced, outcome.isSynced == false ? .red : nil))
        return rows
    }

    private var parent: String {
        String(outcome.directory.prefix(upTo: outcome.directory.lastIndex(of: "/") ?? outcome.directory.endIndex))
    }

    // MARK: - What was counted

    private var counts: [StyledLine] {
        let totals = outcome.totals
        var rows = [
            number("Published", totals.published, "at QoS 1 and 2, each message once"),
            number(
                "Acknowledged", totals.acknowledged,
                outcome.unanswered > 0 ? "\(count(outcome.unanswered)) without any answer" : ""),
            number("Arrived", totals.cloud.messages, "at the cloud, each compared byte by byte"),
            number("Lost", totals.cloud.missing, "acknowledged and not at the cloud", isFault: true),
            number("Out of order", totals.cloud.outOfOrder, "within a publisher's topic", isFault: true),
            number("Twice", totals.cloud.duplicates, twice, isFault: true),
            number(
                "Session", totals.session.messages,
                "for a subscriber on the node that was away \(outcome.absences) times"),
            number("  lost", totals.session.missing, "acknowledged and never delivered to it", isFault: true),
            number(
                "  faults", totals.session.outOfOrder + totals.session.duplicates,
                "out of order, or twice where it can't be", isFault: true),
        ]
        if totals.strange > 0 {
            rows.append(number("Strange", totals.strange, "messages that nobody had sent", isFault: true))
        }
        let refusedArrived = totals.cloud.refused + totals.session.refused
        if refusedArrived > 0 {
            rows.append(
                number("Refused", refusedArrived, "refused by the node, and delivered all the same", isFault: true))
        }
        if totals.publishedAtQoS0 > 0 {
            let share = 100 * Double(totals.cloud.atQoS0) / Double(totals.publishedAtQoS0)
            rows.append(
                number(
                    "QoS 0", totals.publishedAtQoS0, "beside these, best effort; \(Quantities.tenths(share)) % arrived")
            )
        }
        return rows
    }

    private var twice: String {
        let totals = outcome.totals
        guard totals.resent > 0 else { return "at the cloud" }
        return
            "at the cloud; beside \(count(totals.cloud.repeated)) that publishers without an acknowledgement had sent again"
    }

    // MARK: - What it cost

    private var costs: [StyledLine] {
        let (up, down) = (outcome.linkUp, outcome.linkDown)
        var rows = [
            row("Load", "\(Quantities.tenths(outcome.rate)) messages/s at QoS 1 for what follows"),
            row("Flash", "written by the node: " + twofold(day(up, up.diskBytes), day(down, down.diskBytes))),
        ]
        let card = "a card of \(Int(Self.cardGigabytes)) GB, \(Int(Self.cardWrites)) writes a cell: "
        rows.append(row("Card's life", card + twofold(life(up, up.diskBytes), life(down, down.diskBytes))))
        if let upDevice = up.deviceBytes, let downDevice = down.deviceBytes {
            rows.append(
                row(
                    "Whole device",
                    "all that \(outcome.disk.device ?? "it") took, its file system's journal and other programs' writes too: "
                        + twofold(day(up, upDevice), day(down, downDevice)) + "; card: "
                        + twofold(life(up, upDevice), life(down, downDevice))))
        }
        let month = 30.0
        let wire = up.perDay(up.wireBytes, outcome.rate) * month
        let plain = up.perDay(up.plainBytes, outcome.rate) * month
        var line = "\(gigabytes(wire)) a month; plain MQTT: \(gigabytes(plain))"
        if wire > 0, plain > wire { line += ", \(Quantities.tenths(plain / wire)) times as much" }
        rows.append(row("Link", line))
        return rows
    }

    private func twofold(_ up: String, _ down: String) -> String { "\(up) with the link up, \(down) with it down" }

    private func life(_ measure: Measure, _ bytes: Int) -> String {
        let perDay = measure.perDay(bytes, outcome.rate)
        let years = Self.cardGigabytes * 1e9 * Self.cardWrites / max(perDay, 1) / 365
        switch years {
        case 100...: return "over 100 years"
        case 10...: return "\(Int(years)) years"
        default: return "\(Quantities.tenths(years)) years"
        }
    }

    private func day(_ measure: Measure, _ bytes: Int) -> String {
        "\(gigabytes(measure.perDay(bytes, outcome.rate))) a day"
    }

    private func gigabytes(_ bytes: Double) -> String {
        bytes >= 1e9 ? "\(Quantities.tenths(bytes / 1e9)) GB" : "\(Quantities.tenths(bytes / 1e6)) MB"
    }

    // MARK: - What it comes to

    private var verdict: [StyledLine] {
        if outcome.isKept {
            let text =
                "Kept. All \(count(outcome.totals.acknowledged)) messages that were acknowledged arrived, once and in order."
            return [StyledLine(text, .green)]
        }
        var lines = [StyledLine(failed, .red)]
        let problems = outcome.missing + outcome.totals.complaints
        for problem in problems.prefix(24) { lines.append(StyledLine("  \(problem)")) }
        if problems.count > 24 { lines.append(StyledLine("  and \(problems.count - 24) more")) }
        return lines
    }

    private var failed: String {
        if let failure = outcome.failure { return "Not kept: \(failure.message)" }
        let totals = outcome.totals
        let missing = totals.cloud.missing + totals.session.missing
        if missing > 0 { return "NOT KEPT: \(count(missing)) messages were acknowledged, and are lost. The first:" }
        if totals.acknowledged == 0 { return "NOT KEPT: nothing was ever acknowledged." }
        if outcome.unanswered > 0 { return "NOT KEPT: \(count(outcome.unanswered)) messages were never answered." }
        if outcome.isSynced == false {
            return "NOT KEPT: acknowledged without a sync; a power cut would lose messages."
        }
        return "NOT KEPT: see the counts in red."
    }

    private func count(_ number: Int) -> String { Quantities.count(Int64(number)) }

    private func row(_ title: String, _ text: String, _ colour: Terminal.Colour? = nil) -> StyledLine {
        var line = StyledLine(title, .bold)
        line.pad(to: 14)
        line.add(text, colour)
        return line
    }

    private func number(_ title: String, _ number: Int, _ detail: String, isFault: Bool = false) -> StyledLine {
        let text = count(number)
        var line = StyledLine(title, .bold)
        line.pad(to: max(14, 28 - text.count))
        line.add(text, isFault ? (number == 0 ? .green : .red) : nil)
        if !detail.isEmpty { line.add("  \(detail)", .dim) }
        return line
    }
}
