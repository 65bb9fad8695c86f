/// A User Property: a name and a value, both UTF-8 without U+0000; names may repeat and their order is kept.
public struct UserProperty: Hashable, Sendable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    /// Copies a pair that was read in place.
    public init(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
        self.init(String(utf8: name), String(utf8: value))
    }
}

/// Builds raw properties, without their Property Length.
public struct PropertyWriter {
    public private(set) var bytes: [UInt8]

    /// - Parameter bytes: properties that are already encoded, to add to.
    public init(_ bytes: [UInt8] = []) { self.bytes = bytes }

    public mutating func append(_ identifier: PropertyIdentifier, byte: UInt8) {
        bytes.append(identifier.rawValue)
        bytes.append(byte)
    }

    public mutating func append(_ identifier: PropertyIdentifier, twoBytes: UInt16) {
        bytes.append(identifier.rawValue)
        bytes.append(integer: twoBytes)
    }

    public mutating func append(_ identifier: PropertyIdentifier, fourBytes: UInt32) {
        bytes.append(identifier.rawValue)
        bytes.append(integer: fourBytes)
    }

    public mutating func append(_ identifier: PropertyIdentifier, variable: UInt32) {
        bytes.append(identifier.rawValue)
        bytes.append(variable: Int(variable))
    }

    /// A string or binary data, at most 65,535 bytes.
    public mutating func append(_ identifier: PropertyIdentifier, _ value: some Collection<UInt8>) {
        bytes.append(identifier.rawValue)
        bytes.append(prefixed: value)
    }

    public mutating func append(_ property: UserProperty) {
        bytes.append(PropertyIdentifier.userProperty.rawValue)
        bytes.append(prefixed: property.name.utf8)
        bytes.append(prefixed: property.value.utf8)
    }

    mutating func append(_ properties: [UserProperty]) {
        for property in properties { append(property) }
    }

    mutating func append(_ identifier: PropertyIdentifier, text: String?) {
        if let text { append(identifier, text.utf8) }
    }

    mutating func append(_ identifier: PropertyIdentifier, flag: Bool, unless byDefault: Bool) {
        if flag != byDefault { append(identifier, byte: flag ? 1 : 0) }
    }

    mutating func append(_ identifier: PropertyIdentifier, twoBytes: UInt16, unless byDefault: UInt16) {
        if twoBytes != byDefault { append(identifier, twoBytes: twoBytes) }
    }
}

extension Array where Element == UInt8 {
    mutating func append(integer: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: integer.bigEndian) { append(contentsOf: $0) }
    }

    mutating func append(variable value: Int) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    /// Two bytes of length, then the bytes.
    mutating func append(prefixed value: some Collection<UInt8>) {
        precondition(value.count <= 0xFFFF, "a string or binary field holds at most 65,535 bytes")
        append(integer: UInt16(value.count))
        append(contentsOf: value)
    }

    /// Property Length and properties, which MQTT 3.1.1 doesn't have.
    mutating func append(properties: PropertyWriter, version: ProtocolVersion) {
        guard version == .v5 else { return }
        append(variable: properties.bytes.count)
        append(contentsOf: properties.bytes)
    }

    /// A whole packet around `body`.
    static func packet(_ type: PacketType, _ body: [UInt8]) -> [UInt8] {
        precondition(body.count <= VariableByteInteger.maximum, "a packet holds at most 268,435,455 bytes")
        var packet: [UInt8] = []
        packet.reserveCapacity(body.count + 5)
        packet.append(type.firstByte)
        packet.append(variable: body.count)
        packet.append(contentsOf: body)
        return packet
    }
}
