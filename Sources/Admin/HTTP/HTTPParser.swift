import EventLoop

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
    private var reader: HTTPHeadReader
    /// A head that is waiting for its body, and the head's length.
    private var head: (request: HTTPRequest, length: Int, bodyLength: Int)?

    init(_ limits: Limits = Limits()) {
        self.limits = limits
        reader = HTTPHeadReader(HTTPHeadReader.Limits(bytes: limits.head, fields: limits.fields))
    }

    /// The request at the front of `bytes` and its length there; nil while it isn't whole. After a request, the next call is
    /// for the bytes behind it; else `bytes` begins where it did before, and has more.
    mutating func parse(_ bytes: UnsafeRawBufferPointer) throws(HTTPError) -> (request: HTTPRequest, length: Int)? {
        if head == nil {
            guard let (found, length) = try reader.read(bytes) else { return nil }
            head = try read(found, length: length)
        }
        guard let head, bytes.count >= head.length + head.bodyLength else { return nil }
        let length = head.length + head.bodyLength
        var request = head.request
        request.body = [UInt8](bytes[head.length..<length])
        self.head = nil
        return (request, length)
    }

    // MARK: - The head

    private func read(_ head: HTTPHead, length: Int) throws(HTTPError) -> (HTTPRequest, Int, Int) {
        let line = try head.requestLine()
        guard line.target.utf8.count <= limits.target else {
            throw HTTPError(.uriTooLong, "the target has more than \(limits.target) bytes")
        }
        guard let method = HTTPMethod(rawValue: line.method) else {
            throw HTTPError(.notImplemented, "the method \(line.method) is not known here")
        }
        let target = try Self.target(line.target)
        var fields = head.fields
        if let authority = target.authority {
            // RFC 9112 §3.2.2: an absolute form's authority stands for the Host field.
            fields.removeAll { $0.name == "host" }
            fields.append(HTTPField(name: "host", value: authority))
        }
        let bodyLength = try Self.bodyLength(fields, maximum: limits.body)
        try Self.checkHost(fields, isHTTP10: line.isHTTP10)
        if let expectation = fields.first(where: { $0.name == "expect" })?.value {
            throw HTTPError(.expectationFailed, "Expect: \(expectation) is not met; send the body at once")
        }
        let keepsAlive = line.isHTTP10 ? head.lists("connection", "keep-alive") : !head.lists("connection", "close")
        let request = HTTPRequest(
            method: method, target: target.target, fields: fields, body: [], keepsAlive: keepsAlive)
        return (request, length, bodyLength)
    }

    private typealias Target = (target: HTTPTarget, authority: String?)

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
}
