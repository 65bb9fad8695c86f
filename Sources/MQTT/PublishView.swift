/// A PUBLISH packet, checked and in place (MQTT 5 §3.3): nothing is copied or allocated. Its pointers are valid as long as
/// the bytes it was read from, which on the loop means until the read call returns.
public struct PublishView {
    public var qos: QoS
    public var isDuplicate: Bool
    public var retain: Bool
    /// 0 for QoS 0.
    public var packetIdentifier: UInt16
    /// 0: none. Whether it is within Topic Alias Maximum is the connection's to check [MQTT-3.3.2-9].
    public var topicAlias: UInt16
    /// Whether there are Subscription Identifiers, which a Server sends and a Client must not [MQTT-3.3.4-6].
    public var hasSubscriptionIdentifiers: Bool
    /// True if the payload is declared to be UTF-8 (Payload Format Indicator 1); the payload isn't checked for it.
    public var payloadIsText: Bool
    /// Seconds.
    public var messageExpiryInterval: UInt32?
    /// Valid, or on MQTT 5 empty where a Topic Alias stands for it.
    public var topic: UnsafeRawBufferPointer
    /// Raw, without their length; valid. Empty on 3.1.1.
    public var properties: UnsafeRawBufferPointer
    public var payload: UnsafeRawBufferPointer

    /// A message that comes from elsewhere than a packet. `properties` must be valid and without Topic Alias,
    /// Subscription Identifier and Message Expiry Interval.
    public init(
        topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer, qos: QoS = .atMostOnce, retain: Bool = false,
        properties: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
        messageExpiryInterval: UInt32? = nil, payloadIsText: Bool = false
    ) {
        self.qos = qos
        isDuplicate = false
        self.retain = retain
        packetIdentifier = 0
        topicAlias = 0
        hasSubscriptionIdentifiers = false
        self.payloadIsText = payloadIsText
        self.messageExpiryInterval = messageExpiryInterval
        self.topic = topic
        self.properties = properties
        self.payload = payload
    }

    /// - Parameter peer: who sent it; what only the other end may send is refused. `nil` takes both.
    /// - Throws: 0x81 for QoS 3, DUP at QoS 0, a Topic Name that isn't one, fields cut short, properties out of place;
    ///   0x82 for Packet Identifier 0, no Topic Name without Topic Alias, repeated properties, bad values, Subscription
    ///   Identifiers from a Client [MQTT-3.3.4-6]; 0x94 for Topic Alias 0.
    public init(_ packet: RawPacket, version: ProtocolVersion, from peer: Peer? = nil) throws(MQTTError) {
        let flags = packet.flags
        guard let qos = QoS(rawValue: (flags >> 1) & 3) else { throw .malformed("[MQTT-3.3.1-4] QoS 3") }
        guard qos != .atMostOnce || flags & 8 == 0 else { throw .malformed("[MQTT-3.3.1-2] DUP at QoS 0") }

        var reader = ByteReader(packet.body)
        let topic = try reader.binary()
        guard TextScan(topic).isEmpty else { throw Self.badTopic(topic) }
        let packetIdentifier = qos == .atMostOnce ? 0 : try reader.packetIdentifier()

        var properties = UnsafeRawBufferPointer(start: nil, count: 0)
        var found = Found()
        if version == .v5 {
            properties = try reader.properties()
            if properties.count > 0 {
                found = try Found(properties)
                guard peer != .client || !found.hasSubscriptionIdentifiers else {
                    throw .violation("[MQTT-3.3.4-6] a Subscription Identifier from a Client")
                }
            }
            guard topic.count > 0 || found.topicAlias != 0 else {
                throw .violation("§3.3.2.1 neither Topic Name nor Topic Alias")
            }
        } else {
            guard topic.count > 0 else { throw .malformed("[MQTT-4.7.3-1] a Topic Name of no characters") }
        }
        self.qos = qos
        isDuplicate = flags & 8 != 0
        retain = flags & 1 != 0
        self.packetIdentifier = packetIdentifier
        topicAlias = found.topicAlias
        hasSubscriptionIdentifiers = found.hasSubscriptionIdentifiers
        payloadIsText = found.payloadIsText
        messageExpiryInterval = found.messageExpiryInterval
        self.topic = topic
        self.properties = properties
        payload = reader.rest()
    }

    /// What the properties of a PUBLISH tell the connection that it came by.
    private struct Found {
        var topicAlias: UInt16 = 0
        var hasSubscriptionIdentifiers = false
        var payloadIsText = false
        var messageExpiryInterval: UInt32?

        @inline(__always)
        init() {}

        @inline(never)
        init(_ properties: UnsafeRawBufferPointer) throws(MQTTError) {
            var reader = PacketProperties(properties, allowed: .publish, repeatable: .repeatableInPublish)
            while let property = try reader.next() {
                switch (property.identifier, property.value) {
                case (.topicAlias, .twoByteInteger(let alias)): topicAlias = alias
                case (.messageExpiryInterval, .fourByteInteger(let seconds)): messageExpiryInterval = seconds
                case (.payloadFormatIndicator, .byte(let format)): payloadIsText = format == 1
                case (.subscriptionIdentifier, _): hasSubscriptionIdentifiers = true
                default: break
                }
            }
        }
    }

    @inline(never)
    private static func badTopic(_ topic: UnsafeRawBufferPointer) -> MQTTError {
        TextScan(topic).contains(.illFormed)
            ? .malformed("[MQTT-3.3.2-1] a Topic Name that is not UTF-8, or holds U+0000")
            : .malformed("[MQTT-3.3.2-2] a Topic Name with a wildcard")
    }
}

extension PublishView {
    /// True if `properties` may be sent on as they are: no Topic Alias or Subscription Identifiers, which belong to this
    /// connection, and no Message Expiry Interval, which shrinks while the message waits [MQTT-3.3.2-6].
    @inlinable
    public var propertiesCanBeCopied: Bool {
        topicAlias == 0 && !hasSubscriptionIdentifiers && messageExpiryInterval == nil
    }

    /// Writes the properties that belong to the message (`propertiesCanBeCopied` says which don't) to `memory`, which has
    /// room for `properties.count` bytes, and returns how many bytes there are.
    public func copyProperties(into memory: UnsafeMutableRawPointer) -> Int {
        Self.copyProperties(properties, into: memory)
    }

    /// As `copyProperties(into:)`, of raw properties that were checked before.
    public static func copyProperties(
        _ properties: UnsafeRawBufferPointer, into memory: UnsafeMutableRawPointer
    ) -> Int {
        var count = 0
        for property in PropertyReader(properties) where !PropertySet.hopByHop.contains(property.identifier) {
            guard let source = property.encoded.baseAddress else { continue }
            (memory + count).copyMemory(from: source, byteCount: property.encoded.count)
            count += property.encoded.count
        }
        return count
    }
}
