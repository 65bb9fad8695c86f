/// Reads MQTT's data types (MQTT 5 §1.5) off a buffer, front to back, and never beyond it.
struct ByteReader {
    let bytes: UnsafeRawBufferPointer
    private(set) var offset = 0

    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    @inline(__always) var remaining: Int { bytes.count - offset }
    @inline(__always) var isAtEnd: Bool { offset == bytes.count }

    @inline(never)
    private static func truncated() -> MQTTError { .malformed("the packet ends inside a field") }

    @inline(__always)
    mutating func byte() throws(MQTTError) -> UInt8 {
        guard remaining >= 1 else { throw Self.truncated() }
        defer { offset += 1 }
        return bytes[offset]
    }

    @inline(__always)
    mutating func twoByteInteger() throws(MQTTError) -> UInt16 {
        guard remaining >= 2 else { throw Self.truncated() }
        defer { offset += 2 }
        return UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    @inline(__always)
    mutating func fourByteInteger() throws(MQTTError) -> UInt32 {
        guard remaining >= 4 else { throw Self.truncated() }
        defer { offset += 4 }
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
        return try longVariableByteInteger()
    }

    @inline(never)
    private mutating func longVariableByteInteger() throws(MQTTError) -> Int {
        var value = 0
        var shift = 0
        while shift < 28 {
            let next = try byte()
            value |= Int(next & 0x7F) << shift
            if next < 0x80 {
                guard next != 0 || shift == 0 else {
                    throw .malformed("[MQTT-1.5.5-1] a Variable Byte Integer longer than it need be")
                }
                return value
            }
            shift += 7
        }
        throw .malformed("[MQTT-1.5.5] a Variable Byte Integer of more than four bytes")
    }

    @inline(__always)
    mutating func block(_ count: Int) throws(MQTTError) -> UnsafeRawBufferPointer {
        guard count <= remaining else { throw Self.truncated() }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
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
        return UnsafeRawBufferPointer(rebasing: bytes[offset...])
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
