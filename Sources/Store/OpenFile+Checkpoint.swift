import CSQLite

/// A checkpoint reads the log in large pieces. SQLite reads each page by itself, which with pages of a kilobyte takes many calls;
/// most of them are neighbours.
///
/// The pages are written one by one, as SQLite does it: gathered as well, they saved a little time, and in the simulation a full
/// disk and a power loss behind it left a database that was damaged.
extension OpenFile {
    /// What was read of the log in one piece, for the reads to come.
    struct ReadWindow {
        static let capacity = 32 << 10

        var memory: UnsafeMutableRawPointer
        /// Bytes that the log has: nothing is written to it meanwhile.
        var length: Int64
        var start: Int64 = 0
        var count = 0
        /// Where the read before ended.
        var end: Int64 = 0
    }

    static func readAhead(of log: File, _ reads: Bool) {
        guard let open = OpenFile(log), open.state.pointee.gathered != nil else { return }
        open.endReadingAhead()
        var length: Int64 = 0
        guard reads, open.beneath.pointee.xFileSize(log, &length) == SQLITE_OK else { return }
        open.state.pointee.window = ReadWindow(
            memory: .allocate(byteCount: ReadWindow.capacity, alignment: 16), length: length)
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
            let count = min(Int64(ReadWindow.capacity), window.length - offset)
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
}
