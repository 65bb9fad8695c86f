/// The demo's outcome as `--json` prints it: counts of messages at QoS 1 and 2, and those at QoS 0 apart.
struct DemoDocument {
    private let end: Snapshot
    private let seconds: Double

    init(_ end: Snapshot, seconds: Double) {
        self.end = end
        self.seconds = seconds
    }

    var json: String {
        let totals = end.totals
        let numbers: [(String, Int)] = [
            ("published", totals.published), ("acknowledged", totals.acknowledged), ("arrived", totals.arrived),
            ("missing", totals.missing), ("out_of_order", totals.outOfOrder), ("duplicates", totals.duplicates),
            ("resent", totals.resent), ("repeated", totals.repeated), ("refused", totals.refused),
            ("qos0_published", totals.published0), ("qos0_arrived", totals.arrived0), ("kills", end.kills),
            ("cuts", end.cuts), ("disk_bytes", end.diskBytes), ("wire_bytes", end.wireBytes),
            ("plain_wire_bytes", end.plainBytes),
        ]
        let members = numbers.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",")
        return "{\"ok\":\(totals.isPerfect),\(members),\"seconds\":\(Quantities.tenths(seconds))}"
    }
}
