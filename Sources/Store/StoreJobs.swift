/// What waits for the writer, and what it does next: reads first, since they cost no sync and somebody's link waits for them;
/// then all commits that wait, as one transaction; then expiry; a close; and what is to be swept when there is nothing else.
struct StoreJobs {
    struct Read {
        var tag: UInt64
        var stream: StreamID
        var from: UInt64
        var maximumBytes: Int
    }

    enum Work {
        case read(Read)
        case commit([CommitGroup])
        case expire(now: Int64)
        /// Nothing else is to be done, and passed segments wait to be deleted.
        case sweep
        case close
    }

    /// Bytes of packets beyond which a transaction takes no further group: the WAL grows by as much at once, and on a full disk
    /// the ballast must hold what moves from it to the database.
    static let mergeBytes = 1 << 20

    private var reads: [Read] = []
    private var commits: [CommitGroup] = []
    private var expiry: Int64?
    private var closing = false

    /// Nothing is to be done that somebody waits for.
    var isEmpty: Bool { reads.isEmpty && commits.isEmpty && expiry == nil && !closing }
    var isClosing: Bool { closing }

    mutating func submit(_ job: StoreJob) {
        switch job {
        case .commit(let group): commits.append(group)
        case .read(let tag, let stream, let from, let maximumBytes):
            reads.append(Read(tag: tag, stream: stream, from: from, maximumBytes: maximumBytes))
        case .expire(let now): expiry = max(now, expiry ?? now)
        case .close: closing = true
        }
    }

    /// - Parameters:
    ///   - readsOnly: everything else is kept for later.
    ///   - sweeps: there is something to sweep.
    mutating func next(readsOnly: Bool = false, sweeps: Bool = false) -> Work? {
        if !reads.isEmpty { return .read(reads.removeFirst()) }
        if readsOnly { return nil }
        if !commits.isEmpty { return .commit(takeCommits()) }
        if let now = expiry {
            expiry = nil
            return .expire(now: now)
        }
        guard closing else { return sweeps ? .sweep : nil }
        closing = false
        return .close
    }

    /// The commits at the head that make one transaction.
    mutating func takeCommits() -> [CommitGroup] {
        let taken = Array(commits[..<Self.merge(commits)])
        commits.removeFirst(taken.count)
        return taken
    }

    mutating func takeAllCommits() -> [CommitGroup] {
        defer { commits = [] }
        return commits
    }

    /// How many of these make one transaction: at least one where there is one.
    static func merge(_ groups: [CommitGroup]) -> Int {
        var bytes = 0
        for (index, group) in groups.enumerated() {
            if bytes >= mergeBytes { return index }
            bytes += group.packetBytes
        }
        return groups.count
    }
}
