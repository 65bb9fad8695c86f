/// Reads MQTT's data types (MQTT 5 §1.5) off a buffer, front to back, and never beyond it: `offset` is at most
/// `bytes.count`, so that its arithmetic can't overflow.
struct ByteReader {
    let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    @inline(__always) var remaining: Int { bytes.count &- offset }
    @inline(__always) var isAtEnd: Bool { offset == bytes.count }

    @inline(never)
    private static func truncated() -> MQTTError { .malformed("the packet ends inside a field") }

    @inline(__always)
    mutating func byte() throws(MQTTError) -> UInt8 {
        guard remaining >= 1 else { throw Self.truncated() }
        defer { offset &+= 1 }
        return bytes[offset]
    }

    @inline(__always)
    mutating func twoByteInteger() throws(MQTTError) -> UInt16 {
        guard remaining >= 2 else { throw Self.truncated() }
        defer { offset &+= 2 }
        return UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    @inline(__always)
    mutating func fourByteInteger() throws(MQTTError) -> UInt32 {
        guard remaining >= 4 else { throw Self.truncated() }
        defer { offset &+= 4 }
        return UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    @inline(__always)
    mutating func variableByteInteger() throws(MQTTError) -> Int {
        guard remaining >= 1 else { throw Self.truncated() }
        let first = bytes[offset]
        if first < 0x80 {
            offset += 1
            return Int(first)
        }
        let (value, length) = try Self.longVariableByteInteger(bytes, at: offset)
        offset += length
        return value
    }

    /// Static, so that the reader itself can stay in registers.
    @inline(never)
    private static func longVariableByteInteger(
        _ bytes: UnsafeRawBufferPointer, at offset: Int
    ) throws(MQTTError) -> (value: Int, length: Int) {
        var value = 0
        for index in 0..<4 {
            guard offset + index < bytes.count else { throw truncated() }
            let byte = bytes[offset + index]
            value |= Int(byte & 0x7F) << (7 * index)
            if byte < 0x80 {
                guard byte != 0 || index == 0 else {
                    throw .malformed("[MQTT-1.5.5-1] a Variable Byte Integer longer than it need be")
                }
                return (value, index + 1)
            }
        }
        throw .malformed("§1.5.5 a Variable Byte Integer of more than four bytes")
    }

    @inline(__always)
    mutating func block(_ count: Int) throws(MQTTError) -> UnsafeRawBufferPointer {
        guard count <= remaining else { throw Self.truncated() }
        defer { offset &+= count }
        return UnsafeRawBufferPointer(start: bytes.baseAddress.map { $0 + offset }, count: count)
    }

    /// Binary Data §1.5.6, and strings before their text is looked at.
    @inline(__always)
    mutating func binary() throws(MQTTError) -> UnsafeRawBufferPointer {
        let count = try twoByteInteger()
        return try block(Int(count))
    }

    /// A UTF-8 Encoded String §1.5.4, checked.
    mutating func string() throws(MQTTError) -> UnsafeRawBufferPointer {
        let text = try binary()
        guard isWellFormedUTF8(text) else {
            throw .malformed("[MQTT-1.5.4-1] a string that is not UTF-8, or holds U+0000")
        }
        return text
    }

    /// A Property Length and the properties behind it.
    @inline(__always)
    mutating func properties() throws(MQTTError) -> UnsafeRawBufferPointer {
        let count = try variableByteInteger()
        return try block(count)
    }

    @inline(__always)
    mutating func rest() -> UnsafeRawBufferPointer {
        defer { offset = bytes.count }
        return UnsafeRawBufferPointer(start: bytes.baseAddress.map { $0 + offset }, count: bytes.count - offset)
    }

    @inline(__always)
    func expectEnd() throws(MQTTError) {
        guard isAtEnd else { throw .malformed("bytes behind the packet's last field") }
    }

    /// A Packet Identifier [MQTT-2.2.1-3].
    @inline(__always)
    mutating func packetIdentifier() throws(MQTTError) -> UInt16 {
        let identifier = try twoByteInteger()
        guard identifier != 0 else { throw .violation("[MQTT-2.2.1-3] Packet Identifier 0") }
        return identifier
    }
}

extension Array where Element == UInt8 {
    init(_ bytes: UnsafeRawBufferPointer) {
        self.init(unsafeUninitializedCapacity: bytes.count) { target, count in
            if bytes.count > 0 { UnsafeMutableRawBufferPointer(target).copyMemory(from: bytes) }
            count = bytes.count
        }
    }
}

extension String {
    init(utf8 bytes: UnsafeRawBufferPointer) { self.init(decoding: bytes, as: UTF8.self) }
}
