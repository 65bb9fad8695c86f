/// The statements on segments, prepared once a connection; `DatabaseTables` has those on the ordinary tables.
final class DatabaseStatements {
    let begin: Statement
    let commit: Statement
    let rollback: Statement
    let pageCount: Statement
    let freePages: Statement

    let insertSegment: Statement
    /// Key, count, raw, received of a stream's segments in a range of keys.
    let headers: Statement
    /// The last segment at or below a key.
    let headerBelow: Statement
    let segments: Statement
    let deleteSegments: Statement
    /// Key, count, raw, received of segments whose messages have all expired.
    let expiredSegments: Statement
    let index: Statement
    let quarantine: Statement
    let updateCounters: Statement
    let tables: DatabaseTables

    init(_ connection: Connection) throws(SQLiteError) {
        begin = try connection.prepare("BEGIN IMMEDIATE")
        commit = try connection.prepare("COMMIT")
        rollback = try connection.prepare("ROLLBACK")
        pageCount = try connection.prepare("PRAGMA page_count")
        freePages = try connection.prepare("PRAGMA freelist_count")
        insertSegment = try connection.prepare("INSERT INTO segment VALUES(?, ?, ?, ?, ?, ?, ?, ?)")
        headers = try connection.prepare(
            "SELECT key, count, raw, received FROM segment WHERE key BETWEEN ? AND ? ORDER BY key")
        headerBelow = try connection.prepare(
            "SELECT key, count, raw, received FROM segment WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1")
        segments = try connection.prepare(
            """
            SELECT key, count, raw, received, expiry, format, idx, packets FROM segment
            WHERE key BETWEEN ? AND ? ORDER BY key
            """)
        deleteSegments = try connection.prepare("DELETE FROM segment WHERE key BETWEEN ? AND ?")
        expiredSegments = try connection.prepare(
            """
            SELECT key, count, raw, received FROM segment
            WHERE format = \(SegmentRow.lz4Frame) AND expiry < \(Int64.max) AND expiry <= ? ORDER BY expiry
            """)
        index = try connection.prepare("SELECT idx FROM segment WHERE key = ?")
        quarantine = try connection.prepare(
            "INSERT OR REPLACE INTO quarantine SELECT * FROM segment WHERE key BETWEEN ? AND ?")
        updateCounters = try connection.prepare(
            "UPDATE stream SET trimmed_below = ?, counted_to = ?, messages = ?, bytes = ? WHERE id = ?")
        tables = try DatabaseTables(connection)
    }
}
