/// A row of the segment table: key arithmetic and what protects its contents.
struct SegmentRow {
    var key: Int64
    var count: Int
    /// Bytes of packets before compression.
    var raw: Int
    var receivedAt: Int64

    var stream: Int64 { key >> Schema.numberBits }
    var first: UInt64 { UInt64(key & Self.numberMask) }
    var last: UInt64 { first + UInt64(max(count, 1)) - 1 }

    static let numberMask: Int64 = 1 << Schema.numberBits - 1
    /// What `segment.format` says of packets kept as an LZ4 frame, the only form so far.
    static let lz4Frame: Int64 = 2
    /// The same of schema 1, whose `expiry` is when the first of the messages inside expires.
    static let lz4FrameOfSchema1: Int64 = 1

    static func key(_ stream: Int64, _ number: UInt64) -> Int64 {
        stream << Schema.numberBits | Int64(clamping: min(number, UInt64(numberMask)))
    }

    /// The keys that a stream's segments may have.
    static func keys(of stream: Int64) -> ClosedRange<Int64> { key(stream, 0)...key(stream, .max) }

    /// The CRC-32C that `segment.idx` ends with, little endian.
    func checksum(expiry: Int64, index: some Sequence<UInt8>) -> UInt32 {
        var crc = CRC32C()
        for value in [key, Int64(count), Int64(raw), receivedAt, expiry] { crc.add(value) }
        crc.add(index)
        return crc.value
    }

    /// `index` with its checksum behind.
    func seal(_ index: [UInt8], expiry: Int64) -> [UInt8] {
        let crc = checksum(expiry: expiry, index: index)
        return index + (0..<4).map { UInt8(truncatingIfNeeded: crc >> (8 * $0)) }
    }

    /// The index without its checksum; nil where that is wrong.
    func unseal(_ sealed: [UInt8], expiry: Int64) -> [UInt8]? {
        guard sealed.count >= 4 else { return nil }
        let found = sealed.suffix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        guard checksum(expiry: expiry, index: sealed.dropLast(4)) == found else { return nil }
        return Array(sealed.dropLast(4))
    }
}
