/// Where a number counts: a route counts its own messages in each lane of each run from 1.
public struct Numbering: Hashable, Sendable {
    /// `RunRecord.ordinal`.
    public let run: Int64
    public let epoch: UInt64
    public let lane: UInt16

    public init(run: Int64, epoch: UInt64, lane: UInt16) {
        self.run = run
        self.epoch = epoch
        self.lane = lane
    }
}
