import CSQLite

/// The log and the tables beside it: one SQLite database, `roost.db` in the data directory. All of it runs on the writer's
/// thread, or on whichever one thread has opened it.
///
/// Every method that writes is one transaction and throws only once that is rolled back. After an error from a write or a
/// sync, close it and open it anew: SQLite's and the kernel's idea of the file may differ from the disk's.
public final class Database {
    public let path: String
    public let options: DatabaseOptions
    public let isReadOnly: Bool
    /// Bytes in use: used pages, the WAL and the ballast, after the last commit.
    public internal(set) var usedBytes = 0

    let connection: Connection
    /// nil for a simulated disk, for readers, and once closed: the lock goes with it.
    private(set) var directory: DatabaseDirectory?
    /// Of damaged databases that are kept beside this one.
    var evidenceBytes = 0
    let compressor = LZ4Compressor()
    let decompressor = LZ4Decompressor()
    /// nil once closed.
    var statements: DatabaseStatements?
    var counters: [Int64: SegmentCounters] = [:]
    /// Streams whose rows in `stream` differ from their counters, other than by segments added.
    var touched: Set<Int64> = []
    var routeBudgets = RouteBudgets()
    /// Streams that may have segments below `trimmedBelow`.
    var unswept: Set<Int64> = []
    /// A transaction failed half way, so `counters` may say what the tables don't.
    var countersStale = false
    /// Segments added since a transaction wrote all counters.
    var uncounted = 0
    /// As the file has it, whatever the options say.
    private(set) var pageBytes = 0
    var pages = PageEstimate(counted: .max / 2)
    var walBytes = 0
    /// Everything in the WAL is in the database file, synced: the next frame will be its first.
    var walIsDone = true
    /// Frames below which no further checkpoint is tried, after one that could not finish.
    var checkpointAt = 0
    var ballastBytes = 0

    var filePath: String { path + "/roost.db" }

    /// Opens the database in the directory `path`, or creates directory and database. Nothing that is there is overwritten:
    /// what isn't Roost's throws `notADatabase`, what a newer Roost wrote `newerSchema`.
    public static func open(
        path: String, options: DatabaseOptions = DatabaseOptions()
    ) throws(StoreError) -> Database {
        let directory: DatabaseDirectory? = options.vfs == nil ? try DatabaseDirectory(path: path) : nil
        if let directory { try prepare(directory, options) }
        let database = try Database(path: path, options: options, directory: directory)
        database.settleEvidence()
        database.restoreBallast()
        database.usedBytes = try database.used()
        return database
    }

    /// Opens the database beside the daemon that has it, or while none runs. Takes no lock and writes nothing.
    public static func openReadOnly(path: String, vfs: String? = nil) throws(StoreError) -> Database {
        var options = DatabaseOptions()
        options.vfs = vfs
        if vfs == nil { try refuseNewer(path) }
        return try Database(path: path, options: options, directory: nil, readOnly: true)
    }

    /// - Parameters:
    ///   - directory: already locked, as when a failed database is opened anew.
    ///   - isAgain: this process had it open and knows that all that is in its WAL is on the disk.
    init(
        path: String, options: DatabaseOptions, directory: DatabaseDirectory?, readOnly: Bool = false,
        isAgain: Bool = false
    ) throws(StoreError) {
        self.path = path
        self.options = options
        self.directory = directory
        isReadOnly = readOnly
        let file = path + "/roost.db"
        let isNew = options.vfs == nil ? try !Self.checkHeader(file) : false
        if isNew, !readOnly { try Self.create(file) }
        do throws(SQLiteError) {
            let flags = readOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
            connection = try Connection(path: file, flags: flags, vfs: options.vfs)
        } catch { throw Self.storeError(error, path: file) }
        try prepare(isAgain: isAgain)
        if isNew { try directory?.sync() }
    }

    /// Checks whose file this is, brings it to the current schema and learns what is in it.
    private func prepare(isAgain: Bool) throws(StoreError) {
        let found: Int
        do throws(SQLiteError) {
            try connection.execute("PRAGMA page_size = \(options.pageBytes)")
            let application = try connection.integer("PRAGMA application_id")
            let isEmpty = try connection.integer("SELECT count(*) FROM sqlite_schema") == 0
            found = Int(try connection.integer("PRAGMA user_version"))
            guard application == Schema.applicationID || (application == 0 && isEmpty && !isReadOnly) else {
                throw SQLiteError(code: SQLITE_NOTADB, message: "another program's database")
            }
        } catch { throw Self.storeError(error, path: filePath) }
        guard found <= Schema.version else {
            throw .newerSchema(path: filePath, found: found, known: Schema.version)
        }
        do throws(SQLiteError) {
            pageBytes = Int(try connection.integer("PRAGMA page_size"))
            if !isReadOnly { try configure(from: found, isAgain: isAgain) }
            statements = try DatabaseStatements(connection)
            try countAll()
        } catch { throw Self.storeError(error, path: filePath) }
        ballastBytes = directory?.ballastBytes ?? 0
        usedBytes = try used()
    }

    private func configure(from found: Int, isAgain: Bool) throws(SQLiteError) {
        // Only once: it is a write, and a database on a full disk must open all the same.
        if found == 0 { try connection.execute("PRAGMA application_id = \(Schema.applicationID)") }
        guard try connection.text("PRAGMA journal_mode = WAL") == "wal" else {
            throw SQLiteError(code: SQLITE_CANTOPEN, message: "the file system can't keep a WAL")
        }
        let synchronous = options.durability == .strict ? "FULL" : "NORMAL"
        try connection.execute(
            """
            PRAGMA synchronous = \(synchronous); PRAGMA secure_delete = OFF; PRAGMA temp_store = MEMORY;
            PRAGMA journal_size_limit = \(options.walBytes)
            """)
        connection.takeOverCheckpoints()
        // One without room for checksums stays what it is until there is room to rewrite it.
        let wanted = found == 0 || found >= Schema.checksums ? Schema.version : Schema.checksums - 1
        if found < wanted { try Schema.migrate(connection, from: found, to: wanted) }
        // A new database has a WAL by now.
        if options.durability == .strict { StoreVFS.gatherWrites(ofLogOf: connection.handle) }
        // What a crash left in the WAL moves to the database now, where nobody waits. A full disk may refuse: then the log
        // goes on where it ends, and reads are answered.
        let moved = try? connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE)
        connection.walFrames = moved?.log ?? 0
        walIsDone = moved.map { $0.log == $0.done } ?? false
        if !walIsDone { try keepLog(isAgain: isAgain) }
    }

    /// Writes the counters, moves the WAL into the database and closes. Safe to call again.
    public func close() throws(StoreError) {
        guard statements != nil else { return }
        defer { abandon() }
        guard !isReadOnly else { return }
        _ = try transaction { () throws(SQLiteError) in try writeCounters(all: true) }
        do throws(SQLiteError) {
            try connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE)
        } catch { throw Self.storeError(error, path: filePath) }
    }

    /// Closes without writing anything of ours.
    func abandon() {
        statements = nil
        connection.close()
        directory = nil
    }
}
