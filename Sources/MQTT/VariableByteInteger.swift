/// Variable Byte Integers, MQTT 5 §1.5.5: one to four bytes, seven bits each, least significant first.
public enum VariableByteInteger {
    /// 268,435,455; as a Remaining Length the largest packet is this and five bytes more.
    public static let maximum = 0x0FFF_FFFF

    /// How many bytes `value` takes, 1 to 4.
    @inlinable
    public static func encodedLength(_ value: Int) -> Int {
        value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : 4
    }

    /// Writes `value` (0 to `maximum`) and returns how many bytes it took.
    @inlinable
    public static func encode(_ value: Int, into memory: UnsafeMutableRawPointer) -> Int {
        var rest = value
        var count = 0
        while rest >= 0x80 {
            memory.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: count, as: UInt8.self)
            rest >>= 7
            count += 1
        }
        memory.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: count, as: UInt8.self)
        return count + 1
    }
}
