/// CONNECT, MQTT 5 §3.1. What an absent property means is already put in its place, save where absence itself tells.
public struct Connect: Equatable, Sendable {
    public var version: ProtocolVersion
    /// Empty: the Server assigns one [MQTT-3.1.3-6].
    public var clientIdentifier: [UInt8]
    /// Clean Session on 3.1.1.
    public var cleanStart: Bool
    /// Seconds; 0 turns it off.
    public var keepAlive: UInt16
    public var will: Will?
    public var username: [UInt8]?
    public var password: [UInt8]?

    /// Seconds, 0xFFFFFFFF for never. `nil` means 0 on MQTT 5; on 3.1.1 it is always `nil`.
    public var sessionExpiryInterval: UInt32?
    /// 1 to 65,535.
    public var receiveMaximum: UInt16
    /// Bytes, 1 or more; `nil` for no limit.
    public var maximumPacketSize: UInt32?
    public var topicAliasMaximum: UInt16
    public var requestResponseInformation: Bool
    public var requestProblemInformation: Bool
    public var userProperties: [UserProperty]
    public var authenticationMethod: String?
    public var authenticationData: [UInt8]?

    public init(
        version: ProtocolVersion = .v5, clientIdentifier: [UInt8] = [], cleanStart: Bool = true, keepAlive: UInt16 = 60,
        will: Will? = nil, username: [UInt8]? = nil, password: [UInt8]? = nil, sessionExpiryInterval: UInt32? = nil,
        receiveMaximum: UInt16 = 65_535, maximumPacketSize: UInt32? = nil, topicAliasMaximum: UInt16 = 0,
        requestResponseInformation: Bool = false, requestProblemInformation: Bool = true,
        userProperties: [UserProperty] = [], authenticationMethod: String? = nil, authenticationData: [UInt8]? = nil
    ) {
        self.version = version
        self.clientIdentifier = clientIdentifier
        self.cleanStart = cleanStart
        self.keepAlive = keepAlive
        self.will = will
        self.username = username
        self.password = password
        self.sessionExpiryInterval = sessionExpiryInterval
        self.receiveMaximum = receiveMaximum
        self.maximumPacketSize = maximumPacketSize
        self.topicAliasMaximum = topicAliasMaximum
        self.requestResponseInformation = requestResponseInformation
        self.requestProblemInformation = requestProblemInformation
        self.userProperties = userProperties
        self.authenticationMethod = authenticationMethod
        self.authenticationData = authenticationData
    }

    /// - Throws: an error whose `version` tells in which form to refuse, see `Connack.refusal(of:)`. 0x84 for a protocol
    ///   that isn't ours; 0x85 for an empty Client Identifier where 3.1 or 3.1.1 asks for one; else 0x81 and 0x82.
    public init(_ packet: RawPacket) throws(MQTTError) {
        var reader = ByteReader(packet.body)
        let level = try Self.level(&reader)
        let version = ProtocolVersion(rawValue: level) ?? .v311
        do throws(MQTTError) {
            guard version != .v5 || packet.hasShortestRemainingLength else {
                throw .malformed("[MQTT-1.5.5-1] a Remaining Length longer than it need be")
            }
            self.init(version: version)
            try readBody(&reader, level)
        } catch {
            throw MQTTError(error.reason, error.detail, version: version)
        }
    }
}

extension Connect {
    private static let oldestLevel: UInt8 = 3

    /// Protocol Name and level: 3 of MQTT 3.1, or a `ProtocolVersion`'s [MQTT-3.1.2-1] [MQTT-3.1.2-2].
    private static func level(_ reader: inout ByteReader) throws(MQTTError) -> UInt8 {
        let name = try reader.binary()
        let level = try reader.byte()
        let isMQTT = name.elementsEqual("MQTT".utf8)
        let isOld = name.elementsEqual("MQIsdp".utf8)
        if isMQTT && ProtocolVersion(rawValue: level) != nil || isOld && level == oldestLevel { return level }
        // Who lays its CONNECT out as MQTT 5 does can read MQTT 5's answer.
        let form: ProtocolVersion? = level >= ProtocolVersion.v5.rawValue && isLaidOut(reader, as: .v5) ? .v5 : nil
        guard isMQTT || isOld || form != nil else {
            throw .violation("[MQTT-3.1.2-1] a Protocol Name that is not MQTT")
        }
        throw MQTTError(
            .unsupportedProtocolVersion, "[MQTT-3.1.2-2] a protocol level that is neither 4 nor 5", version: form)
    }

    private static func isLaidOut(_ rest: ByteReader, as version: ProtocolVersion) -> Bool {
        var rest = rest
        var connect = Connect(version: version)
        do throws(MQTTError) { try connect.readBody(&rest, version.rawValue) } catch { return false }
        return true
    }

    private mutating func readBody(_ reader: inout ByteReader, _ level: UInt8) throws(MQTTError) {
        let flags = try reader.byte()
        try Self.check(flags, level)
        cleanStart = flags & 0x02 != 0
        keepAlive = try reader.twoByteInteger()
        if version == .v5 { try readProperties(reader.properties()) }

        clientIdentifier = [UInt8](try reader.string())
        guard !clientIdentifier.isEmpty || (cleanStart && level != Self.oldestLevel) || version == .v5 else {
            throw MQTTError(
                .clientIdentifierNotValid, "[MQTT-3.1.3-8 of 3.1.1] no Client Identifier without Clean Session")
        }
        if flags & 0x04 != 0 { will = try Will(&reader, flags: flags, version: version) }
        if flags & 0x80 != 0 { username = [UInt8](try reader.string()) }
        if flags & 0x40 != 0 { password = [UInt8](try reader.binary()) }
        try reader.expectEnd()
    }

    private static func check(_ flags: UInt8, _ level: UInt8) throws(MQTTError) {
        // MQTT 3.1 doesn't use the bit, and doesn't ask for 0.
        guard flags & 0x01 == 0 || level == oldestLevel else {
            throw .malformed("[MQTT-3.1.2-3] the reserved Connect Flag")
        }
        guard flags & 0x04 != 0 || flags & 0x38 == 0 else {
            throw .malformed("[MQTT-3.1.2-11] Will QoS or Will Retain without Will Flag")
        }
        guard flags & 0x18 != 0x18 else { throw .malformed("[MQTT-3.1.2-12] Will QoS 3") }
        guard level == ProtocolVersion.v5.rawValue || flags & 0xC0 != 0x40 else {
            throw .malformed("[MQTT-3.1.2-22 of 3.1.1] a password without a user name")
        }
    }

    private mutating func readProperties(_ raw: UnsafeRawBufferPointer) throws(MQTTError) {
        var reader = PacketProperties(raw, allowed: .connect)
        while let property = try reader.next() {
            switch (property.identifier, property.value) {
            case (.sessionExpiryInterval, .fourByteInteger(let seconds)): sessionExpiryInterval = seconds
            case (.receiveMaximum, .twoByteInteger(let maximum)): receiveMaximum = maximum
            case (.maximumPacketSize, .fourByteInteger(let size)): maximumPacketSize = size
            case (.topicAliasMaximum, .twoByteInteger(let maximum)): topicAliasMaximum = maximum
            case (.requestResponseInformation, .byte(let flag)): requestResponseInformation = flag == 1
            case (.requestProblemInformation, .byte(let flag)): requestProblemInformation = flag == 1
            case (.userProperty, .pair(let name, let value)): userProperties.append(UserProperty(name, value))
            case (.authenticationMethod, .string(let text)): authenticationMethod = String(utf8: text)
            case (.authenticationData, .binary(let bytes)): authenticationData = [UInt8](bytes)
            default: break
            }
        }
        guard authenticationData == nil || authenticationMethod != nil else {
            throw .violation("§3.1.2.11.10 Authentication Data without Authentication Method")
        }
    }

    /// The packet, in the form of `version`. Strings and binary fields hold at most 65,535 bytes.
    public func encode() -> [UInt8] {
        var body: [UInt8] = []
        body.append(prefixed: "MQTT".utf8)
        body.append(version.rawValue)
        var flags: UInt8 = cleanStart ? 0x02 : 0
        if let will { flags |= will.flags }
        if username != nil { flags |= 0x80 }
        if password != nil { flags |= 0x40 }
        body.append(flags)
        body.append(integer: keepAlive)
        body.append(properties: properties, version: version)
        body.append(prefixed: clientIdentifier)
        will?.append(to: &body, version: version)
        if let username { body.append(prefixed: username) }
        if let password { body.append(prefixed: password) }
        return .packet(.connect, body)
    }

    private var properties: PropertyWriter {
        var writer = PropertyWriter()
        if let sessionExpiryInterval { writer.append(.sessionExpiryInterval, fourBytes: sessionExpiryInterval) }
        writer.append(.receiveMaximum, twoBytes: receiveMaximum, unless: 65_535)
        if let maximumPacketSize { writer.append(.maximumPacketSize, fourBytes: maximumPacketSize) }
        writer.append(.topicAliasMaximum, twoBytes: topicAliasMaximum, unless: 0)
        writer.append(.requestResponseInformation, flag: requestResponseInformation, unless: false)
        writer.append(.requestProblemInformation, flag: requestProblemInformation, unless: true)
        writer.append(userProperties)
        writer.append(.authenticationMethod, text: authenticationMethod)
        if let authenticationData { writer.append(.authenticationData, authenticationData) }
        return writer
    }
}
