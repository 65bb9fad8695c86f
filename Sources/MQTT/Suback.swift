/// SUBACK, MQTT 5 §3.9: a Reason Code for each Topic Filter of the SUBSCRIBE, in its order [MQTT-3.9.3-1].
public struct Suback: Equatable, Sendable {
    public var packetIdentifier: UInt16
    /// The granted QoS (0x00 to 0x02) or a failure, at least one.
    public var reasons: [ReasonCode]
    public var reasonString: String?
    public var userProperties: [UserProperty]

    public init(
        packetIdentifier: UInt16, reasons: [ReasonCode], reasonString: String? = nil,
        userProperties: [UserProperty] = []
    ) {
        self.packetIdentifier = packetIdentifier
        self.reasons = reasons
        self.reasonString = reasonString
        self.userProperties = userProperties
    }

    /// - Throws: 0x81 for no Reason Code, or on 3.1.1 a reserved one [MQTT-3.9.3-2 of 3.1.1]; 0x82 for Packet Identifier 0
    ///   and a Reason Code of another packet [MQTT-3.9.3-2].
    public init(_ packet: RawPacket, version: ProtocolVersion) throws(MQTTError) {
        var reader = ByteReader(packet.body)
        self.init(packetIdentifier: try reader.packetIdentifier(), reasons: [])
        if version == .v5 {
            let properties = try AcknowledgementProperties(reader.properties())
            (reasonString, userProperties) = (properties.reasonString, properties.userProperties)
        }
        reasons = try reader.reasons(.suback)
        if version == .v311, !reasons.allSatisfy({ $0.rawValue <= 2 || $0 == .unspecifiedError }) {
            throw .malformed("[MQTT-3.9.3-2 of 3.1.1] a reserved return code")
        }
    }

    /// The packet. On 3.1.1 every failure is 0x80.
    public func encode(version: ProtocolVersion) -> [UInt8] {
        var body: [UInt8] = []
        body.append(integer: packetIdentifier)
        body.append(properties: .acknowledgement(reasonString, userProperties), version: version)
        for reason in reasons { body.append(version == .v311 && reason.isError ? 0x80 : reason.rawValue) }
        return .packet(.suback, body)
    }
}

/// UNSUBACK, MQTT 5 §3.11: on MQTT 5 a Reason Code for each Topic Filter of the UNSUBSCRIBE; on 3.1.1 nothing but the
/// identifier.
public struct Unsuback: Equatable, Sendable {
    public var packetIdentifier: UInt16
    /// Empty on 3.1.1.
    public var reasons: [ReasonCode]
    public var reasonString: String?
    public var userProperties: [UserProperty]

    public init(
        packetIdentifier: UInt16, reasons: [ReasonCode] = [], reasonString: String? = nil,
        userProperties: [UserProperty] = []
    ) {
        self.packetIdentifier = packetIdentifier
        self.reasons = reasons
        self.reasonString = reasonString
        self.userProperties = userProperties
    }

    /// - Throws: 0x81 for no Reason Code on MQTT 5, or any byte more on 3.1.1; 0x82 for Packet Identifier 0 and a Reason
    ///   Code of another packet [MQTT-3.11.3-2].
    public init(_ packet: RawPacket, version: ProtocolVersion) throws(MQTTError) {
        var reader = ByteReader(packet.body)
        self.init(packetIdentifier: try reader.packetIdentifier())
        if version == .v5 {
            let properties = try AcknowledgementProperties(reader.properties())
            (reasonString, userProperties) = (properties.reasonString, properties.userProperties)
            reasons = try reader.reasons(.unsuback)
        }
        try reader.expectEnd()
    }

    public func encode(version: ProtocolVersion) -> [UInt8] {
        var body: [UInt8] = []
        body.append(integer: packetIdentifier)
        body.append(properties: .acknowledgement(reasonString, userProperties), version: version)
        if version == .v5 { for reason in reasons { body.append(reason.rawValue) } }
        return .packet(.unsuback, body)
    }
}

/// The Reason String and User Properties of SUBACK and UNSUBACK.
private struct AcknowledgementProperties {
    var reasonString: String?
    var userProperties: [UserProperty] = []

    init(_ raw: UnsafeRawBufferPointer) throws(MQTTError) {
        var properties = PacketProperties(raw, allowed: .acknowledgement)
        while let property = try properties.next() {
            switch property.value {
            case .string(let text): reasonString = String(utf8: text)
            case .pair(let name, let value): userProperties.append(UserProperty(name, value))
            default: break
            }
        }
    }
}

extension ByteReader {
    /// Reason Codes up to the end, at least one.
    fileprivate mutating func reasons(_ type: PacketType) throws(MQTTError) -> [ReasonCode] {
        guard !isAtEnd else { throw .malformed("an acknowledgement without a Reason Code") }
        var reasons: [ReasonCode] = []
        for byte in rest() {
            let reason = ReasonCode(rawValue: byte)
            guard reason.isAllowed(in: type) else { throw .violation("[MQTT-3.9.3-2] a Reason Code of another packet") }
            reasons.append(reason)
        }
        return reasons
    }
}

extension PropertyWriter {
    fileprivate static func acknowledgement(_ reasonString: String?, _ user: [UserProperty]) -> PropertyWriter {
        var writer = PropertyWriter()
        writer.append(.reasonString, text: reasonString)
        writer.append(user)
        return writer
    }
}
