/// Deleting what every destination has passed, in steps: a gigabyte at once would keep commits waiting for seconds, since
/// SQLite reads each page that it gives back.
extension Database {
    /// What one transaction deletes at most, beside its own work. A step of this size takes about as long as a commit.
    static let sweepRows = 256
    static let sweepBytes = 256 << 10

    /// Segments wait to be deleted.
    var hasPassedSegments: Bool { !unswept.isEmpty }

    /// Deletes the next step in a transaction of its own; whether there is more.
    func sweep() throws(StoreError) -> Bool {
        guard !isReadOnly else { return false }
        try checkpointIfDue()
        try transaction { () throws(SQLiteError) in
            try sweepStep()
            try writeCounters(all: false)
        }
        usedBytes = try used()
        return hasPassedSegments
    }

    /// Deletes passed segments, of as many streams as it takes.
    func sweepStep(
        rows maximumRows: Int = Database.sweepRows, bytes maximumBytes: Int = Database.sweepBytes
    ) throws(SQLiteError) {
        var rows = maximumRows
        var bytes = maximumBytes
        while rows > 0, bytes > 0, let stream = unswept.min() { try sweep(stream, &rows, &bytes) }
    }

    private func sweep(_ stream: Int64, _ rows: inout Int, _ bytes: inout Int) throws(SQLiteError) {
        guard let counter = counters[stream] else {
            unswept.remove(stream)
            return
        }
        let passed = try passedSegments(of: stream, below: counter.trimmedBelow, rows: &rows, bytes: &bytes)
        if let first = passed.rows.first, let last = passed.rows.last {
            try delete(passed.rows, of: stream, keys: first.key...last.key)
        }
        guard passed.isComplete else { return }
        unswept.remove(stream)
        guard counter.isRemoved else { return }
        try statements?.tables.removeStream(stream)
        counters[stream] = nil
        if let record = counter.record { routeBudgets.forget(record) }
    }

    /// A stream's first segments that lie wholly below a number, and whether these are all.
    private func passedSegments(
        of stream: Int64, below: UInt64, rows: inout Int, bytes: inout Int
    ) throws(SQLiteError) -> (rows: [SegmentRow], isComplete: Bool) {
        guard let statements else { return ([], true) }
        let keys = SegmentRow.keys(of: stream)
        statements.headers.bind(1, keys.lowerBound)
        statements.headers.bind(2, min(SegmentRow.key(stream, max(below, 1) - 1), keys.upperBound))
        defer { statements.headers.reset() }
        var found: [SegmentRow] = []
        while try statements.headers.step() {
            let row = SegmentRow(statements.headers)
            guard row.last < below else { break }
            guard rows > 0, bytes > 0 else { return (found, false) }
            found.append(row)
            rows -= 1
            bytes -= row.raw
        }
        return (found, true)
    }
}
