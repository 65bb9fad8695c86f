/// One whole MQTT Control Packet, in place. Its pointers are valid as long as the bytes it was read from.
public struct RawPacket {
    public let type: PacketType
    /// The fixed header's low four bits: PUBLISH's DUP, QoS and RETAIN, else reserved and already checked.
    public let flags: UInt8
    /// Variable header and payload.
    public let body: UnsafeRawBufferPointer
    /// Bytes of the whole packet, fixed header included.
    public let length: Int

    @inlinable
    public init(type: PacketType, flags: UInt8, body: UnsafeRawBufferPointer, length: Int) {
        self.type = type
        self.flags = flags
        self.body = body
        self.length = length
    }

    /// False: the Remaining Length was padded, which a CONNECT can be before its version is known.
    var hasShortestRemainingLength: Bool {
        length - body.count == 1 + VariableByteInteger.encodedLength(body.count)
    }
}

/// What the front of a receive buffer holds.
public enum Frame {
    /// `needed` is the whole packet's length in bytes once the fixed header tells it, else 0.
    case incomplete(needed: Int)
    case complete(RawPacket)

    /// Reads the first packet of `bytes`. Says what is wrong as soon as the fixed header shows it, before the body has
    /// arrived.
    ///
    /// - Parameters:
    ///   - maximum: Maximum Packet Size in bytes [MQTT-3.1.2-24], fixed header included.
    ///   - version: `.v311` lets a Remaining Length be padded, which 3.1.1 §2.2.3 doesn't forbid and simple firmware
    ///     does; MQTT 5 forbids it [MQTT-1.5.5-1].
    /// - Throws: 0x81 for type 0, reserved flags, a malformed Remaining Length; 0x95 for a packet beyond `maximum`.
    @inlinable
    public init(
        reading bytes: UnsafeRawBufferPointer, maximum: Int, version: ProtocolVersion = .v5
    ) throws(MQTTError) {
        guard bytes.count > 1 else {
            self = try Self.opening(bytes)
            return
        }
        let first = bytes[0]
        guard let type = PacketType(rawValue: first >> 4), type == .publish || first & 0x0F == type.reservedFlags else {
            throw Self.badFirstByte(first)
        }
        var remainingLength = Int(bytes[1])
        var headerLength = 2
        if remainingLength >= 0x80 {
            guard let long = try Self.longRemainingLength(bytes, version) else {
                self = .incomplete(needed: 0)
                return
            }
            (remainingLength, headerLength) = long
        }
        let length = headerLength &+ remainingLength
        guard length <= maximum, remainingLength == 0 || (type != .pingreq && type != .pingresp) else {
            throw Self.badLength(isTooLarge: length > maximum)
        }
        guard bytes.count >= length else {
            self = .incomplete(needed: length)
            return
        }
        let body = UnsafeRawBufferPointer(start: bytes.baseAddress.map { $0 + headerLength }, count: remainingLength)
        self = .complete(RawPacket(type: type, flags: first & 0x0F, body: body, length: length))
    }

    /// A header of no or one byte.
    @usableFromInline
    @inline(never)
    static func opening(_ bytes: UnsafeRawBufferPointer) throws(MQTTError) -> Frame {
        if let first = bytes.first {
            guard let type = PacketType(rawValue: first >> 4), type == .publish || first & 0x0F == type.reservedFlags
            else { throw badFirstByte(first) }
        }
        return .incomplete(needed: 0)
    }

    @usableFromInline
    @inline(never)
    static func badFirstByte(_ first: UInt8) -> MQTTError {
        first >> 4 == 0
            ? .malformed("§2.1.2 packet type 0") : .malformed("[MQTT-2.1.3-1] reserved flags of the fixed header")
    }

    @usableFromInline
    @inline(never)
    static func badLength(isTooLarge: Bool) -> MQTTError {
        isTooLarge
            ? MQTTError(.packetTooLarge, "[MQTT-3.1.2-24] beyond Maximum Packet Size")
            : .malformed("§3.12.1 a ping with a body")
    }

    @usableFromInline
    @inline(never)
    static func longRemainingLength(
        _ bytes: UnsafeRawBufferPointer, _ version: ProtocolVersion
    ) throws(MQTTError) -> (value: Int, headerLength: Int)? {
        var value = 0
        for index in 0..<4 {
            guard bytes.count > index + 1 else { return nil }
            let byte = bytes[index + 1]
            value |= Int(byte & 0x7F) << (7 * index)
            if byte < 0x80 {
                guard byte != 0 || index == 0 || version == .v311 else {
                    throw .malformed("[MQTT-1.5.5-1] a Remaining Length longer than it need be")
                }
                return (value, index + 2)
            }
        }
        throw .malformed("§2.1.4 a Remaining Length of more than four bytes")
    }
}

/// The first packet of `bytes`, or `nil` while it is incomplete; never reads beyond `bytes`. See `Frame` for the
/// parameters and errors, and for how much is missing.
@inlinable
public func readFrame(
    _ bytes: UnsafeRawBufferPointer, maximum: Int, version: ProtocolVersion = .v5
) throws(MQTTError) -> RawPacket? {
    switch try Frame(reading: bytes, maximum: maximum, version: version) {
    case .complete(let packet): packet
    case .incomplete: nil
    }
}
