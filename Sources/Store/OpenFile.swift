import CSQLite
import Synchronization

/// A file that SQLite has open through `StoreVFS`: our state stands behind the base VFS's own bytes of the `sqlite3_file`,
/// and our methods before the base's.
///
/// The database file's pages are sealed as they are written and verified as they are read (`PageChecksums`). The write-ahead
/// log's writes may be gathered: SQLite writes a header and a page for each frame, one behind the other, and then syncs.
struct OpenFile {
    typealias File = UnsafeMutablePointer<sqlite3_file>

    let file: File
    let state: UnsafeMutablePointer<State>
    let beneath: UnsafePointer<sqlite3_io_methods>

    struct State {
        let isSealed: Bool
        /// Writes that wait for one that isn't their neighbour, for a read or for a sync; nil: none does.
        var gathered: UnsafeMutableRawPointer?
        var start: Int64 = 0
        var count = 0
        /// Bytes that the file has, as far as what is gathered goes.
        var length: Int64 = 0
        /// There was room for `ahead` when it was last asked for.
        var extends = true
        /// During a checkpoint, of the log: what is read of it in one piece.
        var window: ReadWindow?
        /// ... of the database: what came of writing what was gathered.
        var failure = SQLITE_OK
    }

    /// The commit of some hundred small messages; only what is touched takes memory. SQLite's own VFS takes no more than
    /// 128 KiB less one byte at a time (`seekAndWriteFd` in its os_unix.c), and calls the disk full where it is given more.
    private static let logCapacity = 124 << 10
    private var capacity: Int { state.pointee.isSealed ? Self.checkpointCapacity : Self.logCapacity }

    /// Zeros written behind what makes a log longer. A sync of a file that has grown writes the file system's journal too, a
    /// third to a half of its time and 8 KiB or more of flash (docs/performance.md): so it grows at one commit of many. SQLite
    /// takes a frame of zeros for the end of the log.
    private static let ahead: Int64 = 64 << 10
    private static let zeros = [UInt8](repeating: 0, count: 4096)

    /// Bytes that SQLite is to allocate for a file whose base VFS wants `base`.
    static func size(over base: Int32) -> Int32 { Int32(place(over: base) + MemoryLayout<State>.stride) }

    private static func place(over base: Int32) -> Int { (Int(base) + 15) & ~15 }

    /// Puts our methods before those of a file that the base VFS has opened, but for a database without room for checksums.
    static func wrap(_ file: File, baseSize: Int32, isDatabase: Bool) {
        guard let beneath = file.pointee.pMethods else { return }
        if isDatabase, !hasRoomForChecksums(file, beneath) { return }
        let place = place(over: baseSize)
        (UnsafeMutableRawPointer(file) + place).initializeMemory(
            as: State.self, repeating: State(isSealed: isDatabase), count: 1)
        file.pointee.pMethods = Methods.over(beneath, statePlace: place)
    }

    /// A file whose header is not there yet is a new one: power loss may leave its first page in the write-ahead log alone.
    private static func hasRoomForChecksums(_ file: File, _ methods: UnsafePointer<sqlite3_io_methods>) -> Bool {
        var header = [UInt8](repeating: 0, count: 100)
        let code = methods.pointee.xRead(file, &header, 100, 0)
        let hasHeader = code == SQLITE_OK && header.starts(with: "SQLite format 3\0".utf8)
        return !hasHeader || header[20] == UInt8(PageChecksums.byteCount)
    }

    /// - Parameter file: one that `wrap` was called for, which took it.
    init?(_ file: File?) {
        guard let file, let methods = file.pointee.pMethods else { return nil }
        let own = UnsafeRawPointer(methods).assumingMemoryBound(to: Methods.self)
        self.file = file
        beneath = own.pointee.beneath
        state = (UnsafeMutableRawPointer(file) + own.pointee.statePlace).assumingMemoryBound(to: State.self)
    }

    /// From now on neighbouring writes of a write-ahead log are made as one. Nothing may look for them in the file before the
    /// next sync: true of `synchronous = FULL`, where SQLite tells others of frames once they are synced.
    static func gatherWrites(of log: File) {
        guard let open = OpenFile(log), open.state.pointee.gathered == nil else { return }
        open.state.pointee.gathered = .allocate(byteCount: logCapacity, alignment: 16)
        _ = open.beneath.pointee.xFileSize(log, &open.state.pointee.length)
    }

    // MARK: What SQLite calls

    private func close() -> Int32 {
        let code = writeGathered()
        endReadingAhead()
        state.pointee.gathered?.deallocate()
        state.pointee.gathered = nil
        let closed = beneath.pointee.xClose(file)
        return code == SQLITE_OK ? closed : code
    }

    private func read(_ buffer: UnsafeMutableRawPointer?, _ amount: Int32, _ offset: Int64) -> Int32 {
        let gathered = writeGathered()
        guard gathered == SQLITE_OK else { return gathered }
        if state.pointee.window != nil, let buffer { return readAhead(buffer, Int(amount), offset) }
        let code = beneath.pointee.xRead(file, buffer, amount, offset)
        guard state.pointee.isSealed, code == SQLITE_OK, PageChecksums.isPage(amount), let buffer else { return code }
        let page = UnsafeRawBufferPointer(start: buffer, count: Int(amount))
        return PageChecksums.verifies(page, offset: offset) ? SQLITE_OK : SQLITE_CORRUPT
    }

    private func write(_ buffer: UnsafeRawPointer?, _ amount: Int32, _ offset: Int64) -> Int32 {
        guard let buffer else { return SQLITE_IOERR }
        if state.pointee.isSealed, PageChecksums.isPage(amount) {
            // The buffer is SQLite's cache or its checkpoint's own, and nothing else uses the reserved bytes.
            let page = UnsafeMutableRawBufferPointer(
                start: UnsafeMutableRawPointer(mutating: buffer), count: Int(amount))
            PageChecksums.seal(page, offset: offset)
        }
        guard let gathered = state.pointee.gathered else { return beneath.pointee.xWrite(file, buffer, amount, offset) }
        let count = state.pointee.count
        if offset != state.pointee.start + Int64(count) || count + Int(amount) > capacity {
            let code = writeGathered()
            guard code == SQLITE_OK else { return code }
            state.pointee.start = offset
        }
        guard amount <= capacity else { return beneath.pointee.xWrite(file, buffer, amount, offset) }
        (gathered + state.pointee.count).copyMemory(from: buffer, byteCount: Int(amount))
        state.pointee.count += Int(amount)
        return SQLITE_OK
    }

    /// What could not be written is not tried again: SQLite gives the transaction up.
    func writeGathered() -> Int32 {
        let (count, start) = (state.pointee.count, state.pointee.start)
        guard count > 0, let gathered = state.pointee.gathered else { return SQLITE_OK }
        state.pointee.count = 0
        let code = beneath.pointee.xWrite(file, gathered, Int32(count), start)
        let end = start + Int64(count)
        if code == SQLITE_OK, !state.pointee.isSealed, end > state.pointee.length {
            state.pointee.length = end
            // Not behind the header: SQLite syncs that by itself before any frame, since until then the medium may have the log
            // of before, whole, which is harmless. Zeros over a part of it would leave the beginning of it alone to be found
            // after a power loss, and old pages to be taken for new ones.
            if start > 0 { extend() }
        }
        return code
    }

    /// Writes the zeros that no sync has to wait for later. In pages: the kernel keeps in one piece what was written at once,
    /// and counts all of it as written again when a part is.
    private func extend() {
        let page: Int64 = 4096
        let end = (state.pointee.length + Self.ahead) & ~(page - 1)
        while state.pointee.extends, state.pointee.length < end {
            let count = page - state.pointee.length & (page - 1)
            guard beneath.pointee.xWrite(file, Self.zeros, Int32(count), state.pointee.length) == SQLITE_OK else {
                state.pointee.extends = false
                return
            }
            state.pointee.length += count
        }
    }

    private func truncate(to size: Int64) -> Int32 {
        let code = after { $0.pointee.xTruncate(file, size) }
        if code == SQLITE_OK { state.pointee.length = min(state.pointee.length, size) }
        return code
    }

    /// Calls the base's `method` once everything gathered is written.
    private func after(_ method: (UnsafePointer<sqlite3_io_methods>) -> Int32) -> Int32 {
        let code = state.pointee.failure == SQLITE_OK ? writeGathered() : state.pointee.failure
        return code == SQLITE_OK ? method(beneath) : code
    }

    /// A file's methods with ours in place, and the ones beneath.
    private struct Methods {
        /// First, so that a pointer to it is one to all.
        var own: sqlite3_io_methods
        var beneath: UnsafePointer<sqlite3_io_methods>
        /// Where in a file's bytes our state begins.
        var statePlace: Int

        /// One for each table beneath; they live as long as the process.
        private static let tables = Mutex<[Key: Int]>([:])

        private struct Key: Hashable {
            var beneath: Int
            var statePlace: Int
        }

        static func over(
            _ beneath: UnsafePointer<sqlite3_io_methods>, statePlace: Int
        ) -> UnsafePointer<sqlite3_io_methods>? {
            let key = Key(beneath: Int(bitPattern: beneath), statePlace: statePlace)
            let place = tables.withLock { tables in
                if let known = tables[key] { return known }
                let made = Int(bitPattern: make(key))
                tables[key] = made
                return made
            }
            return UnsafePointer(bitPattern: place)
        }

        private static func make(_ key: Key) -> UnsafeMutablePointer<Methods>? {
            guard let beneath = UnsafePointer<sqlite3_io_methods>(bitPattern: key.beneath) else { return nil }
            var own = beneath.pointee
            // Without xFetch, which would give out pages unread.
            own.iVersion = min(own.iVersion, 2)
            own.xClose = { OpenFile($0)?.close() ?? SQLITE_IOERR }
            own.xRead = { OpenFile($0)?.read($1, $2, $3) ?? SQLITE_IOERR }
            own.xWrite = { OpenFile($0)?.write($1, $2, $3) ?? SQLITE_IOERR }
            own.xSync = { file, flags in OpenFile(file)?.after { $0.pointee.xSync(file, flags) } ?? SQLITE_IOERR }
            own.xTruncate = { OpenFile($0)?.truncate(to: $1) ?? SQLITE_IOERR }
            own.xFileControl = { OpenFile($0)?.control($1, $2) ?? SQLITE_IOERR }
            own.xFileSize = { file, size in OpenFile(file)?.after { $0.pointee.xFileSize(file, size) } ?? SQLITE_IOERR }
            let made = UnsafeMutablePointer<Methods>.allocate(capacity: 1)
            made.initialize(to: Methods(own: own, beneath: beneath, statePlace: key.statePlace))
            return made
        }
    }
}
