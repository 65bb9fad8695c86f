/// CONNACK, MQTT 5 §3.2. A Server leaves at their defaults what it has nothing to say about.
public struct Connack: Equatable, Sendable {
    public var sessionPresent: Bool
    /// On 3.1.1 one of the six that it has a return code for.
    public var reason: ReasonCode

    /// Seconds; `nil`: as the Client asked.
    public var sessionExpiryInterval: UInt32?
    public var receiveMaximum: UInt16 = 65_535
    public var maximumQoS: QoS = .exactlyOnce
    public var retainAvailable = true
    /// Bytes; `nil` for no limit.
    public var maximumPacketSize: UInt32?
    public var assignedClientIdentifier: String?
    public var topicAliasMaximum: UInt16 = 0
    public var reasonString: String?
    public var userProperties: [UserProperty] = []
    public var wildcardSubscriptionAvailable = true
    public var subscriptionIdentifierAvailable = true
    public var sharedSubscriptionAvailable = true
    /// Seconds; takes the place of the Client's Keep Alive [MQTT-3.2.2-21].
    public var serverKeepAlive: UInt16?
    public var responseInformation: String?
    public var serverReference: String?
    public var authenticationMethod: String?
    public var authenticationData: [UInt8]?

    public init(reason: ReasonCode = .success, sessionPresent: Bool = false) {
        self.reason = reason
        self.sessionPresent = sessionPresent
    }

    /// - Throws: 0x81 for reserved flags, an unknown 3.1.1 return code, bytes missing or left; 0x82 for a Reason Code that
    ///   CONNACK can't have, Session Present with a failure [MQTT-3.2.2-6], bad properties.
    public init(_ packet: RawPacket, version: ProtocolVersion) throws(MQTTError) {
        var reader = ByteReader(packet.body)
        let flags = try reader.byte()
        guard flags <= 1 else { throw .malformed("[MQTT-3.2.2-1] reserved Connect Acknowledge Flags") }
        let code = try reader.byte()
        if version == .v5 {
            self.init(reason: ReasonCode(rawValue: code), sessionPresent: flags == 1)
            guard reason.isAllowed(in: .connack) else {
                throw .violation("[MQTT-3.2.2-8] a Reason Code of another packet")
            }
            try readProperties(reader.properties())
        } else {
            guard let reason = ReasonCode(connectReturnCode: code) else {
                throw .malformed("[3.1.1 §3.2.2.3] a reserved return code")
            }
            self.init(reason: reason, sessionPresent: flags == 1)
        }
        guard !sessionPresent || reason == .success else {
            throw .violation("[MQTT-3.2.2-6] Session Present with a failure")
        }
        try reader.expectEnd()
    }

    /// What refuses a CONNECT that couldn't be decoded; `nil` where 3.1.1 has no return code for it, and the connection is
    /// closed in silence.
    public static func refusal(of error: MQTTError) -> [UInt8]? {
        let version = error.version ?? .v311
        // Of a packet whose version isn't known, only the version itself can be refused.
        if error.version == nil, error.reason != .unsupportedProtocolVersion { return nil }
        let reason = error.reason.isAllowed(in: .connack) ? error.reason : .protocolError
        if version == .v311, reason.connectReturnCode == nil { return nil }
        return Connack(reason: reason).encode(version: version)
    }

    /// The packet. On 3.1.1 a reason without a return code goes out as 5, not authorized: ask
    /// `ReasonCode.connectReturnCode` first, since closing without CONNACK is the rule there.
    public func encode(version: ProtocolVersion) -> [UInt8] {
        let code = version == .v5 ? reason.rawValue : reason.connectReturnCode ?? 5
        var body: [UInt8] = [sessionPresent && !reason.isError ? 1 : 0, code]
        if version == .v5 { body.append(properties: properties, version: version) }
        return .packet(.connack, body)
    }
}

extension Connack {
    private mutating func readProperties(_ raw: UnsafeRawBufferPointer) throws(MQTTError) {
        var reader = PacketProperties(raw, allowed: .connack)
        while let property = try reader.next() {
            switch (property.identifier, property.value) {
            case (.sessionExpiryInterval, .fourByteInteger(let seconds)): sessionExpiryInterval = seconds
            case (.receiveMaximum, .twoByteInteger(let maximum)): receiveMaximum = maximum
            case (.maximumQoS, .byte(let level)): maximumQoS = level == 0 ? .atMostOnce : .atLeastOnce
            case (.retainAvailable, .byte(let flag)): retainAvailable = flag == 1
            case (.maximumPacketSize, .fourByteInteger(let size)): maximumPacketSize = size
            case (.assignedClientIdentifier, .string(let text)): assignedClientIdentifier = String(utf8: text)
            case (.topicAliasMaximum, .twoByteInteger(let maximum)): topicAliasMaximum = maximum
            case (.reasonString, .string(let text)): reasonString = String(utf8: text)
            case (.userProperty, .pair(let name, let value)): userProperties.append(UserProperty(name, value))
            case (.wildcardSubscriptionAvailable, .byte(let flag)): wildcardSubscriptionAvailable = flag == 1
            case (.subscriptionIdentifierAvailable, .byte(let flag)): subscriptionIdentifierAvailable = flag == 1
            case (.sharedSubscriptionAvailable, .byte(let flag)): sharedSubscriptionAvailable = flag == 1
            case (.serverKeepAlive, .twoByteInteger(let seconds)): serverKeepAlive = seconds
            case (.responseInformation, .string(let text)): responseInformation = String(utf8: text)
            case (.serverReference, .string(let text)): serverReference = String(utf8: text)
            case (.authenticationMethod, .string(let text)): authenticationMethod = String(utf8: text)
            case (.authenticationData, .binary(let bytes)): authenticationData = [UInt8](bytes)
            default: break
            }
        }
    }

    private var properties: PropertyWriter {
        var writer = PropertyWriter()
        if let sessionExpiryInterval { writer.append(.sessionExpiryInterval, fourBytes: sessionExpiryInterval) }
        writer.append(.receiveMaximum, twoBytes: receiveMaximum, unless: 65_535)
        if maximumQoS != .exactlyOnce { writer.append(.maximumQoS, byte: maximumQoS.rawValue) }
        writer.append(.retainAvailable, flag: retainAvailable, unless: true)
        if let maximumPacketSize { writer.append(.maximumPacketSize, fourBytes: maximumPacketSize) }
        writer.append(.assignedClientIdentifier, text: assignedClientIdentifier)
        writer.append(.topicAliasMaximum, twoBytes: topicAliasMaximum, unless: 0)
        writer.append(.reasonString, text: reasonString)
        writer.append(userProperties)
        writer.append(.wildcardSubscriptionAvailable, flag: wildcardSubscriptionAvailable, unless: true)
        writer.append(.subscriptionIdentifierAvailable, flag: subscriptionIdentifierAvailable, unless: true)
        writer.append(.sharedSubscriptionAvailable, flag: sharedSubscriptionAvailable, unless: true)
        if let serverKeepAlive { writer.append(.serverKeepAlive, twoBytes: serverKeepAlive) }
        writer.append(.responseInformation, text: responseInformation)
        writer.append(.serverReference, text: serverReference)
        writer.append(.authenticationMethod, text: authenticationMethod)
        if let authenticationData { writer.append(.authenticationData, authenticationData) }
        return writer
    }
}
