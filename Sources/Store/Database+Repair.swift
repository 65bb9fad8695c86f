import CSQLite
import Glibc

/// What people ask for by hand, with no roostd running: `roost store repair` and `compact`.
extension Database {
    /// Saves what is readable into a new database; the old one is kept beside unless `keepsOld` is false. Throws `locked`
    /// while a roostd runs, and `full` where there is no room for the new one: then nothing has changed.
    ///
    /// - Parameter progress: told pages done and pages in all.
    public static func repair(
        path: String, keepsOld: Bool = true, progress: ((Int, Int) -> Void)? = nil
    ) throws(StoreError) -> SalvageReport {
        let directory = try existing(path)
        directory.discardSalvage()
        try directory.finishSalvage()
        try refuseOthers(path)
        var report = try salvage(
            in: directory, options: handOptions, because: "repaired by hand", makesRoom: false, progress: progress)
        try directory.finishSalvage()
        if !keepsOld, let evidence = report.evidence {
            unlink(evidence)
            unlink(evidence + "-wal")
            report.evidence = nil
        }
        return report
    }

    /// Gives free space back to the file system. Throws `locked` while a roostd runs. Returns the file's bytes before and after.
    public static func compact(path: String) throws(StoreError) -> (before: Int, after: Int) {
        let directory = try existing(path)
        try directory.finishSalvage()
        try refuseOthers(path)
        try prepare(directory, handOptions)
        // Opening upgrades, takes in what a crash left in the log, and finds damage before anything is written.
        try Database(path: path, options: handOptions, directory: directory).close()
        do throws(StoreError) { return try rewrite(in: directory, options: handOptions) } catch {
            directory.discardSalvage()
            throw error
        }
    }

    /// What `repair` and `compact` may take while they work, beside the database that is there, and what the file system has
    /// left. Bytes.
    public static func room(path: String) -> (needed: Int, available: Int) {
        let file = path + "/roost.db"
        // What is at most in both, and a little for the file system's own accounts.
        let needed = size(of: file) + size(of: file + "-wal") + (1 << 20)
        return (needed, DatabaseDirectory.availableBytes(at: path))
    }

    /// Reads a damaged database page by page and tells what is in it; nothing is kept.
    static func survey(path: String) throws(StoreError) -> SalvageReport {
        let file = path + "/roost.db"
        guard let pages = RawPages(path: file, log: file + "-wal") else { throw .notADatabase(path: file) }
        var options = handOptions
        options.pageBytes = pages.pageBytes
        var template = Array("/tmp/roost-check-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw .notWritable(path: "/tmp", errno: errno) }
        let place = String(cString: made)
        defer {
            for name in ["roost.db", "roost.db-wal", "roost.db-shm", "roost.db-journal"] { unlink("\(place)/\(name)") }
            rmdir(place)
        }
        let target = try Database(path: place, options: options, directory: nil)
        let salvage = Salvage(pages, into: target)
        defer {
            salvage.inserts = [:]
            target.abandon()
        }
        do throws(SQLiteError) { try salvage.run() } catch { throw storeError(error, path: file) }
        return salvage.report
    }

    /// Budgets are the daemon's to keep.
    private static var handOptions: DatabaseOptions {
        var options = DatabaseOptions()
        options.budgetBytes = 1 << 50
        options.ballastBytes = 0
        return options
    }

    /// What isn't Roost's, or a newer Roost's, is left alone.
    private static func refuseOthers(_ path: String) throws(StoreError) {
        try refuseNewer(path)
        guard isOurs(path) || RawLog(path: path + "/roost.db-wal") != nil else {
            throw .notADatabase(path: path + "/roost.db")
        }
    }

    /// Without making one where none is.
    private static func existing(_ path: String) throws(StoreError) -> DatabaseDirectory {
        var status = stat()
        guard stat(path + "/roost.db", &status) == 0 || stat(path + "/roost.db-wal", &status) == 0 else {
            throw .notWritable(path: path + "/roost.db", errno: errno)
        }
        return try DatabaseDirectory(path: path)
    }
}
