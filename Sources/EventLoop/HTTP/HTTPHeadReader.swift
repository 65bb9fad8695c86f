/// Reads the head of an HTTP message off the front of a connection's bytes, strictly (RFC 9112). The bytes stay where they
/// are until the head is whole; the reader remembers how far it has looked, so that one that comes byte by byte is looked at
/// once.
public struct HTTPHeadReader {
    public struct Limits: Sendable {
        /// Of the first line and all fields.
        public var bytes: Int
        public var fields: Int

        public init(bytes: Int, fields: Int) {
            self.bytes = bytes
            self.fields = fields
        }
    }

    private let limits: Limits
    /// Bytes known not to hold the head's end.
    private var searched = 0

    public init(_ limits: Limits) { self.limits = limits }

    /// The head at the front of `bytes` and its length there; nil while it isn't whole. After a head, the next call is for the
    /// bytes of the next message; else `bytes` begins where it did before, and has more.
    public mutating func read(_ bytes: UnsafeRawBufferPointer) throws(HTTPError) -> (head: HTTPHead, length: Int)? {
        // Empty lines before a message are passed over (RFC 9112 §2.2): one.
        let start = bytes.count >= 2 && bytes[0] == 13 && bytes[1] == 10 ? 2 : 0
        guard let end = try end(bytes, from: start) else { return nil }
        searched = 0
        return (try parse(UnsafeRawBufferPointer(rebasing: bytes[start..<end])), end)
    }

    /// Behind the empty line that ends the head.
    private mutating func end(_ bytes: UnsafeRawBufferPointer, from start: Int) throws(HTTPError) -> Int? {
        var index = max(searched, start)
        while index < bytes.count {
            if bytes[index] == 10 {
                guard index > start, bytes[index - 1] == 13 else { throw .bad("a line must end with CR LF") }
                if index >= start + 3, bytes[index - 2] == 10 { return index + 1 }
            }
            index += 1
            guard index <= limits.bytes else {
                throw HTTPError(.headerFieldsTooLarge, "the head has more than \(limits.bytes) bytes")
            }
        }
        searched = index
        return nil
    }

    private func parse(_ bytes: UnsafeRawBufferPointer) throws(HTTPError) -> HTTPHead {
        // All but the last line's empty one.
        var lines: [Slice<UnsafeRawBufferPointer>] = []
        var start = 0
        for index in bytes.indices where bytes[index] == 10 {
            lines.append(bytes[start..<(index - 1)])
            start = index + 1
        }
        lines.removeLast()
        guard let first = lines.first else { throw .bad("no first line") }
        guard lines.count - 1 <= limits.fields else {
            throw HTTPError(.headerFieldsTooLarge, "more than \(limits.fields) header fields")
        }
        guard let firstLine = String(validating: first, as: UTF8.self) else {
            throw .bad("the first line is not ASCII")
        }
        var fields: [HTTPField] = []
        for line in lines.dropFirst() { fields.append(try field(line)) }
        return HTTPHead(firstLine: firstLine, fields: fields)
    }

    /// NAME ":" OWS VALUE OWS (RFC 9112 §5). A folded line begins with white space, which no name has.
    private func field(_ line: Slice<UnsafeRawBufferPointer>) throws(HTTPError) -> HTTPField {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
            line[..<colon].allSatisfy(HTTPHead.isTokenByte)
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
}
