/// What a SUBSCRIBE says happens to retained messages, MQTT 5 §3.8.3.1.
public enum RetainHandling: UInt8, Sendable {
    case send = 0
    case sendIfNew, doNotSend
}

/// One Topic Filter of a SUBSCRIBE with its Subscription Options. On 3.1.1 only `qos` is ever set.
public struct Subscription: Equatable, Sendable {
    /// A valid Topic Filter, `$share/{ShareName}/` included.
    public var filter: [UInt8]
    /// Maximum QoS.
    public var qos: QoS
    public var noLocal: Bool
    public var retainAsPublished: Bool
    public var retainHandling: RetainHandling

    public init(
        filter: [UInt8], qos: QoS, noLocal: Bool = false, retainAsPublished: Bool = false,
        retainHandling: RetainHandling = .send
    ) {
        self.filter = filter
        self.qos = qos
        self.noLocal = noLocal
        self.retainAsPublished = retainAsPublished
        self.retainHandling = retainHandling
    }

    init(_ reader: inout ByteReader, version: ProtocolVersion) throws(MQTTError) {
        let filter = try reader.binary()
        let checked = try TopicFilter(filter)
        let options = try reader.byte()
        guard options & (version == .v5 ? 0xC0 : 0xFC) == 0 else {
            throw .malformed("[MQTT-3.8.3-5] reserved Subscription Options")
        }
        guard let qos = QoS(rawValue: options & 3) else {
            // Malformed on 3.1.1 [MQTT-3-8.3-4 of 3.1.1], a Protocol Error on MQTT 5 §3.8.3.1.
            throw MQTTError(version == .v5 ? .protocolError : .malformedPacket, "§3.8.3.1 Maximum QoS 3")
        }
        guard let retainHandling = RetainHandling(rawValue: (options >> 4) & 3) else {
            throw .violation("§3.8.3.1 Retain Handling 3")
        }
        guard options & 0x04 == 0 || !checked.isShared else {
            throw .violation("[MQTT-3.8.3-4] No Local on a Shared Subscription")
        }
        self.init(
            filter: [UInt8](filter), qos: qos, noLocal: options & 0x04 != 0, retainAsPublished: options & 0x08 != 0,
            retainHandling: retainHandling)
    }

    func options(_ version: ProtocolVersion) -> UInt8 {
        guard version == .v5 else { return qos.rawValue }
        return qos.rawValue | (noLocal ? 0x04 : 0) | (retainAsPublished ? 0x08 : 0) | retainHandling.rawValue << 4
    }
}

/// SUBSCRIBE, MQTT 5 §3.8.
public struct Subscribe: Equatable, Sendable {
    public var packetIdentifier: UInt16
    /// 1 to 268,435,455.
    public var subscriptionIdentifier: UInt32?
    /// At least one.
    public var filters: [Subscription]
    public var userProperties: [UserProperty]

    public init(
        packetIdentifier: UInt16, filters: [Subscription], subscriptionIdentifier: UInt32? = nil,
        userProperties: [UserProperty] = []
    ) {
        self.packetIdentifier = packetIdentifier
        self.filters = filters
        self.subscriptionIdentifier = subscriptionIdentifier
        self.userProperties = userProperties
    }

    /// - Throws: 0x81 for a bad Topic Filter and reserved options; 0x82 for no Topic Filter [MQTT-3.8.3-2], QoS 3, Retain
    ///   Handling 3, No Local on a Shared Subscription, Packet or Subscription Identifier 0.
    public init(_ packet: RawPacket, version: ProtocolVersion) throws(MQTTError) {
        var reader = ByteReader(packet.body)
        self.init(packetIdentifier: try reader.packetIdentifier(), filters: [])
        if version == .v5 {
            var properties = PacketProperties(try reader.properties(), allowed: .subscribe)
            while let property = try properties.next() {
                switch property.value {
                case .variableByteInteger(let number): subscriptionIdentifier = number
                case .pair(let name, let value): userProperties.append(UserProperty(name, value))
                default: break
                }
            }
        }
        repeat {
            guard !reader.isAtEnd else { throw .violation("[MQTT-3.8.3-2] a SUBSCRIBE without a Topic Filter") }
            filters.append(try Subscription(&reader, version: version))
        } while !reader.isAtEnd
    }

    public func encode(version: ProtocolVersion) -> [UInt8] {
        var body: [UInt8] = []
        body.append(integer: packetIdentifier)
        var writer = PropertyWriter()
        if let subscriptionIdentifier { writer.append(.subscriptionIdentifier, variable: subscriptionIdentifier) }
        writer.append(userProperties)
        body.append(properties: writer, version: version)
        for subscription in filters {
            body.append(prefixed: subscription.filter)
            body.append(subscription.options(version))
        }
        return .packet(.subscribe, body)
    }
}
