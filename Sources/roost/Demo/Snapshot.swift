/// All that the view and the words tell of one moment.
struct Snapshot {
    var act = Scenario.Act.starting
    /// Since the first reading.
    var elapsed = 0.0
    var planned = 0.0
    var sensors = 0
    var sensorsConnected = 0
    var edgeIsUp = false
    var linkIsCut = false
    var totals = Tally.Totals()
    /// Messages a second, over the last second.
    var publishRate = 0.0
    var arrivalRate = 0.0
    /// Bytes a second on the link.
    var wireRate = 0.0
    /// Acknowledged or best effort, and not at the cloud yet; what the edge says while it can be asked.
    var waiting = 0
    var waitingBytes: Int64?
    var waitingOldest: Double?
    var wireBytes = 0
    var plainBytes = 0
    var diskBytes = 0
    var kills = 0
    var cuts = 0
    /// How long the link was cut, and the edge dead, all told.
    var cutSeconds = 0.0
    var deadSeconds = 0.0
    var isOnDisk = true
    /// `waiting`, every half second.
    var history: [Int] = []
}

extension Snapshot {
    /// "16", "2.4": how many times as much plain MQTT would have taken; nil while there is nothing to compare.
    var saving: String? {
        guard wireBytes > 0, plainBytes > wireBytes else { return nil }
        let factor = Double(plainBytes) / Double(wireBytes)
        return factor < 9.95 ? Quantities.tenths(factor) : "\(Int(factor.rounded()))"
    }
}
