/// Reads TOML 1.0 into `TOMLTable`, every key and value with its place. It never crashes: the text's size and the depth
/// of nesting are bounded, numbers are checked, and the first thing that is not TOML ends it with a `TOMLError`.
public struct TOMLParser {
    /// Tables and arrays inside one another, headers and dotted keys included.
    public static let maximumDepth = 64
    public static let maximumBytes = 16 << 20

    let bytes: [UInt8]
    var place = 0
    var line = 1
    var lineStart = 0

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Parses a whole document.
    public static func parse(_ bytes: [UInt8]) throws(TOMLError) -> TOMLTable {
        var parser = TOMLParser(bytes)
        guard bytes.count <= maximumBytes else { throw parser.error(.tooLarge) }
        try parser.checkUTF8()
        return try parser.document()
    }

    public static func parse(_ text: String) throws(TOMLError) -> TOMLTable {
        try parse(Array(text.utf8))
    }

    /// Parses one value that is the whole text, as in `--set KEY=VALUE`.
    public static func value(_ text: String) throws(TOMLError) -> TOMLNode {
        var parser = TOMLParser(Array(text.utf8))
        guard parser.bytes.count <= maximumBytes else { throw parser.error(.tooLarge) }
        parser.skipBlanks()
        let value = try parser.value(depth: 1)
        parser.skipBlanks()
        guard parser.isAtEnd else { throw parser.error(.expected("the end of the value")) }
        return value.frozen()
    }

    /// Parses a dotted key that is the whole text: its parts.
    public static func key(_ text: String) throws(TOMLError) -> [String] {
        var parser = TOMLParser(Array(text.utf8))
        guard parser.bytes.count <= maximumBytes else { throw parser.error(.tooLarge) }
        parser.skipBlanks()
        let parts = try parser.dottedKey(depth: 0)
        guard parser.isAtEnd else { throw parser.error(.expected("the end of the key")) }
        return parts.map(\.name)
    }

    private mutating func document() throws(TOMLError) -> TOMLTable {
        let root = TableBuilder(.header, origin: origin)
        var current = root
        var depth = 1
        while true {
            try skipBlankLines()
            guard let byte = peek() else { return root.frozen() }
            if byte == UInt8(ascii: "[") {
                (current, depth) = try header(root)
            } else {
                try keyAndValue(into: current, depth: depth)
            }
            try endOfLine()
        }
    }

    // MARK: Bytes

    var isAtEnd: Bool { place >= bytes.count }

    func peek(_ ahead: Int = 0) -> UInt8? {
        place + ahead < bytes.count ? bytes[place + ahead] : nil
    }

    /// Steps over a byte if it comes next.
    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard peek() == UInt8(ascii: character) else { return false }
        place += 1
        return true
    }

    func follows(_ text: StaticString) -> Bool {
        guard bytes.count - place >= text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { bytes[place..<(place + $0.count)].elementsEqual($0) }
    }

    var origin: TOMLOrigin { .file(line: line, column: place - lineStart + 1) }

    func error(_ reason: TOMLError.Reason) -> TOMLError {
        TOMLError(reason: reason, line: line, column: place - lineStart + 1)
    }

    func error(_ reason: TOMLError.Reason, at origin: TOMLOrigin) -> TOMLError {
        guard case .file(let line, let column) = origin else { return error(reason) }
        return TOMLError(reason: reason, line: line, column: column)
    }

    func text(from start: Int) -> String {
        String(decoding: bytes[start..<place], as: UTF8.self)
    }

    // MARK: Space, lines and comments

    mutating func skipBlanks() {
        while let byte = peek(), byte == 0x20 || byte == 0x09 { place += 1 }
    }

    /// Steps over a line's end if it comes next.
    mutating func newline() throws(TOMLError) -> Bool {
        switch peek() {
        case 0x0A: place += 1
        case 0x0D:
            guard peek(1) == 0x0A else { throw error(.bareCarriageReturn) }
            place += 2
        default: return false
        }
        line += 1
        lineStart = place
        return true
    }

    mutating func skipComment() throws(TOMLError) {
        guard peek() == UInt8(ascii: "#") else { return }
        while let byte = peek(), byte != 0x0A {
            if byte == 0x0D, peek(1) == 0x0A { return }
            guard !Self.isControl(byte) else { throw error(.controlCharacter(byte)) }
            place += 1
        }
    }

    /// Steps over spaces, comments and lines' ends.
    mutating func skipBlankLines() throws(TOMLError) {
        repeat {
            skipBlanks()
            try skipComment()
        } while try newline()
    }

    private mutating func endOfLine() throws(TOMLError) {
        skipBlanks()
        try skipComment()
        guard try newline() || isAtEnd else { throw error(.expected("the end of the line")) }
    }

    /// What may stand in neither comments nor strings; the tab may.
    static func isControl(_ byte: UInt8) -> Bool {
        (byte < 0x20 && byte != 0x09) || byte == 0x7F
    }

    private mutating func checkUTF8() throws(TOMLError) {
        do {
            _ = try UTF8Span(validating: bytes.span)
        } catch {
            for byte in bytes[..<error.byteOffsets.lowerBound] {
                place += 1
                guard byte == 0x0A else { continue }
                line += 1
                lineStart = place
            }
            throw self.error(.notUTF8)
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            place = 3
            lineStart = 3
        }
    }
}
