/// The outcome as `--json` prints it: counts of messages at QoS 1 and 2, and those at QoS 0 apart.
struct ProveDocument {
    private let outcome: ProveOutcome

    init(_ outcome: ProveOutcome) { self.outcome = outcome }

    var json: String {
        let totals = outcome.totals
        let numbers: [(String, Int)] =
            [
                ("published", totals.published), ("acknowledged", totals.acknowledged),
                ("arrived", totals.cloud.messages),
                ("missing", totals.cloud.missing + totals.session.missing),
                ("out_of_order", totals.cloud.outOfOrder + totals.session.outOfOrder),
                ("duplicates", totals.cloud.duplicates + totals.session.duplicates), ("resent", totals.resent),
                ("kills", outcome.kills), ("cuts", outcome.cuts), ("disk_bytes", outcome.diskBytes),
                ("wire_bytes", outcome.wireBytes), ("plain_wire_bytes", totals.plainBytes), ("refused", totals.refused),
                ("unanswered", outcome.unanswered), ("repeated", totals.cloud.repeated),
                ("redelivered", totals.cloud.redelivered + totals.session.redelivered),
                ("session_arrived", totals.session.messages), ("session_missing", totals.session.missing),
                ("qos0_published", totals.publishedAtQoS0), ("qos0_arrived", totals.cloud.atQoS0),
            ] + rates
        var members = numbers.map { "\"\($0.0)\":\($0.1)" }
        members.append("\"synced\":\(outcome.isSynced.map { "\($0)" } ?? "null")")
        members.append("\"seconds\":\(Quantities.tenths(outcome.seconds))")
        members.append("\"problems\":[\(outcome.problems.map(Self.quoted).joined(separator: ","))]")
        return "{\"ok\":\(outcome.isKept),\(members.joined(separator: ","))}"
    }

    /// What a steady load of `rate` messages a second costs: with a near link, a far one, and none.
    private var rates: [(String, Int)] {
        let links = [("near", outcome.linkUp), ("far", outcome.linkFar), ("down", outcome.linkDown)]
        return [("rate", Int(outcome.rate))]
            + links.flatMap { name, measure in
                [
                    ("\(name)_disk_bytes_per_day", Int(measure.perDay(measure.diskBytes, outcome.rate))),
                    ("\(name)_wire_bytes_per_day", Int(measure.perDay(measure.wireBytes, outcome.rate))),
                ]
            }
    }

    private static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case "\n": quoted += "\\n"
            case _ where scalar.value < 0x20: quoted += " "
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
