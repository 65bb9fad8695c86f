import CSQLite

extension Database {
    /// One transaction with all of a group; see `commit(_: [CommitGroup])`.
    public func commit(_ group: CommitGroup) throws(StoreError) -> (usedBytes: Int, removed: [Removal]) {
        try commit([group])
    }

    /// One transaction with all groups, in order: their segments, neighbours of one stream as one, then their changes. On return it is on the disk (with
    /// `strict` durability), and within the budget if `whenFull` is `.evict`; what went for that is returned.
    ///
    /// A segment whose numbers are there already takes the place of what is there: who isn't sure whether a commit was made
    /// makes it again.
    public func commit(_ groups: [CommitGroup]) throws(StoreError) -> (usedBytes: Int, removed: [Removal]) {
        try checkpointIfDue()
        let result = try transaction { () throws(SQLiteError) in
            for segment in SegmentMerging.merge(groups) { try insert(segment) }
            for group in groups { for change in group.changes { try apply(change) } }
            if hasPassedSegments { try sweepStep() }
            let removed = options.whenFull == .evict ? try enforceBudgets() : []
            try writeCounters(all: uncounted >= Self.countInterval)
            usedBytes = try estimatedPages()
            return removed
        } then: { removed in
            usedBytes += walBytes + ballastBytes + evidenceBytes
            return (usedBytes, removed)
        }
        try expectInPlace()
        return result
    }

    /// Segments that may be added before all counters are written: opening counts at most these.
    static let countInterval = 1024

    func transaction<Result>(_ body: () throws(SQLiteError) -> Result) throws(StoreError) -> Result {
        try transaction(body) { $0 }
    }

    /// - Parameter then: runs after the commit.
    private func transaction<Middle, Result>(
        _ body: () throws(SQLiteError) -> Middle, then: (Middle) -> Result
    ) throws(StoreError) -> Result {
        guard let statements, !isReadOnly else {
            throw .failed(path: filePath, code: SQLITE_MISUSE, detail: "closed, or open for reading only")
        }
        do throws(SQLiteError) {
            if countersStale { try countAll() }
            try statements.begin.run()
            let middle = try body()
            try statements.commit.run()
            noteCommit()
            return then(middle)
        } catch {
            if connection.isInTransaction { try? statements.rollback.run() }
            countersStale = true
            pages = PageEstimate(counted: .max / 2)
            throw Self.storeError(error, path: filePath)
        }
    }

    private func insert(_ segment: SegmentWrite) throws(SQLiteError) {
        guard let statements else { return }
        let stream = segment.stream.rawValue
        let row = SegmentRow(
            key: SegmentRow.key(stream, segment.first), count: segment.count, raw: segment.packets.count,
            receivedAt: segment.receivedAt)
        if let last = counters[stream]?.lastKey, last >= row.key {
            try removeSegments(of: stream, keys: row.key...last)
        }
        try compressor.withFrame(of: segment.packets.span.bytes, level: options.compression) {
            (frame) throws(SQLiteError) in
            statements.insertSegment.bind(1, row.key)
            statements.insertSegment.bind(2, row.count)
            statements.insertSegment.bind(3, row.raw)
            statements.insertSegment.bind(4, row.receivedAt)
            statements.insertSegment.bind(5, segment.expiry)
            statements.insertSegment.bind(6, SegmentRow.lz4Frame)
            statements.insertSegment.bind(7, row.seal(segment.index, expiry: segment.expiry))
            statements.insertSegment.bind(8, unowned: frame)
            try statements.insertSegment.run()
        }
        counters[stream, default: SegmentCounters()].add(row)
        routeBudgets.grew(counters[stream]?.record)
        uncounted += 1
    }

    /// Writes the rows of streams that lost something; of all that gained too, when it is time.
    func writeCounters(all: Bool) throws(SQLiteError) {
        guard let statements else { return }
        var changed = touched
        if all { changed.formUnion(counters.lazy.filter(\.value.grown).map(\.key)) }
        touched = []
        for stream in changed.sorted() {
            guard let counter = counters[stream] else { continue }
            statements.updateCounters.bind(1, counter.trimmedBelow)
            statements.updateCounters.bind(2, counter.lastKey ?? SegmentRow.key(stream, 0))
            statements.updateCounters.bind(3, counter.messages)
            statements.updateCounters.bind(4, counter.bytes)
            statements.updateCounters.bind(5, stream)
            try statements.updateCounters.run()
            counters[stream]?.grown = false
        }
        if all { uncounted = 0 }
    }
}
