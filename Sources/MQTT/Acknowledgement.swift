/// PUBACK, PUBREC, PUBREL or PUBCOMP, MQTT 5 §3.4 to §3.7: an identifier and a Reason Code. A Reason String and User
/// Properties are checked and skipped.
public struct Acknowledgement: Equatable, Sendable {
    public var type: PacketType
    public var packetIdentifier: UInt16
    /// Always success on 3.1.1.
    public var reason: ReasonCode

    public init(_ type: PacketType, packetIdentifier: UInt16, reason: ReasonCode = .success) {
        self.type = type
        self.packetIdentifier = packetIdentifier
        self.reason = reason
    }

    /// - Throws: 0x81 for a length that doesn't fit; 0x82 for Packet Identifier 0, a Reason Code that this packet can't
    ///   have [MQTT-3.4.2-1], bad properties.
    public init(_ packet: RawPacket, version: ProtocolVersion) throws(MQTTError) {
        var reader = ByteReader(packet.body)
        type = packet.type
        packetIdentifier = try reader.packetIdentifier()
        reason = .success
        if reader.isAtEnd { return }
        guard version == .v5 else { throw .malformed("bytes behind the packet's last field") }
        reason = ReasonCode(rawValue: try reader.byte())
        guard reason.isAllowed(in: type) else { throw .violation("[MQTT-3.4.2-1] a Reason Code of another packet") }
        // "If the Remaining Length is less than 4 there is no Property Length" §3.4.2.2.1.
        if reader.isAtEnd { return }
        try PacketProperties.validate(reader.properties(), allowed: .acknowledgement)
        try reader.expectEnd()
    }

    /// Room that `encode` never goes beyond.
    public static let maximumEncodedLength = 5

    /// Writes an acknowledgement to `memory` and returns its length: 4 bytes, or 5 on MQTT 5 if `reason` isn't success.
    public static func encode(
        _ type: PacketType, identifier: UInt16, reason: ReasonCode = .success, version: ProtocolVersion,
        into memory: UnsafeMutableRawPointer
    ) -> Int {
        let hasReason = version == .v5 && reason != .success
        memory.storeBytes(of: type.firstByte, as: UInt8.self)
        memory.storeBytes(of: hasReason ? 3 : 2, toByteOffset: 1, as: UInt8.self)
        memory.storeBytes(of: identifier.bigEndian, toByteOffset: 2, as: UInt16.self)
        guard hasReason else { return 4 }
        memory.storeBytes(of: reason.rawValue, toByteOffset: 4, as: UInt8.self)
        return 5
    }

    public func encode(version: ProtocolVersion) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.maximumEncodedLength) { bytes, count in
            guard let memory = UnsafeMutableRawBufferPointer(bytes).baseAddress else { return }
            count = Self.encode(
                type, identifier: packetIdentifier, reason: reason, version: version, into: memory)
        }
    }
}

/// PINGREQ and PINGRESP, §3.12 and §3.13. Framing has already checked that they have no body.
public enum Ping {
    public static let request: [UInt8] = [0xC0, 0]
    public static let response: [UInt8] = [0xD0, 0]
}
