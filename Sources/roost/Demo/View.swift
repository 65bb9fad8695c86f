/// The demo's screen as lines: the data's way from the sensors to the cloud, the story, and the figures. It knows nothing of
/// terminals but their width.
struct View {
    /// What the picture is drawn with: a terminal that isn't UTF-8 gets letters.
    struct Glyphs {
        var line: Character
        var arrow: Character
        var cross: Character
        var bars: [Character]

        static let unicode = Glyphs(
            line: "\u{2500}", arrow: "\u{25B6}", cross: "\u{2573}",
            bars: Array("\u{2581}\u{2582}\u{2583}\u{2584}\u{2585}\u{2586}\u{2587}\u{2588}"))
        static let ascii = Glyphs(line: "-", arrow: ">", cross: "X", bars: Array("_.:-=+*#"))
    }

    private static let margin = "  "
    /// The column where the figures' explanations begin.
    private static let details = 26
    private static let widest = 100
    private static let narrowest = 40

    let now: Snapshot
    let width: Int
    let glyphs: Glyphs

    init(_ now: Snapshot, width: Int, glyphs: Glyphs) {
        self.now = now
        self.width = max(View.narrowest, min(width, View.widest))
        self.glyphs = glyphs
    }

    /// - Parameter footer: what stands below the figures.
    func lines(footer: [StyledLine] = []) -> [StyledLine] {
        [StyledLine(), title, StyledLine()] + picture + [StyledLine(), story, StyledLine()] + figures + footer
    }

    /// The end in plain words.
    var verdict: [StyledLine] {
        let colour = now.totals.isPerfect ? Terminal.Colour.green : .red
        let lines = Narration.verdict(now).wrapped(width: width - 4)
        return [StyledLine()] + lines.map { StyledLine(Self.margin + $0, colour) }
    }

    private var title: StyledLine {
        var line = StyledLine(Self.margin)
        line.add("Roost", .bold)
        line.add("  store and forward, watched", .dim)
        let clock = now.act == .starting ? "" : time
        line.pad(to: width - clock.count - 2)
        line.add(clock, .dim)
        return line
    }

    private var time: String {
        let elapsed = Quantities.duration(seconds: now.elapsed.rounded(.down))
        return now.act < .draining ? "\(elapsed) of \(Quantities.duration(seconds: now.planned.rounded()))" : elapsed
    }

    // MARK: - The picture

    /// Two lines: what there is and how it is joined, and below each thing what it does.
    private var picture: [StyledLine] {
        let names = ["sensors", now.edgeIsUp ? "edge" : "edge (dead)", "cloud"]
        let gap = max(6, (width - 4 - names.reduce(0) { $0 + $1.count }) / 2)
        var things = StyledLine(Self.margin)
        var details = StyledLine(Self.margin)
        things.add(names[0], .bold)
        details.add(
            now.edgeIsUp ? "\(now.sensorsConnected) connected" : "\(now.sensors) wait", now.edgeIsUp ? .dim : .yellow)
        join(
            &things, &details, gap, open: now.edgeIsUp,
            label: now.edgeIsUp ? "\(Int(now.publishRate.rounded()))/s" : "down")
        let edge = things.width
        things.add(names[1], now.edgeIsUp ? .bold : .red)
        details.pad(to: edge)
        details.add(waitingShort, now.waiting > 0 && now.linkIsCut ? .yellow : .dim)
        let label = now.linkIsCut ? "cut" : "\(Quantities.bytes(Int64(now.wireRate)))/s"
        join(&things, &details, gap, open: !now.linkIsCut, label: label)
        let cloud = things.width
        things.add(names[2], .bold)
        let arrived = "\(Int(now.arrivalRate.rounded()))/s in"
        details.pad(to: min(cloud, max(details.width + 1, width - arrived.count)))
        details.add(arrived, .dim)
        return [things, details]
    }

    private var waitingShort: String {
        now.edgeIsUp ? "\(Quantities.count(Int64(now.waiting))) wait" : ""
    }

    /// An arrow with a label on it: " ── 186/s ──▶ ", or " ──╳── cut ".
    private func join(
        _ things: inout StyledLine, _ details: inout StyledLine, _ gap: Int, open: Bool, label: String
    ) {
        let room = max(0, gap - label.count - 5)
        let left = String(repeating: glyphs.line, count: room / 2)
        let right = String(repeating: glyphs.line, count: room - room / 2)
        things.add(" ")
        things.add("\(left) ", open ? .green : .red)
        things.add(label, open ? nil : .red)
        things.add(" \(right)\(open ? glyphs.arrow : glyphs.cross)", open ? .green : .red)
        things.add(" ")
    }

    private var story: StyledLine {
        var line = StyledLine(Self.margin)
        let chapter = Narration.chapter(now.act)
        if !chapter.isEmpty { line.add("\(chapter)  ", .dim) }
        let trouble = now.linkIsCut || !now.edgeIsUp
        line.add(Narration.sentence(now), now.act == .starting ? nil : trouble ? .yellow : .green)
        return line
    }

    // MARK: - The figures

    private var figures: [StyledLine] {
        let totals = now.totals
        var rows = [
            row("Published", totals.published, "by \(now.sensors) sensors, QoS 1 and 2"),
            row("Acknowledged", totals.acknowledged, "safe: on the edge's disk, or at the cloud"),
            row("Arrived", totals.arrived, "at the cloud, counted by their numbers"),
            row("Waiting", now.waiting, waitingDetail), graph,
        ]
        rows += [
            row(
                "Faults", totals.duplicates + totals.outOfOrder,
                "twice \(totals.duplicates), out of order \(totals.outOfOrder)"),
            row("Sent again", totals.resent, "by sensors that had no acknowledgement"),
            row("QoS 0", totals.published0, "best effort; \(Quantities.count(Int64(totals.arrived0))) arrived"),
        ]
        rows.append(StyledLine())
        rows.append(row("On the link", Quantities.bytes(Int64(now.wireBytes)), plain))
        let perMessage = totals.acknowledged > 0 ? ", \(now.diskBytes / totals.acknowledged) bytes a message" : ""
        rows.append(
            row(
                "Edge's disk", Quantities.bytes(Int64(now.diskBytes)),
                now.isOnDisk ? "written" + perMessage : "written (to memory: no disk here)"))
        return rows
    }

    private var waitingDetail: String {
        var text = "at the edge"
        if let bytes = now.waitingBytes, now.waiting > 0 {
            text += ", \(Quantities.bytes(bytes))"
            if let oldest = now.waitingOldest, oldest >= 1 {
                text += ", the oldest for \(Quantities.duration(seconds: oldest.rounded()))"
            }
        }
        return text
    }

    /// What waited over time, the latest to the right.
    private var graph: StyledLine {
        var line = StyledLine()
        line.pad(to: Self.details)
        let shown = now.history.suffix(max(0, min(width - Self.details - 2, 60)))
        let highest = max(shown.max() ?? 0, 1)
        line.add(
            String(shown.map { glyphs.bars[min(glyphs.bars.count - 1, $0 * glyphs.bars.count / (highest + 1))] }),
            .yellow)
        return line
    }

    private var plain: String {
        let plain = "plain MQTT: \(Quantities.bytes(Int64(now.plainBytes)))"
        return now.saving.map { "\(plain), \($0) times as much" } ?? plain
    }

    private func row(_ title: String, _ number: Int, _ detail: String) -> StyledLine {
        row(title, Quantities.count(Int64(number)), detail)
    }

    private func row(_ title: String, _ value: String, _ detail: String) -> StyledLine {
        var line = StyledLine(Self.margin + title)
        line.pad(to: Self.details - 2 - value.count)
        line.add(value, .bold)
        line.add("  ")
        line.add(detail, .dim)
        return line
    }
}
