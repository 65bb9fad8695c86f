import Glibc

/// A database file and its write-ahead log as pages, read without SQLite: for what SQLite refuses to read.
///
/// https://www.sqlite.org/fileformat.html. A page that can't be read, or is gone, is nil; nothing here throws.
final class RawPages {
    enum Trust {
        /// Its checksum is right, or that of its frame in the log.
        case verified
        /// There is no checksum to tell: a database of schema 1.
        case unknown
        case broken
    }

    struct Page {
        let number: Int
        let bytes: [UInt8]
        let trust: Trust

        /// Where the b-tree header begins: behind the file's header on the first page.
        var start: Int { number == 1 ? 100 : 0 }
    }

    let pageBytes: Int
    /// Without the reserved bytes at the end.
    let usableBytes: Int
    let hasChecksums: Bool
    /// Of the file or, if that is more, named by the log.
    let pageCount: Int
    let log: RawLog?
    private let descriptor: Int32
    private let fileBytes: Int
    private var chunk: [UInt8] = []
    private var chunkOffset = -1

    /// nil where the file can't be opened, or neither it nor its log shows what a page is.
    init?(path: String, log logPath: String) {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        var status = stat()
        fileBytes = descriptor >= 0 && fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
        log = RawLog(path: logPath)
        let descriptor = descriptor
        let fileBytes = fileBytes
        let header = Self.read(descriptor, at: 0, 100)
        guard let shape = Self.shape(header: header, log: log, { Self.read(descriptor, at: $0, $1) }, fileBytes) else {
            if descriptor >= 0 { close(descriptor) }
            return nil
        }
        pageBytes = shape.pageBytes
        hasChecksums = shape.hasChecksums
        usableBytes = pageBytes - (hasChecksums ? PageChecksums.byteCount : 0)
        pageCount = max((fileBytes + pageBytes - 1) / pageBytes, log?.highestPage ?? 0)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func page(_ number: Int) -> Page? {
        guard number >= 1, number <= pageCount else { return nil }
        if let log, log.pageBytes == pageBytes, let bytes = log.page(number) {
            return Page(number: number, bytes: bytes, trust: .verified)
        }
        guard let bytes = inFile(number) else { return nil }
        guard hasChecksums else { return Page(number: number, bytes: bytes, trust: .unknown) }
        let isRight = bytes.withUnsafeBytes { PageChecksums.verifies($0, offset: Int64((number - 1) * pageBytes)) }
        return Page(number: number, bytes: bytes, trust: isRight ? .verified : .broken)
    }

    /// In large steps while pages are read in turn; what the device refuses, page by page.
    private func inFile(_ number: Int) -> [UInt8]? {
        let offset = (number - 1) * pageBytes
        guard offset + pageBytes <= fileBytes else { return nil }
        if chunkOffset < 0 || offset < chunkOffset || offset + pageBytes > chunkOffset + chunk.count {
            chunkOffset = offset
            chunk = Self.read(descriptor, at: offset, min(256 << 10, fileBytes - offset))
            if chunk.count < pageBytes { chunk = Self.read(descriptor, at: offset, pageBytes) }
            guard chunk.count >= pageBytes else { return nil }
        }
        return Array(chunk[offset - chunkOffset..<offset - chunkOffset + pageBytes])
    }

    private static func read(_ descriptor: Int32, at offset: Int, _ count: Int) -> [UInt8] {
        guard descriptor >= 0, count > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
            while done < count {
                let got = pread(descriptor, buffer.baseAddress.map { $0 + done }, count - done, off_t(offset + done))
                if got < 0, errno == EINTR { continue }
                guard got > 0 else { break }
                done += got
            }
        }
    }

    // MARK: What a page is

    private typealias Shape = (pageBytes: Int, hasChecksums: Bool)
    private static let sizes = [1024, 4096, 2048, 512, 8192, 16_384, 32_768, 65_536]
    /// Pages looked at to find out their size.
    private static let sample = 256

    /// From the header where its page verifies; else by looking which size makes sense of the file.
    private static func shape(
        header: [UInt8], log: RawLog?, _ read: (Int, Int) -> [UInt8], _ fileBytes: Int
    ) -> Shape? {
        if let first = log?.page(1), let known = shape(of: first) { return known }
        if let claimed = shape(of: header) {
            guard claimed.hasChecksums else {
                // A checksum that is there all the same says that the header is what is wrong.
                return bySample(read, fileBytes, { isSealed($0, $1) }).map { ($0, true) } ?? claimed
            }
            let page = read(0, claimed.pageBytes)
            if page.count == claimed.pageBytes, isSealed(page, 0) { return claimed }
        }
        if let size = bySample(read, fileBytes, { isSealed($0, $1) }) { return (size, true) }
        if let log { return (log.pageBytes, true) }
        if let claimed = shape(of: header) { return claimed }
        return bySample(read, fileBytes, { page, _ in RawCells.looksLikeLeaf(page) }).map { ($0, false) }
    }

    private static func shape(of header: [UInt8]) -> Shape? {
        guard header.count >= 100 else { return nil }
        let claimed = Int(header[16]) << 8 | Int(header[17])
        let size = claimed == 1 ? 65_536 : claimed
        guard sizes.contains(size), header[20] == 0 || header[20] == UInt8(PageChecksums.byteCount) else { return nil }
        return (size, header[20] != 0)
    }

    private static func isSealed(_ page: [UInt8], _ offset: Int) -> Bool {
        page.withUnsafeBytes { PageChecksums.verifies($0, offset: Int64(offset)) }
    }

    private static func bySample(
        _ read: (Int, Int) -> [UInt8], _ fileBytes: Int, _ fits: ([UInt8], Int) -> Bool
    ) -> Int? {
        var best: (size: Int, count: Int)?
        for size in sizes {
            let pages = fileBytes / size
            let step = max(1, pages / sample)
            var count = 0
            for index in stride(from: 0, to: pages, by: step) {
                let page = read(index * size, size)
                if page.count == size, fits(page, index * size) { count += 1 }
            }
            if count > best?.count ?? 0 { best = (size, count) }
        }
        return best?.size
    }
}

/// Big-endian numbers in SQLite's pages.
extension [UInt8] {
    func big16(_ place: Int) -> Int { Int(self[place]) << 8 | Int(self[place + 1]) }
    func big32(_ place: Int) -> UInt32 {
        UInt32(self[place]) << 24 | UInt32(self[place + 1]) << 16 | UInt32(self[place + 2]) << 8
            | UInt32(self[place + 3])
    }
}
