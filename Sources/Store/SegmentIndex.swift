/// What a segment keeps of each packet beside its bytes: two varints, the steps of the lane sequence and of the time of
/// receipt (store time, milliseconds, zigzag) from the packet before.
///
/// Lane sequences let a session merge its streams in the order in which messages came; times give ages and dates.
public struct SegmentIndex: Sendable {
    public private(set) var bytes: [UInt8] = []
    private var lastSequence: UInt64 = 0
    private var lastTime: Int64 = 0

    public init() {}

    public mutating func append(laneSequence: UInt64, receivedAt: Int64) {
        Self.appendVarint(laneSequence &- lastSequence, to: &bytes)
        let step = receivedAt &- lastTime
        Self.appendVarint(UInt64(bitPattern: (step << 1) ^ (step >> 63)), to: &bytes)
        lastSequence = laneSequence
        lastTime = receivedAt
    }

    /// Reads the entries in order; nil at the end or where the bytes make no sense.
    public struct Reader {
        private let bytes: [UInt8]
        private var offset = 0
        private var sequence: UInt64 = 0
        private var time: Int64 = 0

        public init(_ bytes: [UInt8]) { self.bytes = bytes }

        public mutating func next() -> (laneSequence: UInt64, receivedAt: Int64)? {
            guard let step = varint(), let zigzag = varint() else { return nil }
            sequence &+= step
            time &+= Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1)
            return (sequence, time)
        }

        private mutating func varint() -> UInt64? {
            var value: UInt64 = 0
            var shift: UInt64 = 0
            while offset < bytes.count, shift < 64 {
                let byte = bytes[offset]
                offset += 1
                value |= UInt64(byte & 0x7F) << shift
                if byte < 0x80 { return value }
                shift += 7
            }
            return nil
        }
    }

    private static func appendVarint(_ value: UInt64, to bytes: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
