/// Segments that left the log before their destinations had them.
public struct Removal: Sendable, Equatable {
    public enum Reason: String, Sendable { case evicted, expired, corrupt, unstored }

    public var stream: StreamID
    public var first: UInt64
    public var last: UInt64
    public var bytes: Int
    public var reason: Reason
    /// Store time of receipt of the first segment's first message, and of the last segment's.
    public var from: Int64
    public var to: Int64

    public init(
        stream: StreamID, first: UInt64, last: UInt64, bytes: Int, reason: Reason, from: Int64, to: Int64
    ) {
        self.stream = stream
        self.first = first
        self.last = last
        self.bytes = bytes
        self.reason = reason
        self.from = from
        self.to = to
    }
}

/// A segment read back.
public struct StoredSegment: Sendable {
    public var stream: StreamID
    public var first: UInt64
    public var count: Int
    public var packets: [UInt8]
    public var index: [UInt8]
    public var receivedAt: Int64

    public init(
        stream: StreamID, first: UInt64, count: Int, packets: [UInt8], index: [UInt8], receivedAt: Int64
    ) {
        self.stream = stream
        self.first = first
        self.count = count
        self.packets = packets
        self.index = index
        self.receivedAt = receivedAt
    }
}

/// What the loop asks of the writer.
public enum StoreJob: Sendable {
    case commit(CommitGroup)
    /// Segments of a stream from the one that holds `from` (or, if none does, the first above), until `maximumBytes` of
    /// packets are read, at least one. `tag` comes back with the answer.
    case read(tag: UInt64, stream: StreamID, from: UInt64, maximumBytes: Int)
    /// Removes segments all of whose messages are older than their stream's TTL at `now` (store time).
    case expire(now: Int64)
    /// Gives back the commits that a failing disk has not taken; all is well, none.
    case withdraw
    /// Commits what is pending, checkpoints the WAL and closes.
    case close
}

/// What the writer answers, in order.
public enum StoreReport: Sendable {
    /// `usedBytes` counts used pages and the WAL. `removed` went in the same transaction, to keep the budget.
    case committed(number: UInt64, usedBytes: Int, removed: [Removal])
    case read(tag: UInt64, segments: [StoredSegment], removed: [Removal])
    case expired([Removal], usedBytes: Int)
    /// A write or sync failed. Nothing pending counts as kept; the writer reopens the database and writes it again until
    /// it succeeds, then reports `recovered` and the commit.
    case failing(StoreError)
    case recovered
    /// These will not be written unless they are submitted again. Nothing that was submitted later was tried before.
    case withdrawn([CommitGroup])
    /// The database was damaged: what is readable was saved into a new one, with which the writer goes on.
    case salvaged(SalvageReport)
    case closed
}

/// The writer as the loop sees it: a thread in the daemon, a step of the schedule in tests and simulation. Reports go to
/// the handler given at its start, on the loop.
public protocol StoreEngine: AnyObject {
    func submit(_ job: StoreJob)
}

/// What went wrong with the store, with what a person needs to act.
public enum StoreError: Error, Equatable, Sendable {
    /// Another process has the data directory.
    case locked(path: String)
    case notWritable(path: String, errno: Int32)
    case notADatabase(path: String)
    /// Written by a newer Roost.
    case newerSchema(path: String, found: Int, known: Int)
    case corrupt(path: String, detail: String)
    case full(path: String)
    case failed(path: String, code: Int32, detail: String)
}
