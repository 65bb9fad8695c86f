/// CRC-32C (Castagnoli, reflected 0x82F63B78), over a segment's numbers and index: a few bytes a message.
struct CRC32C {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 0 ? value >> 1 : value >> 1 ^ 0x82F6_3B78 }
    }

    private var register: UInt32 = .max

    var value: UInt32 { ~register }

    mutating func add(_ bytes: some Sequence<UInt8>) {
        let table = Self.table
        for byte in bytes {
            register = table[Int(UInt8(truncatingIfNeeded: register) ^ byte)] ^ register >> 8
        }
    }

    mutating func add(_ value: Int64) {
        withUnsafeBytes(of: value.littleEndian) { add($0) }
    }
}
