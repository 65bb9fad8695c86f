/// How segments leave: passed by all, evicted, expired.
extension Database {
    /// Deletes a stream's segments in a range of keys and keeps its counters in step.
    func removeSegments(of stream: Int64, keys: ClosedRange<Int64>) throws(SQLiteError) {
        let rows = try headers(in: keys)
        guard let first = rows.first, let last = rows.last else { return }
        try delete(rows, of: stream, keys: first.key...last.key)
    }

    func delete(_ rows: [SegmentRow], of stream: Int64, keys: ClosedRange<Int64>) throws(SQLiteError) {
        guard let statements else { return }
        statements.deleteSegments.bind(1, keys.lowerBound)
        statements.deleteSegments.bind(2, keys.upperBound)
        try statements.deleteSegments.run()
        for row in rows { counters[stream]?.remove(row) }
        if !rows.isEmpty { touched.insert(stream) }
        if let last = counters[stream]?.lastKey, keys.contains(last) {
            counters[stream]?.lastKey = try header(below: last, of: stream)?.key
        }
    }

    /// Notes that every destination has passed the numbers below; for a route that is the cursor. What lies wholly below is
    /// deleted by `sweep`.
    func trim(_ stream: Int64, below: UInt64) {
        guard let counter = counters[stream], below > counter.trimmedBelow else { return }
        counters[stream]?.trimmedBelow = below
        touched.insert(stream)
        if counter.messages > 0 { unswept.insert(stream) }
    }

    /// Deletes what lies wholly in one of the ranges (ascending): numbers that were passed out of their order.
    func removePassed(_ stream: Int64, _ ranges: [ClosedRange<UInt64>]) throws(SQLiteError) {
        guard let first = ranges.first, let last = ranges.last, (counters[stream]?.messages ?? 0) > 0 else { return }
        guard ranges.count <= Self.singleRanges else {
            // So many that one look at all segments is less work.
            let rows = try headers(
                in: SegmentRow.key(stream, first.lowerBound)...SegmentRow.key(stream, last.upperBound))
            let passed = IntervalSet(ranges)
            for row in rows where passed.end(containing: row.first).map({ $0 >= row.last }) ?? false {
                try delete([row], of: stream, keys: row.key...row.key)
            }
            return
        }
        for range in ranges {
            var rows = try headers(
                in: SegmentRow.key(stream, range.lowerBound)...SegmentRow.key(stream, range.upperBound))
            if let last = rows.last, last.last > range.upperBound { rows.removeLast() }
            guard let first = rows.first, let last = rows.last else { continue }
            try delete(rows, of: stream, keys: first.key...last.key)
        }
    }

    private static let singleRanges = 64

    /// The stream and its members' positions go; its segments, and then its row, in steps.
    func removeStream(_ stream: Int64) throws(SQLiteError) {
        guard let statements else { return }
        try statements.tables.removePositions(of: stream)
        guard counters[stream] != nil else { return try statements.tables.removeStream(stream) }
        counters[stream]?.trimmedBelow = SegmentCounters.removed
        touched.insert(stream)
        unswept.insert(stream)
    }

    /// Removes segments that their destinations still wanted: with the gap that this makes in a route's numbers.
    ///
    /// - Parameter rows: of one stream, ascending.
    func lose(_ rows: [SegmentRow], because reason: Removal.Reason) throws(SQLiteError) -> [Removal] {
        for row in rows { try delete([row], of: row.stream, keys: row.key...row.key) }
        var removals: [Removal] = []
        for row in rows { join(row, because: reason, to: &removals) }
        try writeGaps(removals)
        return removals
    }

    func writeGaps(_ removals: [Removal]) throws(SQLiteError) {
        for removal in removals {
            guard let record = counters[removal.stream.rawValue]?.record, let gap = GapRecord(removal, in: record)
            else { continue }
            try write(.gap, key: gap.key, value: gap.value)
        }
    }

    /// Adds what is lost with a row: what its destinations have passed isn't. Neighbours make one removal: numbers that follow
    /// each other, of one stream.
    func join(_ row: SegmentRow, because reason: Removal.Reason, to removals: inout [Removal]) {
        let first = max(row.first, counters[row.stream]?.trimmedBelow ?? 0)
        guard first <= row.last else { return }
        if let before = removals.last, before.stream.rawValue == row.stream, before.last + 1 == first {
            removals[removals.count - 1].last = row.last
            removals[removals.count - 1].bytes += row.raw
            removals[removals.count - 1].to = row.receivedAt
            return
        }
        removals.append(
            Removal(
                stream: StreamID(rawValue: row.stream), first: first, last: row.last, bytes: row.raw,
                reason: reason, from: row.receivedAt, to: row.receivedAt))
    }

    func headers(in keys: ClosedRange<Int64>, limit: Int = .max) throws(SQLiteError) -> [SegmentRow] {
        guard let statements else { return [] }
        statements.headers.bind(1, keys.lowerBound)
        statements.headers.bind(2, keys.upperBound)
        defer { statements.headers.reset() }
        var rows: [SegmentRow] = []
        while rows.count < limit, try statements.headers.step() { rows.append(SegmentRow(statements.headers)) }
        return rows
    }

    /// The last of a stream's segments that begins at or below a key.
    func header(below key: Int64, of stream: Int64) throws(SQLiteError) -> SegmentRow? {
        guard let statements else { return nil }
        statements.headerBelow.bind(1, SegmentRow.key(stream, 0))
        statements.headerBelow.bind(2, key)
        defer { statements.headerBelow.reset() }
        return try statements.headerBelow.step() ? SegmentRow(statements.headerBelow) : nil
    }
}

extension SegmentRow {
    /// From a row that begins with key, count, raw, received.
    init(_ statement: borrowing Statement) {
        self.init(
            key: statement.integer(0), count: statement.int(1), raw: statement.int(2),
            receivedAt: statement.integer(3))
    }
}
