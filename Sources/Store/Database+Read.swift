import CSQLite

extension Database {
    /// Segments of a stream from the one that holds `from` (or, if none does, the first above), until `maximumBytes` of
    /// packets are read; at least one where there is one.
    ///
    /// A segment that doesn't verify is left out, moved to the quarantine table and reported.
    ///
    /// - Parameter skipsDamage: reads on behind pages that SQLite can't read, and reports the stretch; else throws `corrupt`,
    ///   since a salvage may find more than is told by what is missing.
    public func read(
        stream: StreamID, from: UInt64, maximumBytes: Int, skipsDamage: Bool = true
    ) throws(StoreError) -> (segments: [StoredSegment], removed: [Removal]) {
        var found = Found()
        do throws(SQLiteError) {
            try read(
                stream.rawValue, from: from, maximumBytes: maximumBytes, skipsDamage: skipsDamage, into: &found)
        } catch { throw Self.storeError(error, path: filePath) }
        guard !found.corrupt.isEmpty, !isReadOnly else { return (found.segments, found.unreadable) }
        // A disk that can't take the move now must not keep the good segments from their reader: it is made at the next read.
        let moved =
            (try? quarantine(found.corrupt))
            ?? found.corrupt.reduce(into: []) {
                join($1, because: .corrupt, to: &$0)
            }
        return (found.segments, moved + found.unreadable)
    }

    private struct Found {
        var segments: [StoredSegment] = []
        var corrupt: [SegmentRow] = []
        /// Stretches whose pages SQLite itself can't make sense of.
        var unreadable: [Removal] = []
        var bytes = 0
    }

    private func read(
        _ stream: Int64, from: UInt64, maximumBytes: Int, skipsDamage: Bool, into found: inout Found
    ) throws(SQLiteError) {
        let end = SegmentRow.keys(of: stream).upperBound
        var next = SegmentRow.key(stream, from)
        do throws(SQLiteError) {
            if let before = try header(below: next, of: stream), before.last >= from { next = before.key }
        } catch { if !skipsDamage { throw error } }
        while next <= end {
            do throws(SQLiteError) {
                return try readOn(&next, end: end, maximumBytes: maximumBytes, into: &found)
            } catch {
                guard error.primaryCode == SQLITE_CORRUPT, skipsDamage else { throw error }
                if let row = try? headers(in: next...end, limit: 1).first {
                    found.corrupt.append(row)
                    next = row.key + 1
                    continue
                }
                guard let row = readable(above: next, end: end) else { return }
                found.unreadable.append(Self.unreadable(next, row))
                next = row.key
            }
        }
    }

    private func readOn(
        _ next: inout Int64, end: Int64, maximumBytes: Int, into found: inout Found
    ) throws(SQLiteError) {
        guard let statements else { return }
        statements.segments.bind(1, next)
        statements.segments.bind(2, end)
        defer { statements.segments.reset() }
        while found.bytes < maximumBytes || found.segments.isEmpty, try statements.segments.step() {
            let row = SegmentRow(statements.segments)
            next = row.key + 1
            guard case .success(let segment) = verify(row, statements.segments) else {
                found.corrupt.append(row)
                continue
            }
            found.segments.append(segment)
            found.bytes += segment.packets.count
        }
    }

    /// The first segment behind a damaged page: further and further on until one reads, then back in halves.
    func readable(above key: Int64, end: Int64) -> SegmentRow? {
        var bad = key
        var step: Int64 = 1
        while bad < end {
            let probe = min(bad + step, end)
            guard let rows = try? headers(in: probe...end, limit: 1) else {
                bad = probe
                step *= 2
                continue
            }
            var good = probe
            while good - bad > 1 {
                let middle = bad + (good - bad) / 2
                if (try? headers(in: middle...end, limit: 1)) != nil { good = middle } else { bad = middle }
            }
            return (try? headers(in: good...end, limit: 1))?.first ?? rows.first
        }
        return nil
    }

    private static func unreadable(_ key: Int64, _ next: SegmentRow) -> Removal {
        Removal(
            stream: StreamID(rawValue: next.stream), first: UInt64(key & SegmentRow.numberMask), last: next.first - 1,
            bytes: 0, reason: .corrupt, from: next.receivedAt, to: next.receivedAt)
    }

    /// Sets rows aside that don't verify, for a person to look at, and writes the gaps that they leave.
    private func quarantine(_ rows: [SegmentRow]) throws(StoreError) -> [Removal] {
        try transaction { () throws(SQLiteError) in
            var removals: [Removal] = []
            for row in rows {
                guard let statements else { break }
                statements.quarantine.bind(1, row.key)
                statements.quarantine.bind(2, row.key)
                // Where not even SQLite can read the row, there is nothing to set aside.
                try? statements.quarantine.run()
                removals += try lose([try trustworthy(row)], because: .corrupt)
            }
            for stream in Set(rows.map(\.stream)) { try recount(stream) }
            try writeCounters(all: false)
            return removals
        }
    }

    /// The row's count may be what is corrupt: it can't reach into the next segment.
    private func trustworthy(_ row: SegmentRow) throws(SQLiteError) -> SegmentRow {
        var row = row
        row.count = max(row.count, 1)
        let keys = row.key + 1...SegmentRow.keys(of: row.stream).upperBound
        if let next = try headers(in: keys, limit: 1).first, next.first <= row.last {
            row.count = Int(next.first - row.first)
        }
        return row
    }

    /// Counts a stream's segments afresh, where a corrupt one has made the sum doubtful.
    private func recount(_ stream: Int64) throws(SQLiteError) {
        counters[stream]?.messages = 0
        counters[stream]?.bytes = 0
        for row in try headers(in: SegmentRow.keys(of: stream)) { counters[stream]?.add(row) }
        touched.insert(stream)
    }
}
