import CSQLite
import Glibc

/// The real disk with faults on demand: a VFS that passes everything on to SQLite's own, save syncs while `failsSyncs`,
/// writes once it is full and whatever else a test wants refused; it counts what is written.
///
/// One for all tests, since SQLite's callbacks reach only globals: suites that use it are serialized.
enum FaultyDisk {
    static let name = "roost-faulty"
    nonisolated(unsafe) static var failsSyncs = false
    /// How many of the next syncs fail.
    nonisolated(unsafe) static var failingSyncs = 0
    nonisolated(unsafe) static var syncs = 0
    /// How many writes it has room for; nil: for all.
    nonisolated(unsafe) static var writesLeft: Int?
    /// How many of the next writes fail.
    nonisolated(unsafe) static var failingWrites = 0
    /// It is full for as long as this file is there.
    nonisolated(unsafe) static var isFullBeside: String?
    nonisolated(unsafe) static var failsTruncates = false
    /// Bytes.
    nonisolated(unsafe) static var written = 0
    nonisolated(unsafe) private static var methods: [UnsafePointer<sqlite3_io_methods>: Swapped] = [:]

    private struct Swapped {
        let own: UnsafePointer<sqlite3_io_methods>
        let original: UnsafePointer<sqlite3_io_methods>
    }

    static let registered: Bool = {
        guard let original = sqlite3_vfs_find(nil) else { return false }
        let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
        vfs.initialize(to: original.pointee)
        vfs.pointee.pNext = nil
        vfs.pointee.zName = UnsafePointer(strdup(name))
        vfs.pointee.xOpen = { _, path, file, flags, outFlags in
            guard let original = sqlite3_vfs_find("unix"), let file else { return SQLITE_ERROR }
            let code = original.pointee.xOpen(original, path, file, flags, outFlags)
            if let table = file.pointee.pMethods { file.pointee.pMethods = FaultyDisk.swap(table) }
            return code
        }
        return sqlite3_vfs_register(vfs, 0) == SQLITE_OK
    }()

    private static func swap(_ original: UnsafePointer<sqlite3_io_methods>) -> UnsafePointer<sqlite3_io_methods> {
        if let known = methods.values.first(where: { $0.original == original }) { return known.own }
        let table = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
        table.initialize(to: original.pointee)
        table.pointee.xSync = { file, flags in
            FaultyDisk.syncs += 1
            if FaultyDisk.failingSyncs > 0 {
                FaultyDisk.failingSyncs -= 1
                return SQLITE_IOERR | 4 << 8
            }
            // A layer above may have put its own methods in place of these.
            guard !FaultyDisk.failsSyncs, let own = file?.pointee.pMethods,
                let swapped = FaultyDisk.methods[own] ?? FaultyDisk.methods.values.first
            else { return SQLITE_IOERR | 4 << 8 }
            return swapped.original.pointee.xSync(file, flags)
        }
        table.pointee.xWrite = { file, bytes, count, offset in
            FaultyDisk.written += Int(count)
            if FaultyDisk.failingWrites > 0 {
                FaultyDisk.failingWrites -= 1
                return SQLITE_IOERR | 3 << 8
            }
            if let ballast = FaultyDisk.isFullBeside, access(ballast, F_OK) == 0 { return SQLITE_FULL }
            if let left = FaultyDisk.writesLeft {
                guard left > 0 else { return SQLITE_FULL }
                FaultyDisk.writesLeft = left - 1
            }
            guard let own = file?.pointee.pMethods,
                let swapped = FaultyDisk.methods[own] ?? FaultyDisk.methods.values.first
            else { return SQLITE_IOERR }
            return swapped.original.pointee.xWrite(file, bytes, count, offset)
        }
        table.pointee.xTruncate = { file, size in
            guard !FaultyDisk.failsTruncates, let own = file?.pointee.pMethods,
                let swapped = FaultyDisk.methods[own] ?? FaultyDisk.methods.values.first
            else { return SQLITE_IOERR | 6 << 8 }
            return swapped.original.pointee.xTruncate(file, size)
        }
        methods[UnsafePointer(table)] = Swapped(own: UnsafePointer(table), original: original)
        return UnsafePointer(table)
    }
}
