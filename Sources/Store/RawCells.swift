/// The cells of one b-tree page, as far as they make sense: rows of leaves, children of interior pages.
///
/// https://www.sqlite.org/fileformat.html#b_tree_pages. Nothing is believed: every offset and length is checked, and what
/// doesn't fit is left out.
struct RawCells {
    enum Kind: UInt8 {
        case interiorIndex = 2
        case interiorTable = 5
        case leafIndex = 10
        case leafTable = 13

        var isInterior: Bool { self == .interiorIndex || self == .interiorTable }
        /// Holds rows: tables without rowid keep some in interior pages too.
        var hasRows: Bool { self != .interiorTable }
    }

    struct Row {
        /// nil in an index, or a table without rowid.
        var rowid: Int64?
        var values: [RawValue]
        /// No page that it lies on failed its checksum.
        var isIntact: Bool
        /// The overflow pages that it takes.
        var chain: [Int]
    }

    let kind: Kind
    let page: RawPages.Page
    private let offsets: [Int]
    /// Cells that lie nowhere.
    private let dropped: Int

    /// nil for what is no b-tree page.
    init?(_ page: RawPages.Page, usable: Int) {
        let bytes = page.bytes
        let start = page.start
        guard let kind = Kind(rawValue: bytes[start]) else { return nil }
        self.kind = kind
        self.page = page
        let count = bytes.big16(start + 3)
        let first = start + (kind.isInterior ? 12 : 8)
        guard first + 2 * count <= usable else { return nil }
        let claimed = (0..<count).map { bytes.big16(first + 2 * $0) }
        offsets = claimed.filter { $0 >= first + 2 * count && $0 < usable - 3 }
        dropped = count - offsets.count
    }

    /// In the order of the tree: the last is behind all cells.
    var children: [Int] {
        guard kind.isInterior else { return [] }
        return offsets.map { Int(page.bytes.big32($0)) } + [Int(page.bytes.big32(page.start + 8))]
    }

    /// Hands on each row; returns how many cells are none.
    func forEachRow<Failure: Error>(
        in pages: RawPages, _ body: (Row) throws(Failure) -> Void
    ) throws(Failure) -> Int {
        var broken = dropped
        guard kind.hasRows else { return 0 }
        for offset in offsets {
            if let row = row(at: offset, in: pages) { try body(row) } else { broken += 1 }
        }
        return broken
    }

    private func row(at offset: Int, in pages: RawPages) -> Row? {
        var place = offset + (kind == .interiorIndex ? 4 : 0)
        let bytes = page.bytes
        guard let length = RawValue.varint(bytes, &place, end: pages.usableBytes), length >= 1,
            length <= Int64(min(pages.pageCount * pages.pageBytes, 1 << 28))
        else { return nil }
        var rowid: Int64?
        if kind == .leafTable {
            guard let id = RawValue.varint(bytes, &place, end: pages.usableBytes) else { return nil }
            rowid = id
        }
        var row = Row(rowid: rowid, values: [], isIntact: page.trust != .broken, chain: [])
        guard let payload = payload(Int(length), at: place, in: pages, &row),
            let values = RawValue.record(payload)
        else { return nil }
        row.values = values
        return row
    }

    /// https://www.sqlite.org/fileformat.html#cell_payload_overflow_pages
    private func payload(_ length: Int, at place: Int, in pages: RawPages, _ row: inout Row) -> [UInt8]? {
        let usable = pages.usableBytes
        let maximum = kind == .leafTable ? usable - 35 : (usable - 12) * 64 / 255 - 23
        let minimum = (usable - 12) * 32 / 255 - 23
        var local = length
        if length > maximum {
            let fitting = minimum + (length - minimum) % (usable - 4)
            local = fitting <= maximum ? fitting : minimum
        }
        guard place + local + (local < length ? 4 : 0) <= usable else { return nil }
        guard local < length else { return Array(page.bytes[place..<place + local]) }
        var payload = Array(page.bytes[place..<place + local])
        payload.reserveCapacity(length)
        var next = Int(page.bytes.big32(place + local))
        while payload.count < length {
            guard let overflow = pages.page(next) else { return nil }
            if overflow.trust == .broken { row.isIntact = false }
            row.chain.append(next)
            payload += overflow.bytes[4..<4 + min(usable - 4, length - payload.count)]
            next = Int(overflow.bytes.big32(0))
        }
        return payload
    }

    /// For guessing what a page is where no header says.
    static func looksLikeLeaf(_ bytes: [UInt8]) -> Bool {
        guard bytes[0] == Kind.leafTable.rawValue || bytes[0] == Kind.leafIndex.rawValue else { return false }
        let count = bytes.big16(3)
        let content = bytes.big16(5)
        guard count > 0, 8 + 2 * count <= content, content < bytes.count else { return false }
        return (0..<count).allSatisfy { bytes.big16(8 + 2 * $0) >= content && bytes.big16(8 + 2 * $0) < bytes.count }
    }
}

/// A column of a record: https://www.sqlite.org/fileformat.html#record_format
enum RawValue: Equatable {
    case null
    case integer(Int64)
    /// None of ours.
    case real
    case blob([UInt8])
    case text([UInt8])

    var integer: Int64? {
        if case .integer(let value) = self { return value }
        return nil
    }

    var blob: [UInt8]? {
        if case .blob(let bytes) = self { return bytes }
        return nil
    }

    var text: String? {
        if case .text(let bytes) = self { return String(decoding: bytes, as: UTF8.self) }
        return nil
    }

    static func record(_ payload: [UInt8]) -> [RawValue]? {
        var place = 0
        guard let header = varint(payload, &place, end: payload.count), header >= 1, header <= Int64(payload.count)
        else {
            return nil
        }
        let end = Int(header)
        var content = end
        var values: [RawValue] = []
        while place < end {
            guard let type = varint(payload, &place, end: end), type >= 0, let size = size(of: type),
                size <= payload.count - content
            else { return nil }
            values.append(value(type, payload, content, size))
            content += size
        }
        return place == end && content == payload.count ? values : nil
    }

    private static func size(of type: Int64) -> Int? {
        switch type {
        case 0, 8, 9: 0
        case 1, 2, 3, 4: Int(type)
        case 5: 6
        case 6, 7: 8
        case 10, 11: nil
        default: Int(exactly: (type - 12) / 2)
        }
    }

    private static func value(_ type: Int64, _ bytes: [UInt8], _ place: Int, _ size: Int) -> RawValue {
        switch type {
        case 0: return .null
        case 7: return .real
        case 8: return .integer(0)
        case 9: return .integer(1)
        case 1...6:
            var value = Int64(Int8(bitPattern: bytes[place]))
            for byte in bytes[place + 1..<place + size] { value = value << 8 | Int64(byte) }
            return .integer(value)
        default:
            let content = Array(bytes[place..<place + size])
            return type % 2 == 0 ? .blob(content) : .text(content)
        }
    }

    /// Up to nine bytes, big-endian; the ninth gives all its bits.
    static func varint(_ bytes: [UInt8], _ place: inout Int, end: Int) -> Int64? {
        var value: UInt64 = 0
        for index in 0..<9 {
            guard place < end else { return nil }
            let byte = bytes[place]
            place += 1
            if index == 8 { return Int64(bitPattern: value << 8 | UInt64(byte)) }
            value = value << 7 | UInt64(byte & 0x7F)
            if byte < 0x80 { return Int64(bitPattern: value) }
        }
        return nil
    }
}
