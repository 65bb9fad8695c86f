extension Database {
    /// Segments that one call to `expire` removes at most, so that commits don't wait long; the rest goes with the next.
    static let expireLimit = 4096

    /// Removes segments all of whose messages are older than their stream's TTL at `now` (store time, milliseconds), each
    /// stream's oldest first. Single messages' own expiry is their reader's to see.
    public func expire(now: Int64) throws(StoreError) -> [Removal] {
        var due: [[SegmentRow]] = []
        do throws(SQLiteError) {
            if countersStale { try countAll() }
            var room = Self.expireLimit
            for stream in counters.keys.sorted() where room > 0 {
                let rows = try expired(of: stream, now: now, limit: room)
                room -= rows.count
                if !rows.isEmpty { due.append(rows) }
            }
        } catch { throw Self.storeError(error, path: filePath) }
        // Nothing to do is the usual case, and costs no transaction.
        guard !due.isEmpty else { return [] }
        let removals = try transaction { () throws(SQLiteError) in
            var removals: [Removal] = []
            for rows in due { removals += try lose(rows, because: .expired) }
            try writeCounters(all: false)
            return removals
        }
        usedBytes = try used()
        return removals
    }

    private func expired(of stream: Int64, now: Int64, limit: Int) throws(SQLiteError) -> [SegmentRow] {
        guard let counter = counters[stream], counter.messages > 0, let ttl = counter.record?.ttl,
            let oldest = try oldest(of: stream)
        else { return [] }
        let (horizon, passed) = now.subtractingReportingOverflow(ttl)
        guard !passed, oldest.receivedAt < horizon else { return [] }
        var rows: [SegmentRow] = []
        for row in try headers(in: SegmentRow.keys(of: stream), limit: limit) {
            guard row.receivedAt < horizon, try lastReceipt(of: row) < horizon else { break }
            rows.append(row)
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
        while let entry = reader.next() { last = entry.receivedAt }
        return last
    }
}
