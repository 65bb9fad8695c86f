/// AUTH, MQTT 5 §3.15: one step of an enhanced authentication.
public struct Auth: Equatable, Sendable {
    /// `success` (Server), `continueAuthentication` (both) or `reAuthenticate` (Client).
    public var reason: ReasonCode
    /// `nil` only in an AUTH of Remaining Length 0.
    public var authenticationMethod: String?
    public var authenticationData: [UInt8]?
    public var reasonString: String?
    public var userProperties: [UserProperty]

    public init(
        reason: ReasonCode, authenticationMethod: String?, authenticationData: [UInt8]? = nil,
        reasonString: String? = nil, userProperties: [UserProperty] = []
    ) {
        self.reason = reason
        self.authenticationMethod = authenticationMethod
        self.authenticationData = authenticationData
        self.reasonString = reasonString
        self.userProperties = userProperties
    }

    /// - Parameter peer: who sent it; what only the other end may send is refused. `nil` takes both.
    /// - Throws: 0x81 on 3.1.1, where type 15 is reserved, and for bytes missing or left; 0x82 for a Reason Code that AUTH
    ///   can't have [MQTT-3.15.2-1], no Authentication Method, bad properties.
    public init(_ packet: RawPacket, version: ProtocolVersion, from peer: Peer? = nil) throws(MQTTError) {
        guard version == .v5 else { throw .malformed("[3.1.1 §2.2.1] packet type 15") }
        self.init(reason: .success, authenticationMethod: nil)
        var reader = ByteReader(packet.body)
        if !reader.isAtEnd {
            reason = ReasonCode(rawValue: try reader.byte())
            try readProperties(reader.properties())
            try reader.expectEnd()
            guard authenticationMethod != nil else {
                throw .violation("§3.15.2.2.2 no Authentication Method")
            }
        }
        guard peer.map({ reason.isAllowed(in: .auth, from: $0) }) ?? reason.isAllowed(in: .auth) else {
            throw .violation("[MQTT-3.15.2-1] a Reason Code of another packet")
        }
    }

    private mutating func readProperties(_ raw: UnsafeRawBufferPointer) throws(MQTTError) {
        var reader = PacketProperties(raw, allowed: .auth)
        while let property = try reader.next() {
            switch (property.identifier, property.value) {
            case (.authenticationMethod, .string(let text)): authenticationMethod = String(utf8: text)
            case (.authenticationData, .binary(let bytes)): authenticationData = [UInt8](bytes)
            case (.reasonString, .string(let text)): reasonString = String(utf8: text)
            case (.userProperty, .pair(let name, let value)): userProperties.append(UserProperty(name, value))
            default: break
            }
        }
    }

    /// The packet, which MQTT 5 alone has.
    public func encode(version: ProtocolVersion = .v5) -> [UInt8] {
        precondition(version == .v5, "MQTT 3.1.1 has no AUTH")
        var writer = PropertyWriter()
        writer.append(.authenticationMethod, text: authenticationMethod)
        if let authenticationData { writer.append(.authenticationData, authenticationData) }
        writer.append(.reasonString, text: reasonString)
        writer.append(userProperties)
        if writer.bytes.isEmpty, reason == .success { return .packet(.auth, []) }
        var body = [reason.rawValue]
        body.append(properties: writer, version: version)
        return .packet(.auth, body)
    }
}
