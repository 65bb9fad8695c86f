import MQTT

/// What messages would take on the link without Roost: each one PUBLISH at QoS 1 and its PUBACK, as MQTT 3.1.1 encodes them
/// (MQTT 5 takes a byte more for each). Bytes of MQTT alone, without those of TCP and IP.
enum PlainMQTT {
    /// PUBACK: fixed header 2, Packet Identifier 2 (MQTT 3.1.1 §3.4).
    static let acknowledgement = 4

    /// - Parameters:
    ///   - topic: of the message.
    ///   - payloadCount: bytes of its payload.
    static func bytes(topic: UnsafeRawBufferPointer, payloadCount: Int) -> Int {
        PublishHead(topic: topic, qos: .atLeastOnce).encodedLength(version: .v311, payloadCount: payloadCount)
            + acknowledgement
    }
}
