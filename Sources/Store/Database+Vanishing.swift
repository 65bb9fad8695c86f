import CSQLite
import Glibc

/// The database file deleted, or its file system gone, while the daemon runs: SQLite would go on committing to a file that
/// nobody can find again, and each of these commits would be acknowledged.
extension Database {
    /// Called behind each commit, before anybody hears of it.
    func expectInPlace() throws(StoreError) {
        guard options.vfs == nil, connection.hasMoved else { return }
        // SQLITE_READONLY_DBMOVED, which is a macro.
        let vanished = StoreError.failed(
            path: filePath, code: SQLITE_READONLY | 4 << 8, detail: "the database file was moved or deleted")
        try directory?.makeAgain()
        guard let directory, directory.isInPlace, access(filePath, F_OK) != 0 else { throw vanished }
        // All that was in it can still be read, as long as it is open.
        let place = try directory.beginSalvage() + "/roost.db"
        do throws(SQLiteError) { try connection.vacuum(into: place) } catch {
            throw Self.storeError(error, path: filePath)
        }
        try directory.replaceDatabase(with: place)
        throw vanished
    }
}

extension DatabaseDirectory {
    /// The path leads to the file system that it led to at the start: not so once that was unmounted.
    var isInPlace: Bool {
        var now = stat()
        var held = stat()
        return stat(path, &now) == 0 && fstat(lock, &held) == 0 && now.st_dev == held.st_dev
    }

    /// - Throws: `.failed` where the file system is another: what would be written there would be lost to sight once the
    ///   right one is back.
    func expectInPlace() throws(StoreError) {
        guard !isInPlace else { return }
        throw .failed(
            path: path, code: SQLITE_CANTOPEN, detail: "the data directory's file system is gone (unmounted?)")
    }
}
