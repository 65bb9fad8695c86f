import CSQLite

/// A checkpoint in large pieces. SQLite reads each page from the log and writes it to the database by itself, which with pages
/// of a kilobyte is a tenth of the time of all storing; most of them are neighbours in both files.
extension OpenFile {
    /// What was read of the log in one piece, for the reads to come.
    struct ReadWindow {
        static let capacity = 32 << 10

        var memory: UnsafeMutableRawPointer
        var start: Int64 = 0
        var count = 0
        /// Where the read before ended.
        var end: Int64 = 0
    }

    /// Small, since the kernel keeps in one piece what was written at once, and counts all of it as written again when a part
    /// is.
    static let checkpointCapacity = 16 << 10

    // MARK: Reading the log

    static func readAhead(of log: File, _ reads: Bool) {
        guard let open = OpenFile(log), open.state.pointee.gathered != nil else { return }
        open.endReadingAhead()
        guard reads else { return }
        open.state.pointee.window = ReadWindow(memory: .allocate(byteCount: ReadWindow.capacity, alignment: 16))
    }

    func endReadingAhead() {
        state.pointee.window?.memory.deallocate()
        state.pointee.window = nil
    }

    /// Where reads go on from frame to frame, more than was asked for is read.
    func readAhead(_ buffer: UnsafeMutableRawPointer, _ amount: Int, _ offset: Int64) -> Int32 {
        guard var window = state.pointee.window else { return SQLITE_IOERR }
        defer { state.pointee.window = window }
        let frameHeader: Int64 = 24
        let goesOn = offset == window.end + frameHeader
        window.end = offset + Int64(amount)
        if goesOn, offset < window.start || window.end > window.start + Int64(window.count) {
            let count = min(Int64(ReadWindow.capacity), state.pointee.length - offset)
            let code = beneath.pointee.xRead(file, window.memory, Int32(max(count, 0)), offset)
            window.start = offset
            window.count = code == SQLITE_OK ? Int(count) : 0
        }
        guard offset >= window.start, window.end <= window.start + Int64(window.count) else {
            return beneath.pointee.xRead(file, buffer, Int32(amount), offset)
        }
        buffer.copyMemory(from: window.memory + Int(offset - window.start), byteCount: amount)
        return SQLITE_OK
    }

    // MARK: Writing the database

    func control(_ operation: Int32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
        if state.pointee.isSealed {
            if operation == SQLITE_FCNTL_CKPT_START { beginCheckpoint() }
            if operation == SQLITE_FCNTL_CKPT_DONE { endCheckpoint() }
        }
        return beneath.pointee.xFileControl(file, operation, argument)
    }

    /// Pages may be gathered where the database is synced before anybody is told of them, and what went wrong can still be
    /// said: true of a checkpoint of the whole log, at whose end SQLite cuts the file to its size and syncs it. One that readers
    /// keep from the log's end does neither.
    private func beginCheckpoint() {
        state.pointee.failure = SQLITE_OK
        guard state.pointee.gathered == nil, let frames = Self.framesInLog(of: file), frames.all == frames.attempted
        else { return }
        state.pointee.gathered = .allocate(byteCount: Self.checkpointCapacity, alignment: 16)
    }

    private func endCheckpoint() {
        guard let gathered = state.pointee.gathered else { return }
        state.pointee.failure = writeGathered()
        state.pointee.gathered = nil
        gathered.deallocate()
    }

    /// Of the write-ahead log of a database file, as the wal-index has it: the frames that count, and those that the last
    /// checkpoint set out to move (https://www.sqlite.org/walformat.html#the_wal_index_file_format: mxFrame, nBackfillAttempted).
    static func framesInLog(of file: File) -> (all: Int, attempted: Int)? {
        var region: UnsafeMutableRawPointer?
        let code = withUnsafeMutablePointer(to: &region) { target in
            file.pointee.pMethods?.pointee.xShmMap?(file, 0, 32 << 10, 0, target) ?? SQLITE_IOERR
        }
        guard code == SQLITE_OK, let region else { return nil }
        func field(_ offset: Int) -> Int { Int(region.load(fromByteOffset: offset, as: UInt32.self)) }
        return (field(16), field(128))
    }
}
