/// The Will Message of a CONNECT, MQTT 5 §3.1.3.2 to §3.1.3.4.
public struct Will: Equatable, Sendable {
    /// A valid Topic Name.
    public var topic: [UInt8]
    public var payload: [UInt8]
    public var qos: QoS
    public var retain: Bool
    /// Will Delay Interval in seconds.
    public var delay: UInt32
    /// Seconds; counted from when the Will is published.
    public var messageExpiryInterval: UInt32?
    /// Raw properties to publish with: all but Will Delay Interval and Message Expiry Interval.
    public var properties: [UInt8]

    public init(
        topic: [UInt8], payload: [UInt8], qos: QoS = .atMostOnce, retain: Bool = false, delay: UInt32 = 0,
        messageExpiryInterval: UInt32? = nil, properties: [UInt8] = []
    ) {
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.delay = delay
        self.messageExpiryInterval = messageExpiryInterval
        self.properties = properties
    }

    init(_ reader: inout ByteReader, flags: UInt8, version: ProtocolVersion) throws(MQTTError) {
        guard let qos = QoS(rawValue: (flags >> 3) & 3) else { throw .malformed("[MQTT-3.1.2-12] Will QoS 3") }
        self.init(topic: [], payload: [], qos: qos, retain: flags & 0x20 != 0)
        if version == .v5 {
            var reader = PacketProperties(try reader.properties(), allowed: .will)
            while let property = try reader.next() {
                switch (property.identifier, property.value) {
                case (.willDelayInterval, .fourByteInteger(let seconds)): delay = seconds
                case (.messageExpiryInterval, .fourByteInteger(let seconds)): messageExpiryInterval = seconds
                default: properties.append(contentsOf: property.encoded)
                }
            }
        }
        let topic = try reader.binary()
        guard TopicName.isValid(topic) else { throw .malformed("[MQTT-3.1.3-11] a Will Topic that is no Topic Name") }
        self.topic = [UInt8](topic)
        payload = [UInt8](try reader.binary())
    }

    /// The Connect Flags that speak of the Will.
    var flags: UInt8 { 0x04 | qos.rawValue << 3 | (retain ? 0x20 : 0) }

    func append(to body: inout [UInt8], version: ProtocolVersion) {
        var writer = PropertyWriter(properties)
        if delay != 0 { writer.append(.willDelayInterval, fourBytes: delay) }
        if let messageExpiryInterval { writer.append(.messageExpiryInterval, fourBytes: messageExpiryInterval) }
        body.append(properties: writer, version: version)
        body.append(prefixed: topic)
        body.append(prefixed: payload)
    }
}
