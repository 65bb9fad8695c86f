import CSQLite
import Glibc

/// What the database asks of its files, and what their errors mean to a person.
extension Database {
    /// Whether there is a file; throws where it isn't SQLite's.
    static func checkHeader(_ file: String) throws(StoreError) -> Bool {
        let descriptor = Glibc.open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            guard errno == ENOENT else { throw .notWritable(path: file, errno: errno) }
            return false
        }
        defer { Glibc.close(descriptor) }
        let magic = Array("SQLite format 3\0".utf8)
        var found = [UInt8](repeating: 0, count: magic.count)
        let count = Glibc.read(descriptor, &found, found.count)
        guard count == 0 || (count == magic.count && found == magic) else { throw .notADatabase(path: file) }
        return true
    }

    /// Empty and for this user alone: SQLite would let others read, and makes the WAL as the file is.
    static func create(_ file: String) throws(StoreError) {
        let descriptor = Glibc.open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .notWritable(path: file, errno: errno) }
        Glibc.close(descriptor)
    }

    /// The file system takes no more: none is left, the user has had their share, or files may grow no further (`ulimit -f`).
    static func isFull(_ code: Int32) -> Bool { code == ENOSPC || code == EDQUOT || code == EFBIG }

    static func storeError(_ error: SQLiteError, path: String) -> StoreError {
        if isFull(error.systemErrno), error.primaryCode == SQLITE_IOERR { return .full(path: path) }
        return switch error.primaryCode {
        case SQLITE_FULL: .full(path: path)
        case SQLITE_NOTADB: .notADatabase(path: path)
        case SQLITE_CORRUPT: .corrupt(path: path, detail: error.message)
        case SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM:
            .notWritable(path: path, errno: error.systemErrno != 0 ? error.systemErrno : EACCES)
        default: .failed(path: path, code: error.code, detail: error.message)
        }
    }

    /// Used pages, the WAL, the ballast and what is kept of a damaged database; within a transaction with what it has done so far.
    func used() throws(StoreError) -> Int {
        do throws(SQLiteError) { return try usedPages() + walBytes + ballastBytes + evidenceBytes } catch {
            throw Self.storeError(error, path: filePath)
        }
    }

    /// Counted, in bytes; within a transaction with what it has done so far.
    func usedPages() throws(SQLiteError) -> Int {
        guard let statements else { return 0 }
        defer {
            statements.pageCount.reset()
            statements.freePages.reset()
        }
        _ = try statements.pageCount.step()
        _ = try statements.freePages.step()
        let used = (statements.pageCount.int(0) - statements.freePages.int(0)) * pageBytes
        pages = PageEstimate(counted: used)
        return used
    }

    /// Moves the WAL into the database once it is long enough: on this thread, since another's would not keep up
    /// (docs/performance.md), and best when nobody waits.
    public func checkpointIfDue() throws(StoreError) {
        guard !isReadOnly, !walIsDone, connection.walFrames >= max(options.checkpointFrames, checkpointAt) else {
            return
        }
        try checkpoint()
        // What readers hold back is not tried again at each commit.
        checkpointAt = walIsDone ? 0 : connection.walFrames + options.checkpointFrames / 4
    }

    /// Moves the WAL into the database now, as far as readers let it.
    func checkpoint() throws(StoreError) {
        // A WAL that one large transaction blew up gives its space back; else the file is overwritten in place.
        let mode = walBytes > 2 * options.walBytes ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE
        do throws(SQLiteError) {
            let (log, done) = try connection.checkpoint(mode)
            walIsDone = log == done
            if walIsDone { connection.walFrames = 0 }
            if mode == SQLITE_CHECKPOINT_TRUNCATE, walIsDone { walBytes = 0 }
        } catch { throw Self.storeError(error, path: filePath) }
    }

    /// After a commit: how long the WAL is now.
    func noteCommit() {
        // A transaction that changed nothing wrote nothing.
        guard connection.walFrames > 0 else { return }
        pages.noteCommit(bytes: connection.newFrames * pageBytes)
        let now = 32 + connection.walFrames * (pageBytes + 24)
        // A log that began anew was cut to the limit first.
        if walIsDone { walBytes = min(walBytes, options.walBytes) }
        walBytes = max(walBytes, now)
        walIsDone = false
    }
}
