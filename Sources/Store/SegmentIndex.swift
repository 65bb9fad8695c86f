/// What a segment keeps of each packet beside its bytes: two varints, the steps of the lane sequence and of the time of
/// receipt (store time, milliseconds, zigzag) from the packet before.
///
/// A segment of a mixed stream has `SegmentSets` behind them. Lane sequences let a session merge its streams in the order in which messages came; times give ages and dates.
public struct SegmentIndex: Sendable {
    public private(set) var bytes: [UInt8] = []
    private var lastSequence: UInt64 = 0
    private var lastTime: Int64 = 0

    public init() {}

    /// With room for so many packets that came close together.
    init(room count: Int) { bytes.reserveCapacity(2 * count + 32) }

    public mutating func append(laneSequence: UInt64, receivedAt: Int64) {
        Varint.append(laneSequence &- lastSequence, to: &bytes)
        Varint.append(Varint.zigzag(receivedAt &- lastTime), to: &bytes)
        lastSequence = laneSequence
        lastTime = receivedAt
    }

    /// Reads the entries in order; nil at the end or where the bytes make no sense.
    public struct Reader {
        private var steps: Varint.Reader
        private var sequence: UInt64 = 0
        private var time: Int64 = 0

        public init(_ bytes: [UInt8]) { steps = Varint.Reader(bytes) }

        /// What follows the entries that were read: in a mixed stream its `SegmentSets`.
        var rest: Varint.Reader { steps }

        public mutating func next() -> (laneSequence: UInt64, receivedAt: Int64)? {
            guard let step = steps.next(), let zigzag = steps.next() else { return nil }
            sequence &+= step
            time &+= Varint.unzigzag(zigzag)
            return (sequence, time)
        }
    }
}
