import CSQLite

/// Who waits for what in a mixed stream, at the opening: told by its segments' indexes, which lie beside the packets, so that
/// these aren't read.
extension Database {
    /// - Throws: corrupt, where an index can't be trusted: a salvage then tells what is lost.
    func mixed(_ stream: StoredState.Stream) throws(SQLiteError) -> StoredState.Mixed {
        var mixed = StoredState.Mixed()
        guard let numbers = stream.numbers else { return mixed }
        let finished = stream.positions.mapValues { (cursor: $0.cursor, above: IntervalSet($0.finished)) }
        let id = stream.record.id.rawValue
        let statement = try connection.prepare(
            """
            SELECT key, count, raw, received, expiry, idx FROM segment WHERE key BETWEEN ? AND ? ORDER BY key
            """, persistent: false)
        statement.bind(1, SegmentRow.key(id, numbers.lowerBound))
        statement.bind(2, SegmentRow.keys(of: id).upperBound)
        while try statement.step() {
            let row = SegmentRow(statement)
            guard let index = row.unseal(statement.bytes(5), expiry: statement.integer(4)) else {
                throw SQLiteError(code: SQLITE_CORRUPT, message: "a segment's index fails its checksum")
            }
            mixed.segments.append(max(row.first, stream.trimmedBelow)...row.last)
            var entries = SegmentIndex.Reader(index)
            for _ in 0..<row.count { _ = entries.next() }
            var sets = SegmentSets.Reader(behind: entries)
            for number in row.first...row.last {
                guard let set = sets.next() else { break }
                mixed.highestSession = max(mixed.highestSession, set.members.last?.session.rawValue ?? 0)
                guard number >= stream.trimmedBelow else { continue }
                for member in set.members {
                    if let position = finished[member.session],
                        number <= position.cursor || position.above.contains(number)
                    {
                        continue
                    }
                    mixed.waiting[member.session, default: []].append(number)
                }
            }
        }
        return mixed
    }
}
