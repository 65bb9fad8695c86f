/// What the writer knows of one stream's segments without looking: kept in step with the table, transaction by transaction.
struct SegmentCounters {
    /// nil until the stream's record came.
    var record: StreamRecord?
    /// Every destination has passed the numbers below.
    var trimmedBelow: UInt64 = 0
    var messages = 0
    /// Of packets, before compression.
    var bytes = 0
    /// The last segment on disk.
    var lastKey: Int64?
    /// The highest number that was ever seen on disk.
    var lastNumber: UInt64 = 0
    /// The first segment on disk, where it is known: eviction compares these.
    var oldest: SegmentRow?
    /// Segments were added since the row was written.
    var grown = false

    /// The stream is gone, save for what is left of its segments.
    var isRemoved: Bool { trimmedBelow >= Self.removed }
    static let removed = UInt64(Int64.max)

    mutating func add(_ row: SegmentRow) {
        if messages == 0 { oldest = row }
        messages += row.count
        bytes += row.raw
        lastKey = row.key
        lastNumber = max(lastNumber, row.last)
        grown = true
    }

    mutating func remove(_ row: SegmentRow) {
        messages -= row.count
        bytes -= row.raw
        oldest = nil
    }
}
