import EventLoop

public enum HTTPMethod: String, Sendable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case delete = "DELETE"
}

/// One request, whole and checked.
public struct HTTPRequest: Equatable, Sendable {
    public var method: HTTPMethod
    public var target: HTTPTarget
    /// In their order; names in lower case, values without the white space around them.
    public var fields: [HTTPField]
    public var body: [UInt8]
    /// Another request may follow on this connection.
    public var keepsAlive: Bool

    /// The value of a field that comes once at most; nil: it didn't come.
    public subscript(name: String) -> String? { fields.first { $0.name == name }?.value }
}

/// What a request is for: path and query, percent-decoded (RFC 3986 §2.1).
public struct HTTPTarget: Equatable, Sendable {
    /// `/clients/a%2Fb` is ["clients", "a/b"]: a slash that is encoded doesn't divide.
    public var path: [String]
    public var query: [HTTPField]

    /// nil: not an absolute path, a percent sign without two digits, or no UTF-8 once decoded.
    init?(_ text: Substring) {
        guard text.utf8.first == UInt8(ascii: "/") else { return nil }
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = []
        query = []
        for segment in parts[0].dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            guard let segment = Self.decode(segment) else { return nil }
            path.append(segment)
        }
        if path.last == "" { path.removeLast() }
        guard parts.count == 2 else { return }
        for pair in parts[1].split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decode(sides[0]), let value = Self.decode(sides.count == 2 ? sides[1] : "") else {
                return nil
            }
            query.append(HTTPField(name: name, value: value))
        }
    }

    /// The first value under this name.
    public func query(_ name: String) -> String? { query.first { $0.name == name }?.value }

    private static func decode(_ text: Substring) -> String? {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
