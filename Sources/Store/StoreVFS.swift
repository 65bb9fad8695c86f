import CSQLite
import Synchronization

/// Our layer over one of SQLite's VFSs, on which every database of the store is opened. It puts an `OpenFile` around the
/// database file, which seals and verifies pages, and around its write-ahead log, which can gather writes.
enum StoreVFS {
    /// The name of the layer over the VFS `base` (nil: SQLite's own), registered on first use; nil if there is no such VFS.
    static func name(over base: String?) -> String? {
        if let base, base.hasPrefix(prefix) { return base }
        guard let original = sqlite3_vfs_find(base), let ownName = original.pointee.zName else { return nil }
        let name = prefix + String(cString: ownName)
        return registered.withLock { names in
            if names.contains(name) { return name }
            guard register(name, over: original) else { return nil }
            names.insert(name)
            return name
        }
    }

    /// From now on the write-ahead log of `database` is written in as few calls as its places allow; see `OpenFile.gatherWrites`.
    /// Only for `synchronous = FULL`, and only once the database is in WAL mode.
    static func gatherWrites(ofLogOf database: OpaquePointer?) {
        if let log = log(of: database) { OpenFile.gatherWrites(of: log) }
    }

    /// While a checkpoint runs: the write-ahead log of `database` is read in large pieces.
    static func readAhead(inLogOf database: OpaquePointer?, _ reads: Bool) {
        if let log = log(of: database) { OpenFile.readAhead(of: log, reads) }
    }

    /// Frames in the write-ahead log of `database` that count: behind them its file may have zeros, or what a failed commit left.
    static func framesInLog(of database: OpaquePointer?) -> Int {
        var file: OpenFile.File?
        sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER, &file)
        return file.flatMap(OpenFile.framesInLog)?.all ?? 0
    }

    private static func log(of database: OpaquePointer?) -> OpenFile.File? {
        var log: UnsafeMutablePointer<sqlite3_file>?
        sqlite3_file_control(database, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log)
        return log?.pointee.pMethods == nil ? nil : log
    }

    private static let prefix = "roost-store-"
    private static let registered = Mutex<Set<String>>([])

    private struct Layer {
        var vfs: sqlite3_vfs
        var base: UnsafeMutablePointer<sqlite3_vfs>
    }

    private static func register(_ name: String, over base: UnsafeMutablePointer<sqlite3_vfs>) -> Bool {
        let layer = UnsafeMutablePointer<Layer>.allocate(capacity: 1)
        layer.initialize(to: Layer(vfs: base.pointee, base: base))
        layer.pointee.vfs.pNext = nil
        layer.pointee.vfs.szOsFile = OpenFile.size(over: base.pointee.szOsFile)
        // Both live as long as the process.
        let bytes = name.utf8CString
        let text = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
        for (index, byte) in bytes.enumerated() { text[index] = byte }
        layer.pointee.vfs.zName = UnsafePointer(text)
        layer.pointee.vfs.xOpen = { vfs, path, file, flags, outFlags in
            guard let vfs, let file else { return SQLITE_ERROR }
            let base = UnsafeRawPointer(vfs).assumingMemoryBound(to: Layer.self).pointee.base
            guard let open = base.pointee.xOpen else { return SQLITE_ERROR }
            let code = open(base, path, file, flags, outFlags)
            if code == SQLITE_OK, flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL) != 0 {
                OpenFile.wrap(file, baseSize: base.pointee.szOsFile, isDatabase: flags & SQLITE_OPEN_MAIN_DB != 0)
            }
            return code
        }
        return UnsafeMutableRawPointer(layer).withMemoryRebound(to: sqlite3_vfs.self, capacity: 1) {
            sqlite3_vfs_register($0, 0) == SQLITE_OK
        }
    }
}
