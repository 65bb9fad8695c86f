import CSQLite

/// One connection to a SQLite database, used by one thread at a time.
///
/// Statements prepared on it must be finalized before `close`.
final class Connection {
    private(set) var handle: OpaquePointer?
    /// Frames in the WAL after the last commit, as SQLite's WAL hook tells them.
    private let frames: UnsafeMutablePointer<Int>
    private var framesBefore = 0

    init(path: String, flags: Int32, vfs: String? = nil) throws(SQLiteError) {
        frames = .allocate(capacity: 1)
        frames.initialize(to: 0)
        var opened: OpaquePointer?
        guard let checked = StoreVFS.name(over: vfs) else {
            frames.deallocate()
            throw SQLiteError(code: SQLITE_ERROR, message: "no such VFS")
        }
        let code = sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, checked)
        guard code == SQLITE_OK, let opened else {
            let error = SQLiteError(code, of: opened)
            sqlite3_close_v2(opened)
            throw error
        }
        handle = opened
        reserveChecksums()
    }

    deinit {
        sqlite3_close_v2(handle)
        frames.deallocate()
    }

    func close() {
        sqlite3_close_v2(handle)
        handle = nil
    }

    /// Counts the WAL's frames in `walFrames` and ends automatic checkpoints, which SQLite runs from the hook that this
    /// takes: the owner checkpoints when nobody waits.
    func takeOverCheckpoints() {
        sqlite3_wal_hook(
            handle,
            { context, _, _, count in
                context?.assumingMemoryBound(to: Int.self).pointee = Int(count)
                return SQLITE_OK
            }, frames)
    }

    /// Reserves room for `PageChecksums` in a new database, and in what `VACUUM INTO` makes of an old one.
    func reserveChecksums() {
        var count = Int32(PageChecksums.byteCount)
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_RESERVE_BYTES, &count)
    }

    /// The file that is open is no longer the one at its path.
    var hasMoved: Bool {
        var moved: Int32 = 0
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved)
        return moved != 0
    }

    /// Writes all that is stored into a new file, without free pages.
    func vacuum(into path: String) throws(SQLiteError) {
        try execute("VACUUM INTO '\(path.replacing("'", with: "''"))'")
    }

    var walFrames: Int {
        get { frames.pointee }
        set { frames.pointee = newValue }
    }

    /// Frames that came since this was last asked for.
    var newFrames: Int {
        defer { framesBefore = walFrames }
        return walFrames >= framesBefore ? walFrames - framesBefore : walFrames
    }

    /// Rows that the last statement inserted, changed or deleted.
    var changes: Int { Int(sqlite3_changes(handle)) }

    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    func execute(_ sql: String) throws(SQLiteError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw SQLiteError(code, of: handle) }
    }

    /// - Parameter persistent: it will be used often and kept for long.
    func prepare(_ sql: String, persistent: Bool = true) throws(SQLiteError) -> Statement {
        var statement: OpaquePointer?
        let flags = persistent ? UInt32(SQLITE_PREPARE_PERSISTENT) : 0
        let code = sqlite3_prepare_v3(handle, sql, -1, flags, &statement, nil)
        guard code == SQLITE_OK, let statement else { throw SQLiteError(code, of: handle) }
        return Statement(handle: statement)
    }

    /// The first column of the first row, for pragmas.
    func integer(_ sql: String) throws(SQLiteError) -> Int64 {
        let statement = try prepare(sql, persistent: false)
        return try statement.step() ? statement.integer(0) : 0
    }

    func text(_ sql: String) throws(SQLiteError) -> String {
        let statement = try prepare(sql, persistent: false)
        return try statement.step() ? statement.text(0) : ""
    }

    /// Frames in the WAL and frames of it that the database file now has.
    @discardableResult
    func checkpoint(_ mode: Int32) throws(SQLiteError) -> (log: Int, done: Int) {
        var log: Int32 = 0
        var done: Int32 = 0
        StoreVFS.readAhead(inLogOf: handle, true)
        defer { StoreVFS.readAhead(inLogOf: handle, false) }
        let code = sqlite3_wal_checkpoint_v2(handle, "main", mode, &log, &done)
        guard code == SQLITE_OK || code & 0xFF == SQLITE_BUSY else { throw SQLiteError(code, of: handle) }
        return (Int(max(log, 0)), Int(max(done, 0)))
    }
}
