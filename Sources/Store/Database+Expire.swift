extension Database {
    /// Segments that one call to `expire` removes at most, so that commits don't wait long; the rest goes with the next.
    static let expireLimit = 1024

    /// Removes segments all of whose messages have expired at `now` (store time, milliseconds): by their stream's TTL, each
    /// stream's oldest first, or by their own Message Expiry Intervals. One expired message among others is its reader's to
    /// see.
    ///
    /// Reads what is due and no more: the oldest segment of each stream is known, and there is an index of the others' expiry.
    public func expire(now: Int64) throws(StoreError) -> [Removal] {
        var due: [Int64: [SegmentRow]] = [:]
        do throws(SQLiteError) {
            if countersStale { try countAll() }
            var room = Self.expireLimit
            for stream in counters.keys.sorted() where room > 0 {
                let rows = try tooOld(of: stream, now: now, limit: room)
                room -= rows.count
                if !rows.isEmpty { due[stream] = rows }
            }
            for row in try expired(at: now, limit: room)
            where !(due[row.stream]?.contains { $0.key == row.key } ?? false) {
                due[row.stream, default: []].append(row)
            }
        } catch { throw Self.storeError(error, path: filePath) }
        // Nothing to do is the usual case, and costs no transaction.
        guard !due.isEmpty else { return [] }
        let removals = try transaction { () throws(SQLiteError) in
            var removals: [Removal] = []
            for (_, rows) in due.sorted(by: { $0.key < $1.key }) {
                removals += try lose(rows.sorted { $0.key < $1.key }, because: .expired)
            }
            try writeCounters(all: false)
            return removals
        }
        usedBytes = try used()
        return removals
    }

    /// A stream's segments that are older than its TTL throughout: from the oldest on, to the first that isn't.
    private func tooOld(of stream: Int64, now: Int64, limit: Int) throws(SQLiteError) -> [SegmentRow] {
        guard let counter = counters[stream], counter.messages > 0, let ttl = counter.record?.ttl,
            let oldest = try oldest(of: stream), let statements
        else { return [] }
        let (horizon, passed) = now.subtractingReportingOverflow(ttl)
        guard !passed, oldest.receivedAt < horizon else { return [] }
        let keys = SegmentRow.keys(of: stream)
        statements.headers.bind(1, keys.lowerBound)
        statements.headers.bind(2, keys.upperBound)
        defer { statements.headers.reset() }
        var rows: [SegmentRow] = []
        while rows.count < limit, try statements.headers.step() {
            let row = SegmentRow(statements.headers)
            guard row.receivedAt < horizon, try lastReceipt(of: row) < horizon else { break }
            rows.append(row)
        }
        return rows
    }

    private func expired(at now: Int64, limit: Int) throws(SQLiteError) -> [SegmentRow] {
        guard let statements else { return [] }
        statements.expiredSegments.bind(1, now)
        defer { statements.expiredSegments.reset() }
        var rows: [SegmentRow] = []
        while rows.count < limit, try statements.expiredSegments.step() {
            let row = SegmentRow(statements.expiredSegments)
            if counters[row.stream] != nil { rows.append(row) }
        }
        return rows
    }

    /// Store time of receipt of a segment's last message.
    private func lastReceipt(of row: SegmentRow) throws(SQLiteError) -> Int64 {
        guard let statements else { return .max }
        statements.index.bind(1, row.key)
        defer { statements.index.reset() }
        guard try statements.index.step() else { return .max }
        var reader = SegmentIndex.Reader(Array(statements.index.bytes(0).dropLast(4)))
        var last = row.receivedAt
        for _ in 0..<row.count {
            guard let entry = reader.next() else { break }
            last = entry.receivedAt
        }
        return last
    }
}
