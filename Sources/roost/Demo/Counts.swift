import MQTT

/// What the sensors and the reader report to: the tally, and the bytes that plain MQTT would have taken for all that arrived.
final class Counts {
    var tally = Tally()
    private(set) var plainBytes = 0
    private var topics: [[UInt8]: Int] = [:]

    /// Returns the topic's index in the tally.
    func add(topic: String, _ qos: QoS) -> Int {
        let index = tally.add(qos)
        topics[Array(topic.utf8)] = index
        return index
    }

    /// A message came out at the far end; what isn't the sensors' is not counted.
    func arrived(topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
        guard let index = topics[Array(topic)], let number = Readings.number(in: payload) else { return }
        plainBytes += PlainMQTT.bytes(topic: topic, payloadCount: payload.count)
        tally.arrived(index, number)
    }
}
