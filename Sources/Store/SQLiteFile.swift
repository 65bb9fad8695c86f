import CSQLite
import Glibc

/// The files beside a database, reached through the VFS that it was opened with.
enum SQLiteFile {
    static func exists(_ path: String, vfs: String?) -> Bool {
        guard let vfs = sqlite3_vfs_find(vfs), let access = vfs.pointee.xAccess else { return false }
        var found: Int32 = 0
        return access(vfs, path, SQLITE_ACCESS_EXISTS, &found) == SQLITE_OK && found != 0
    }

    /// Whether another process has the database at `path` open: it holds a lock on byte 128 of the shared memory then
    /// (`UNIX_SHM_DMS` in SQLite's os_unix.c).
    static func isShared(_ path: String) -> Bool {
        let descriptor = open(path + "-shm", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        lock.l_start = 128
        lock.l_len = 1
        return fcntl(descriptor, F_GETLK, &lock) == 0 && lock.l_type != Int16(F_UNLCK)
    }

    /// Cuts the WAL of the database at `path` to `size` bytes where it is longer. No connection may have it open.
    static func truncateWAL(of path: String, to size: Int, vfs: String?) throws(SQLiteError) {
        try withWAL(of: path, vfs: vfs) { file, methods in
            var found: sqlite3_int64 = 0
            let code = methods.xFileSize(file, &found)
            guard code == SQLITE_OK, found > size else { return code }
            return methods.xTruncate(file, sqlite3_int64(size))
        }
    }

    /// Writes the WAL of the database at `path` anew, as far as it counts, cuts off the rest and syncs it: what a failed sync has
    /// left marked as clean is written to the disk by that, and by nothing else. Nobody may write to it meanwhile.
    static func rewriteWAL(of path: String, vfs: String?) throws(SQLiteError) {
        try withWAL(of: path, vfs: vfs) { file, methods in
            var size: sqlite3_int64 = 0
            var code = methods.xFileSize(file, &size)
            guard code == SQLITE_OK, size > 0 else { return code }
            var log = [UInt8](repeating: 0, count: Int(size))
            code = log.withUnsafeMutableBytes { log in
                inSteps(log.count) {
                    methods.xRead(file, log.baseAddress?.advanced(by: $0), Int32($1), sqlite3_int64($0))
                }
            }
            guard code == SQLITE_OK else { return code }
            let end = RawLog.end(of: log)
            code = log.withUnsafeBytes { log in
                inSteps(end) {
                    methods.xWrite(file, log.baseAddress?.advanced(by: $0), Int32($1), sqlite3_int64($0))
                }
            }
            if code == SQLITE_OK, end < log.count { code = methods.xTruncate(file, sqlite3_int64(end)) }
            return code == SQLITE_OK ? methods.xSync(file, SQLITE_SYNC_NORMAL) : code
        }
    }

    /// SQLite's own VFS takes less than 128 KiB at a time.
    private static func inSteps(_ count: Int, _ body: (_ offset: Int, _ count: Int) -> Int32) -> Int32 {
        for offset in stride(from: 0, to: count, by: 64 << 10) {
            let code = body(offset, min(64 << 10, count - offset))
            guard code == SQLITE_OK else { return code }
        }
        return SQLITE_OK
    }

    /// Bytes of the WAL of the database at `path`; 0 where there is none.
    static func sizeOfWAL(of path: String, vfs: String?) -> Int {
        var found: sqlite3_int64 = 0
        try? withWAL(of: path, vfs: vfs) { file, methods in methods.xFileSize(file, &found) }
        return Int(found)
    }

    private static func withWAL(
        of path: String, vfs name: String?,
        _ body: (UnsafeMutablePointer<sqlite3_file>, sqlite3_io_methods) -> Int32
    ) throws(SQLiteError) {
        guard let vfs = sqlite3_vfs_find(name), let openFile = vfs.pointee.xOpen,
            let names = sqlite3_create_filename(path, path + "-journal", path + "-wal", 0, nil)
        else { return }
        defer { sqlite3_free_filename(names) }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Int(vfs.pointee.szOsFile), alignment: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: Int(vfs.pointee.szOsFile))
        defer { memory.deallocate() }
        let file = memory.assumingMemoryBound(to: sqlite3_file.self)
        var code = openFile(vfs, sqlite3_filename_wal(names), file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_WAL, nil)
        if code == SQLITE_OK, let methods = file.pointee.pMethods?.pointee {
            code = body(file, methods)
        }
        _ = file.pointee.pMethods?.pointee.xClose(file)
        guard code == SQLITE_OK else { throw SQLiteError(code: code, message: "cannot reach the WAL") }
    }
}
