/// One header field of an HTTP message.
public struct HTTPField: Equatable, Sendable {
    /// In lower case, where it was received.
    public var name: String
    /// Without the white space around it.
    public var value: String

    public init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// The head of an HTTP/1.x message, request or response: its first line, and its fields in their order.
public struct HTTPHead: Equatable, Sendable {
    public var firstLine: String
    public var fields: [HTTPField]

    /// The values of a field that may come several times.
    public func values(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

    /// The members of a field that is a list with commas, which may be spread over several fields (RFC 9110 §5.6.1).
    public func members(_ name: String) -> [Substring] {
        fields.filter { $0.name == name }.flatMap { $0.value.split(separator: ",") }
            .map(HTTPHead.trimmed).filter { !$0.isEmpty }
    }

    /// Whether a list has a member, whatever its letters' case.
    public func lists(_ name: String, _ word: String) -> Bool { members(name).contains { $0.lowercased() == word } }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.utf8.first, first == 0x20 || first == 0x09 { text = text.dropFirst() }
        while let last = text.utf8.last, last == 0x20 || last == 0x09 { text = text.dropLast() }
        return text
    }

    // MARK: - The first line

    public struct RequestLine {
        public var method: String
        public var target: String
        public var isHTTP10: Bool
    }

    /// METHOD SP TARGET SP HTTP/1.x.
    public func requestLine() throws(HTTPError) -> RequestLine {
        guard firstLine.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw .bad("the request line is not ASCII")
        }
        let words = firstLine.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, !words[0].isEmpty, !words[1].isEmpty else {
            throw .bad("a request line is METHOD, target and version with one space between them")
        }
        guard words[0].utf8.allSatisfy(HTTPHead.isTokenByte) else { throw .bad("the method is not a token") }
        let version = words[2]
        guard version == "HTTP/1.1" || version == "HTTP/1.0" else {
            guard version.hasPrefix("HTTP/"), version.utf8.count == 8 else { throw .bad("no HTTP version") }
            throw HTTPError(.versionNotSupported, "\(version) is not served here, HTTP/1.1 is")
        }
        return RequestLine(method: String(words[0]), target: String(words[1]), isHTTP10: version == "HTTP/1.0")
    }

    public struct StatusLine: Equatable {
        public var status: Int
        /// What the server calls the status; may be empty.
        public var phrase: String
    }

    /// HTTP/1.x SP STATUS [SP PHRASE]; nil where it is something else.
    public func statusLine() -> StatusLine? {
        let words = firstLine.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard words.count >= 2, words[0] == "HTTP/1.1" || words[0] == "HTTP/1.0", words[1].utf8.count == 3,
            words[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let status = Int(words[1])
        else { return nil }
        return StatusLine(status: status, phrase: words.count == 3 ? String(words[2]) : "")
    }

    /// RFC 9110 §5.6.2.
    static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: tokenMarks.contains(byte)
        }
    }

    private static let tokenMarks = Array("!#$%&'*+-.^_`|~".utf8)
}
