import CSQLite
import Synchronization

/// A checksum in the last eight bytes of every page of the database file, so that what the disk gives back wrong is never
/// taken for data: SQLite by itself would read a flipped bit in a row as if it had been written so.
///
/// The bytes are SQLite's reserved space at the end of each page (https://www.sqlite.org/fileformat.html#the_database_header,
/// offset 20). They are written by the last step before the file, a layer over the VFS, and verified as pages are read; the
/// page's place is part of the sum, so a page written to the wrong place is found too. A page that doesn't verify reads as
/// `SQLITE_CORRUPT`. The write-ahead log has SQLite's own checksums.
///
/// Databases of schema 1 have no room for it: they are read as they are, and rewritten at the upgrade (`Schema`).
enum PageChecksums {
    /// Of a page, at its end.
    static let byteCount = 8

    /// The name of the layer over the VFS `base` (nil: SQLite's own), registered on first use; nil if there is no such VFS.
    static func vfs(over base: String?) -> String? {
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

    private static let prefix = "roost-checked-"
    private static let registered = Mutex<Set<String>>([])

    /// Two sums over the page but for its last eight bytes, each word in both: what Fletcher's does, in one pass.
    static func checksum(_ page: UnsafeRawBufferPointer, offset: Int64) -> UInt64 {
        var a = 0x9E37_79B9 ^ UInt32(truncatingIfNeeded: offset >> 9)
        var b: UInt32 = 0x5C4D_3E2F
        var place = 0
        while place < page.count - byteCount {
            a &+= UInt32(littleEndian: page.loadUnaligned(fromByteOffset: place, as: UInt32.self)) &+ b
            b &+= UInt32(littleEndian: page.loadUnaligned(fromByteOffset: place + 4, as: UInt32.self)) &+ a
            place += 8
        }
        return UInt64(a) << 32 | UInt64(b)
    }

    static func verifies(_ page: UnsafeRawBufferPointer, offset: Int64) -> Bool {
        let found = page.loadUnaligned(fromByteOffset: page.count - byteCount, as: UInt64.self)
        return UInt64(littleEndian: found) == checksum(page, offset: offset)
    }

    static func seal(_ page: UnsafeMutableRawBufferPointer, offset: Int64) {
        let sum = checksum(UnsafeRawBufferPointer(page), offset: offset)
        page.storeBytes(of: sum.littleEndian, toByteOffset: page.count - byteCount, as: UInt64.self)
    }

    // MARK: The layer

    private struct Layer {
        var vfs: sqlite3_vfs
        var base: UnsafeMutablePointer<sqlite3_vfs>
    }

    /// A file's methods with ours in place, and the ones beneath.
    private struct Methods {
        var own: sqlite3_io_methods
        var beneath: UnsafePointer<sqlite3_io_methods>
    }

    private struct Table: @unchecked Sendable {
        var pointer: UnsafeMutablePointer<Methods>
    }
    private static let tables = Mutex<[Int: Table]>([:])

    private static func register(_ name: String, over base: UnsafeMutablePointer<sqlite3_vfs>) -> Bool {
        let layer = UnsafeMutablePointer<Layer>.allocate(capacity: 1)
        layer.initialize(to: Layer(vfs: base.pointee, base: base))
        layer.pointee.vfs.pNext = nil
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
            if code == SQLITE_OK, flags & SQLITE_OPEN_MAIN_DB != 0 { PageChecksums.watch(file) }
            return code
        }
        return UnsafeMutableRawPointer(layer).withMemoryRebound(to: sqlite3_vfs.self, capacity: 1) {
            sqlite3_vfs_register($0, 0) == SQLITE_OK
        }
    }

    /// Puts our methods in place, but for a database that was made without room for checksums.
    ///
    /// A file whose header is not there yet is a new one: power loss may leave its first page in the write-ahead log alone.
    private static func watch(_ file: UnsafeMutablePointer<sqlite3_file>) {
        guard let beneath = file.pointee.pMethods else { return }
        var header = [UInt8](repeating: 0, count: 100)
        let code = beneath.pointee.xRead(file, &header, 100, 0)
        let hasHeader = code == SQLITE_OK && header.starts(with: "SQLite format 3\0".utf8)
        guard !hasHeader || header[20] == UInt8(byteCount) else { return }
        file.pointee.pMethods = methods(over: beneath)
    }

    private static func methods(over beneath: UnsafePointer<sqlite3_io_methods>) -> UnsafePointer<sqlite3_io_methods> {
        let place = Int(bitPattern: beneath)
        let table = tables.withLock { tables in
            if let known = tables[place] { return known }
            let table = Table(pointer: .allocate(capacity: 1))
            let beneath = UnsafePointer<sqlite3_io_methods>(bitPattern: place) ?? UnsafePointer(beneath)
            table.pointer.initialize(to: Methods(own: beneath.pointee, beneath: beneath))
            // Without xFetch, which would give out pages unread.
            table.pointer.pointee.own.iVersion = min(beneath.pointee.iVersion, 2)
            table.pointer.pointee.own.xRead = { file, buffer, amount, offset in
                guard let file, let beneath = PageChecksums.beneath(file) else { return SQLITE_IOERR }
                let code = beneath.pointee.xRead(file, buffer, amount, offset)
                guard code == SQLITE_OK, PageChecksums.isPage(amount), let buffer else { return code }
                let page = UnsafeRawBufferPointer(start: buffer, count: Int(amount))
                return PageChecksums.verifies(page, offset: offset) ? SQLITE_OK : SQLITE_CORRUPT
            }
            // The buffer is SQLite's cache or its checkpoint's own, and nothing else uses the reserved bytes.
            table.pointer.pointee.own.xWrite = { file, buffer, amount, offset in
                guard let file, let beneath = PageChecksums.beneath(file) else { return SQLITE_IOERR }
                if PageChecksums.isPage(amount), let buffer {
                    let page = UnsafeMutableRawBufferPointer(
                        start: UnsafeMutableRawPointer(mutating: buffer), count: Int(amount))
                    PageChecksums.seal(page, offset: offset)
                }
                return beneath.pointee.xWrite(file, buffer, amount, offset)
            }
            tables[place] = table
            return table
        }
        return UnsafeRawPointer(table.pointer).assumingMemoryBound(to: sqlite3_io_methods.self)
    }

    private static func beneath(_ file: UnsafeMutablePointer<sqlite3_file>) -> UnsafePointer<sqlite3_io_methods>? {
        guard let methods = file.pointee.pMethods else { return nil }
        return UnsafeRawPointer(methods).assumingMemoryBound(to: Methods.self).pointee.beneath
    }

    /// SQLite reads and writes whole pages of the file, and a few bytes of the header.
    private static func isPage(_ amount: Int32) -> Bool { amount >= 512 && amount & (amount - 1) == 0 }
}
