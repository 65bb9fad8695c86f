/// DISCONNECT, MQTT 5 §3.14; on 3.1.1 a Client's alone, and empty.
public struct Disconnect: Equatable, Sendable {
    public var reason: ReasonCode
    /// Seconds, from the Client alone [MQTT-3.14.2-2].
    public var sessionExpiryInterval: UInt32?
    public var reasonString: String?
    /// From the Server alone.
    public var serverReference: String?
    public var userProperties: [UserProperty]

    public init(
        reason: ReasonCode = .normalDisconnection, sessionExpiryInterval: UInt32? = nil, reasonString: String? = nil,
        serverReference: String? = nil, userProperties: [UserProperty] = []
    ) {
        self.reason = reason
        self.sessionExpiryInterval = sessionExpiryInterval
        self.reasonString = reasonString
        self.serverReference = serverReference
        self.userProperties = userProperties
    }

    /// - Parameter peer: who sent it; what only the other end may send is refused. `nil` takes both.
    /// - Throws: 0x81 for bytes missing or left; 0x82 for a Reason Code that DISCONNECT can't have [MQTT-3.14.2-1], bad
    ///   properties.
    public init(_ packet: RawPacket, version: ProtocolVersion, from peer: Peer? = nil) throws(MQTTError) {
        self.init()
        var reader = ByteReader(packet.body)
        if reader.isAtEnd { return }
        guard version == .v5 else { throw .malformed("[3.1.1 §3.14] a DISCONNECT with a body") }
        reason = ReasonCode(rawValue: try reader.byte())
        guard peer.map({ reason.isAllowed(in: .disconnect, from: $0) }) ?? reason.isAllowed(in: .disconnect) else {
            throw .violation("[MQTT-3.14.2-1] a Reason Code of another packet")
        }
        // "If the Remaining Length is less than 2, a value of 0 is used" §3.14.2.2.1.
        if reader.isAtEnd { return }
        try readProperties(reader.properties())
        try reader.expectEnd()
        guard peer != .server || sessionExpiryInterval == nil else {
            throw .violation("[MQTT-3.14.2-2] a Session Expiry Interval from the Server")
        }
        guard peer != .client || serverReference == nil else {
            throw .violation("§3.14.2.2.5 a Server Reference from a Client")
        }
    }

    private mutating func readProperties(_ raw: UnsafeRawBufferPointer) throws(MQTTError) {
        var reader = PacketProperties(raw, allowed: .disconnect)
        while let property = try reader.next() {
            switch (property.identifier, property.value) {
            case (.sessionExpiryInterval, .fourByteInteger(let seconds)): sessionExpiryInterval = seconds
            case (.reasonString, .string(let text)): reasonString = String(utf8: text)
            case (.serverReference, .string(let text)): serverReference = String(utf8: text)
            case (.userProperty, .pair(let name, let value)): userProperties.append(UserProperty(name, value))
            default: break
            }
        }
    }

    public func encode(version: ProtocolVersion) -> [UInt8] {
        guard version == .v5 else { return .packet(.disconnect, []) }
        var writer = PropertyWriter()
        if let sessionExpiryInterval { writer.append(.sessionExpiryInterval, fourBytes: sessionExpiryInterval) }
        writer.append(.reasonString, text: reasonString)
        writer.append(.serverReference, text: serverReference)
        writer.append(userProperties)
        if writer.bytes.isEmpty { return .packet(.disconnect, reason == .success ? [] : [reason.rawValue]) }
        var body = [reason.rawValue]
        body.append(properties: writer, version: version)
        return .packet(.disconnect, body)
    }
}
