/// A write-ahead log read without SQLite: which of its pages count, and whether something in its middle is broken.
///
/// SQLite stops at the first frame that doesn't verify, and drops every transaction behind it without a word: right after a
/// power loss, where only the last can be torn, and wrong where a bit flipped among those that were synced. Here each frame
/// is verified by itself, since its checksum goes on from the one that its neighbour carries.
final class RawLog {
    let pageBytes: Int
    private(set) var highestPage = 0
    /// Transactions that SQLite would drop though they are complete: more than the one that a power loss can have torn.
    private(set) var isDamaged = false
    /// Pages whose newest version in the log is broken: older ones are what there is.
    private(set) var brokenPages: Set<Int> = []
    private var bytes: [UInt8]
    /// Offset of the newest good frame, by page.
    private var places: [Int: Int] = [:]

    private static let headerBytes = 32
    private static let frameHeaderBytes = 24

    /// nil where there is no log, or nothing in it.
    init?(path: String) {
        bytes = Database.contents(of: path)
        guard bytes.count > Self.headerBytes + Self.frameHeaderBytes else { return nil }
        let magic = bytes.big32(0)
        let isBig = magic & 1 == 1
        let size = Int(bytes.big32(8))
        guard magic & ~1 == 0x377F_0682, (512...65_536).contains(size), size & (size - 1) == 0 else { return nil }
        pageBytes = size
        let seed = Self.sum(bytes, 0, 24, isBig, (0, 0))
        let headerIsGood = seed == (bytes.big32(24), bytes.big32(28))
        let first = Self.headerBytes
        // A torn header belongs to a log that had not begun: what follows is old, and in the database already.
        let salts =
            headerIsGood ? (bytes.big32(16), bytes.big32(20)) : (bytes.big32(first + 8), bytes.big32(first + 12))
        take(isBig, salts: salts, seed: (bytes.big32(24), bytes.big32(28)), startsGood: headerIsGood)
        guard !places.isEmpty else { return nil }
    }

    /// Where the log ends for SQLite: behind the last commit that everything before it verifies. 0: nothing in it counts.
    static func end(of log: [UInt8]) -> Int {
        guard log.count >= headerBytes, log.big32(0) & ~1 == 0x377F_0682 else { return 0 }
        let isBig = log.big32(0) & 1 == 1
        let pageBytes = Int(log.big32(8))
        var sum = sum(log, 0, 24, isBig, (0, 0))
        guard sum == (log.big32(24), log.big32(28)), pageBytes >= 512, pageBytes % 8 == 0 else { return 0 }
        var end = headerBytes
        var offset = headerBytes
        while offset + frameHeaderBytes + pageBytes <= log.count,
            log.big32(offset + 8) == log.big32(16), log.big32(offset + 12) == log.big32(20)
        {
            sum = Self.sum(log, offset, 8, isBig, sum)
            sum = Self.sum(log, offset + frameHeaderBytes, pageBytes, isBig, sum)
            guard sum == (log.big32(offset + 16), log.big32(offset + 20)) else { break }
            offset += frameHeaderBytes + pageBytes
            if log.big32(offset - pageBytes - frameHeaderBytes + 4) != 0 { end = offset }
        }
        return end
    }

    /// The newest committed version of a page in the log.
    func page(_ number: Int) -> [UInt8]? {
        places[number].map { Array(bytes[$0..<$0 + pageBytes]) }
    }

    private func take(_ isBig: Bool, salts: (UInt32, UInt32), seed: (UInt32, UInt32), startsGood: Bool) {
        var before = seed
        var chainIsWhole = startsGood
        var commitsBehindBreak = 0
        var pending: [(page: Int, place: Int?)] = []
        var offset = Self.headerBytes
        let step = Self.frameHeaderBytes + pageBytes
        while offset + step <= bytes.count {
            defer { offset += step }
            let own = (bytes.big32(offset + 16), bytes.big32(offset + 20))
            let isOurs = bytes.big32(offset + 8) == salts.0 && bytes.big32(offset + 12) == salts.1
            guard isOurs else {
                chainIsWhole = false
                before = own
                continue
            }
            let head = Self.sum(bytes, offset, 8, isBig, before)
            let isGood = Self.sum(bytes, offset + Self.frameHeaderBytes, pageBytes, isBig, head) == own
            before = own
            if !isGood { chainIsWhole = false }
            pending.append((Int(bytes.big32(offset)), isGood ? offset + Self.frameHeaderBytes : nil))
            guard isGood, bytes.big32(offset + 4) != 0 else { continue }
            if !chainIsWhole { commitsBehindBreak += 1 }
            commit(&pending)
        }
        isDamaged = commitsBehindBreak > 1
    }

    private func commit(_ pending: inout [(page: Int, place: Int?)]) {
        for (page, place) in pending {
            guard let place else {
                brokenPages.insert(page)
                continue
            }
            places[page] = place
            brokenPages.remove(page)
            highestPage = max(highestPage, page)
        }
        pending = []
    }

    /// https://www.sqlite.org/fileformat.html#checksum_algorithm
    private static func sum(
        _ bytes: [UInt8], _ start: Int, _ count: Int, _ isBig: Bool, _ seed: (UInt32, UInt32)
    ) -> (UInt32, UInt32) {
        var (a, b) = seed
        bytes.withUnsafeBytes { bytes in
            var place = start
            while place < start + count {
                let first = bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self)
                let second = bytes.loadUnaligned(fromByteOffset: place + 4, as: UInt32.self)
                a = a &+ (isBig ? UInt32(bigEndian: first) : UInt32(littleEndian: first)) &+ b
                b = b &+ (isBig ? UInt32(bigEndian: second) : UInt32(littleEndian: second)) &+ a
                place += 8
            }
        }
        return (a, b)
    }
}
