/// Reads requests of HTTP/1.1 and 1.0 off the front of a connection's bytes, strictly (RFC 9112): what is wrong is an error,
/// never a guess, since guesses that differ between two programs are how requests get smuggled.
///
/// The bytes stay where they are until a request is whole; the parser remembers how far it has looked, so that a request
/// that comes byte by byte is looked at once. A body has a Content-Length; chunks are not taken.
struct HTTPParser {
    struct Limits {
        /// Bytes of the request line and all fields.
        var head = 16 * 1024
        /// Bytes of the target.
        var target = 8 * 1024
        var fields = 64
        var body = 64 * 1024
    }

    private let limits: Limits
    /// Bytes known not to hold the head's end.
    private var searched = 0
    /// A head that is waiting for its body, and the head's length.
    private var head: (request: HTTPRequest, length: Int, bodyLength: Int)?

    init(_ limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Whether a request has begun that isn't whole.
    var isInside: Bool { searched > 0 || head != nil }

    /// The request at the front of `bytes` and its length there; nil while it isn't whole. After a request, the next call is
    /// for the bytes behind it; else `bytes` begins where it did before, and has more.
    mutating func parse(_ bytes: UnsafeRawBufferPointer) throws(HTTPError) -> (request: HTTPRequest, length: Int)? {
        if head == nil {
            // Empty lines before a request are passed over (RFC 9112 §2.2): one.
            let start = bytes.count >= 2 && bytes[0] == 13 && bytes[1] == 10 ? 2 : 0
            guard let end = try headEnd(bytes, from: start) else { return nil }
            head = try read(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), length: end)
        }
        guard let head, bytes.count >= head.length + head.bodyLength else { return nil }
        let length = head.length + head.bodyLength
        var request = head.request
        request.body = [UInt8](bytes[head.length..<length])
        self.head = nil
        searched = 0
        return (request, length)
    }

    /// Behind the empty line that ends the head.
    private mutating func headEnd(_ bytes: UnsafeRawBufferPointer, from start: Int) throws(HTTPError) -> Int? {
        var index = max(searched, start)
        while index < bytes.count {
            if bytes[index] == 10 {
                guard index > start, bytes[index - 1] == 13 else { throw .bad("a line must end with CR LF") }
                if index >= start + 3, bytes[index - 2] == 10 { return index + 1 }
            }
            index += 1
            guard index <= limits.head else {
                throw HTTPError(.headerFieldsTooLarge, "the request's head has more than \(limits.head) bytes")
            }
        }
        searched = index
        return nil
    }

    // MARK: - The head

    private func read(
        _ bytes: UnsafeRawBufferPointer, length: Int
    ) throws(HTTPError) -> (HTTPRequest, Int, Int) {
        // All but the last line's empty one.
        var lines: [Slice<UnsafeRawBufferPointer>] = []
        var start = 0
        for index in bytes.indices where bytes[index] == 10 {
            lines.append(bytes[start..<(index - 1)])
            start = index + 1
        }
        lines.removeLast()
        guard let first = lines.first else { throw .bad("no request line") }
        guard lines.count - 1 <= limits.fields else {
            throw HTTPError(.headerFieldsTooLarge, "more than \(limits.fields) header fields")
        }
        let (method, target, isHTTP10) = try requestLine(first)
        var fields: [HTTPField] = []
        for line in lines.dropFirst() { fields.append(try field(line)) }
        if let authority = target.authority {
            // RFC 9112 §3.2.2: an absolute form's authority stands for the Host field.
            fields.removeAll { $0.name == "host" }
            fields.append(HTTPField(name: "host", value: authority))
        }
        let bodyLength = try Self.bodyLength(fields, maximum: limits.body)
        try Self.checkHost(fields, isHTTP10: isHTTP10)
        if let expectation = Self.only("expect", fields) {
            throw HTTPError(.expectationFailed, "Expect: \(expectation) is not met; send the body at once")
        }
        let words = fields.filter { $0.name == "connection" }.flatMap { $0.value.split(separator: ",") }
            .map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
        let keepsAlive = isHTTP10 ? words.contains("keep-alive") : !words.contains("close")
        let request = HTTPRequest(
            method: method, target: target.target, fields: fields, body: [], keepsAlive: keepsAlive)
        return (request, length, bodyLength)
    }

    private typealias Target = (target: HTTPTarget, authority: String?)

    /// METHOD SP TARGET SP HTTP/1.x.
    private func requestLine(
        _ line: Slice<UnsafeRawBufferPointer>
    ) throws(HTTPError) -> (HTTPMethod, Target, isHTTP10: Bool) {
        guard line.allSatisfy({ (0x20...0x7E).contains($0) }) else { throw .bad("the request line is not ASCII") }
        let words = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard words.count == 3, !words[0].isEmpty, !words[1].isEmpty else {
            throw .bad("a request line is METHOD, target and version with one space between them")
        }
        guard words[0].allSatisfy(Self.isTokenByte) else { throw .bad("the method is not a token") }
        let version = String(decoding: words[2], as: UTF8.self)
        guard version == "HTTP/1.1" || version == "HTTP/1.0" else {
            guard version.hasPrefix("HTTP/"), version.utf8.count == 8 else { throw .bad("no HTTP version") }
            throw HTTPError(.versionNotSupported, "\(version) is not served here, HTTP/1.1 is")
        }
        guard words[1].count <= limits.target else {
            throw HTTPError(.uriTooLong, "the target has more than \(limits.target) bytes")
        }
        let name = String(decoding: words[0], as: UTF8.self)
        guard let method = HTTPMethod(rawValue: name) else {
            throw HTTPError(.notImplemented, "the method \(name) is not known here")
        }
        return (method, try Self.target(String(decoding: words[1], as: UTF8.self)), version == "HTTP/1.0")
    }

    /// Origin form, or the absolute form that a Server must take too (RFC 9112 §3.2.2).
    private static func target(_ text: String) throws(HTTPError) -> Target {
        var path = text[...]
        var authority: String?
        if text.lowercased().hasPrefix("http://") {
            let rest = text.dropFirst(7)
            let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            authority = String(rest[..<end])
            path = rest[end...]
            if path.first != "/" { path = "/" + path }
        }
        guard !path.utf8.contains(UInt8(ascii: "#")), let target = HTTPTarget(path) else {
            throw .bad("the target is not a path, or its percent-encoding is wrong")
        }
        return (target, authority)
    }

    /// NAME ":" OWS VALUE OWS (RFC 9112 §5). A folded line begins with white space, which no name has.
    private func field(_ line: Slice<UnsafeRawBufferPointer>) throws(HTTPError) -> HTTPField {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
            line[..<colon].allSatisfy(Self.isTokenByte)
        else { throw .bad("a header field is NAME: VALUE") }
        var value = line[(colon + 1)...]
        while let byte = value.first, byte == 0x20 || byte == 0x09 { value = value.dropFirst() }
        while let byte = value.last, byte == 0x20 || byte == 0x09 { value = value.dropLast() }
        guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            throw .bad("a control character in a header field")
        }
        return HTTPField(
            name: String(decoding: line[..<colon], as: UTF8.self).lowercased(),
            value: String(decoding: value, as: UTF8.self))
    }

    private static func bodyLength(_ fields: [HTTPField], maximum: Int) throws(HTTPError) -> Int {
        let lengths = fields.filter { $0.name == "content-length" }
        guard !fields.contains(where: { $0.name == "transfer-encoding" }) else {
            guard lengths.isEmpty else { throw .bad("Transfer-Encoding and Content-Length in one request") }
            throw HTTPError(.notImplemented, "Transfer-Encoding is not taken; send Content-Length")
        }
        guard lengths.count <= 1 else { throw .bad("more than one Content-Length") }
        guard let text = lengths.first?.value else { return 0 }
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw .bad("Content-Length is not a number")
        }
        // Digits alone: what is no Int is too large.
        guard let length = Int(text), length <= maximum else {
            throw HTTPError(.contentTooLarge, "the body has more than \(maximum) bytes")
        }
        return length
    }

    private static func checkHost(_ fields: [HTTPField], isHTTP10: Bool) throws(HTTPError) {
        let count = fields.count { $0.name == "host" }
        guard count == 1 || (count == 0 && isHTTP10) else {
            throw .bad(count == 0 ? "no Host field" : "more than one Host field")
        }
    }

    private static func only(_ name: String, _ fields: [HTTPField]) -> String? {
        fields.first { $0.name == name }?.value
    }

    /// RFC 9110 §5.6.2.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: tokenMarks.contains(byte)
        }
    }

    private static let tokenMarks = Array("!#$%&'*+-.^_`|~".utf8)
}
