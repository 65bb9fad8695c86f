import EventLoop

/// What a steady load took, or the counters where one began.
struct Measure {
    var at = Instant(nanoseconds: 0)
    var seconds = 0.0
    /// Handed to the node, at any QoS.
    var messages = 0
    /// Written by the node's process, as the kernel counts it.
    var diskBytes = 0
    /// Written to the device by whomever; nil where the device is not known.
    var deviceBytes: Int?
    var wireBytes = 0
    /// What plain MQTT would have taken for what arrived meanwhile.
    var plainBytes = 0

    func since(_ start: Measure) -> Measure {
        var result = self
        result.seconds = (at - start.at).seconds
        result.messages -= start.messages
        result.diskBytes -= start.diskBytes
        result.deviceBytes = deviceBytes.flatMap { now in start.deviceBytes.map { now - $0 } }
        result.wireBytes -= start.wireBytes
        result.plainBytes -= start.plainBytes
        return result
    }

    /// At that many a second.
    func perDay(_ bytes: Int, _ rate: Double) -> Double {
        messages > 0 ? Double(bytes) / Double(messages) * rate * 86_400 : 0
    }

    var messagesPerSecond: Double { seconds > 0 ? Double(messages) / seconds : 0 }
}
