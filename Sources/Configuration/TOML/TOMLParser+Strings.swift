/// The four kinds of strings.
extension TOMLParser {
    /// `"..."` on one line, with escapes.
    mutating func basicString() throws(TOMLError) -> String {
        let begin = origin
        var content: [UInt8] = []
        place += 1
        while let byte = peek() {
            switch byte {
            case UInt8(ascii: "\""):
                place += 1
                return String(decoding: content, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &content)
            case 0x0A, 0x0D: throw error(.unterminatedString, at: begin)
            case _ where Self.isControl(byte): throw error(.controlCharacter(byte))
            default:
                content.append(byte)
                place += 1
            }
        }
        throw error(.unterminatedString, at: begin)
    }

    /// `'...'` on one line, as it stands.
    mutating func literalString() throws(TOMLError) -> String {
        let begin = origin
        place += 1
        let start = place
        while let byte = peek() {
            switch byte {
            case UInt8(ascii: "'"):
                let content = text(from: start)
                place += 1
                return content
            case 0x0A, 0x0D: throw error(.unterminatedString, at: begin)
            case _ where Self.isControl(byte): throw error(.controlCharacter(byte))
            default: place += 1
            }
        }
        throw error(.unterminatedString, at: begin)
    }

    /// `"""..."""`, with escapes; a backslash at a line's end joins it with the next text.
    mutating func multilineBasicString() throws(TOMLError) -> String {
        let begin = origin
        var content: [UInt8] = []
        place += 3
        _ = try newline()
        while let byte = peek() {
            if try takeClosing(UInt8(ascii: "\""), into: &content) { return String(decoding: content, as: UTF8.self) }
            if byte == UInt8(ascii: "\\") {
                if try !joinLines() { try escape(into: &content) }
            } else {
                try multilineByte(byte, into: &content)
            }
        }
        throw error(.unterminatedString, at: begin)
    }

    /// `'''...'''`, as it stands.
    mutating func multilineLiteralString() throws(TOMLError) -> String {
        let begin = origin
        var content: [UInt8] = []
        place += 3
        _ = try newline()
        while let byte = peek() {
            if try takeClosing(UInt8(ascii: "'"), into: &content) { return String(decoding: content, as: UTF8.self) }
            try multilineByte(byte, into: &content)
        }
        throw error(.unterminatedString, at: begin)
    }

    /// A line's end (kept as it is written) or a byte of text.
    private mutating func multilineByte(_ byte: UInt8, into content: inout [UInt8]) throws(TOMLError) {
        let start = place
        if try newline() {
            content += bytes[start..<place]
            return
        }
        guard !Self.isControl(byte) else { throw error(.controlCharacter(byte)) }
        // Quotes were taken care of by `takeClosing`, which stops in front of a run of less than three.
        content.append(byte)
        place += 1
    }

    /// Three to five quotes close the string; one or two of these belong to it.
    private mutating func takeClosing(_ quote: UInt8, into content: inout [UInt8]) throws(TOMLError) -> Bool {
        var run = 0
        while run < 5, peek(run) == quote { run += 1 }
        guard run >= 3 else { return false }
        content += Array(repeating: quote, count: run - 3)
        place += run
        return true
    }

    /// A backslash, blanks and a line's end: steps over these and all space behind.
    private mutating func joinLines() throws(TOMLError) -> Bool {
        let saved = place
        place += 1
        skipBlanks()
        guard try newline() else {
            place = saved
            return false
        }
        repeat { skipBlanks() } while try newline()
        return true
    }

    private mutating func escape(into content: inout [UInt8]) throws(TOMLError) {
        guard let byte = peek(1) else { throw error(.unterminatedString) }
        let simple: UInt8? =
            switch byte {
            case UInt8(ascii: "b"): 0x08
            case UInt8(ascii: "t"): 0x09
            case UInt8(ascii: "n"): 0x0A
            case UInt8(ascii: "f"): 0x0C
            case UInt8(ascii: "r"): 0x0D
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): byte
            default: nil
            }
        if let simple {
            content.append(simple)
            place += 2
            return
        }
        guard byte == UInt8(ascii: "u") || byte == UInt8(ascii: "U") else {
            let shown = String(decoding: bytes[(place + 1)...].prefix(4), as: UTF8.self).prefix(1)
            throw error(.invalidEscape("\\\(shown)"))
        }
        try unicodeEscape(digits: byte == UInt8(ascii: "u") ? 4 : 8, into: &content)
    }

    private mutating func unicodeEscape(digits: Int, into content: inout [UInt8]) throws(TOMLError) {
        var code: UInt32 = 0
        for ahead in 2..<(digits + 2) {
            guard let byte = peek(ahead), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw error(.invalidEscape(digits == 4 ? "\\u without 4 hex digits" : "\\U without 8 hex digits"))
            }
            code = code << 4 | UInt32(digit)
        }
        guard let scalar = Unicode.Scalar(code) else { throw error(.invalidCodePoint) }
        content += Array(String(Character(scalar)).utf8)
        place += digits + 2
    }
}
