/// What a steady load takes of the flash and of the link, as a table: with a near link, a far one, and none.
struct ProveCosts {
    /// A usual card: its size, and how often each of its cells can be written.
    private static let cardGigabytes = 32.0
    private static let cardWrites = 3000.0
    private static let month = 30.0

    private let outcome: ProveOutcome

    init(_ outcome: ProveOutcome) { self.outcome = outcome }

    var lines: [StyledLine] {
        let measures = [outcome.linkUp, outcome.linkFar, outcome.linkDown]
        let flash = measures.map { $0.perDay($0.diskBytes, outcome.rate) }
        let links = measures.dropLast()
        let away = "\(2 * Prove.farDelay.milliseconds) ms away"
        var rows = [
            row(
                "At \(Quantities.tenths(outcome.rate)) messages/s, QoS 1", ["cloud near", away, "link down"], "", .bold),
            row("  flash, a day", flash.map(size), "written by the node, on \(outcome.disk.name)"),
        ]
        let device = measures.compactMap { measure in
            measure.deviceBytes.map { measure.perDay($0, outcome.rate) }
        }
        if device.count == measures.count, let name = outcome.disk.device {
            rows.append(
                row(
                    "", device.map(size), "all that \(name) took: the file system's journal, and other programs' writes"
                ))
        }
        rows += [
            row("  card's life", flash.map(life), card),
            row("  link, a month", links.map { size($0.perDay($0.wireBytes, outcome.rate) * Self.month) }, "both ways"),
            row("  as plain MQTT", links.map { _ in size(plain) }, "each message a PUBLISH at QoS 1 and its PUBACK"),
        ]
        return rows
    }

    private var card: String {
        "a card of \(Int(Self.cardGigabytes)) GB, \(Int(Self.cardWrites)) writes a cell, by what the node writes"
    }

    /// Bytes a month, from what all that arrived would have taken.
    private var plain: Double {
        let totals = outcome.totals
        let average = Double(totals.plainBytes) / Double(max(1, totals.cloud.messages + totals.cloud.atQoS0))
        return average * outcome.rate * 86_400 * Self.month
    }

    private func life(_ perDay: Double) -> String {
        let years = Self.cardGigabytes * 1e9 * Self.cardWrites / max(perDay, 1) / 365
        switch years {
        case 100...: return "> 100 years"
        case 10...: return "\(Int(years)) years"
        default: return "\(Quantities.tenths(years)) years"
        }
    }

    private func size(_ bytes: Double) -> String {
        bytes >= 9.95e8 ? "\(Quantities.tenths(bytes / 1e9)) GB" : "\(Int((bytes / 1e6).rounded())) MB"
    }

    private func row(
        _ title: String, _ values: [String], _ detail: String, _ colour: Terminal.Colour? = nil
    ) -> StyledLine {
        var line = StyledLine(title, colour)
        for (index, value) in values.enumerated() {
            line.pad(to: 40 + 13 * index - value.count)
            line.add(value, colour ?? .bold)
        }
        guard !detail.isEmpty else { return line }
        line.pad(to: 68)
        line.add(detail, .dim)
        return line
    }
}
