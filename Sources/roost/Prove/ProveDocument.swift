/// The outcome as `--json` prints it: counts of messages at QoS 1 and 2, and those at QoS 0 apart.
struct ProveDocument {
    private let outcome: ProveOutcome

    init(_ outcome: ProveOutcome) { self.outcome = outcome }

    var json: String {
        let totals = outcome.totals
        let numbers: [(String, Int)] = [
            ("published", totals.published), ("acknowledged", totals.acknowledged), ("arrived", totals.cloud.messages),
            ("missing", totals.cloud.missing + totals.session.missing),
            ("out_of_order", totals.cloud.outOfOrder + totals.session.outOfOrder),
            ("duplicates", totals.cloud.duplicates + totals.session.duplicates), ("resent", totals.resent),
            ("kills", outcome.kills), ("cuts", outcome.cuts), ("disk_bytes", outcome.diskBytes),
            ("wire_bytes", outcome.wireBytes), ("plain_wire_bytes", totals.plainBytes), ("refused", totals.refused),
            ("unanswered", outcome.unanswered), ("repeated", totals.cloud.repeated),
            ("redelivered", totals.cloud.redelivered + totals.session.redelivered),
            ("session_arrived", totals.session.messages), ("session_missing", totals.session.missing),
            ("qos0_published", totals.publishedAtQoS0), ("qos0_arrived", totals.cloud.atQoS0),
            ("disk_bytes_per_day", Int(outcome.linkUp.perDay(outcome.linkUp.diskBytes, outcome.rate))),
            ("disk_bytes_per_day_link_down", Int(outcome.linkDown.perDay(outcome.linkDown.diskBytes, outcome.rate))),
        ]
        var members = numbers.map { "\"\($0.0)\":\($0.1)" }
        members.append("\"synced\":\(outcome.isSynced.map { "\($0)" } ?? "null")")
        members.append("\"seconds\":\(Quantities.tenths(outcome.seconds))")
        var problems = outcome.missing + totals.complaints
        if let failure = outcome.failure { problems.insert(failure.message, at: 0) }
        members.append("\"problems\":[\(problems.map(Self.quoted).joined(separator: ","))]")
        return "{\"ok\":\(outcome.isKept),\(members.joined(separator: ","))}"
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
