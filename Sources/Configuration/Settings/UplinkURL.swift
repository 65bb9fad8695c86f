/// An upstream's address: `mqtt://`, `mqtts://`, `ws://` or `wss://`, a host, maybe a port, for WebSocket maybe a path.
public struct UplinkURL: Sendable, Equatable {
    /// What is spoken to the upstream.
    public enum Scheme: String, Sendable, CaseIterable {
        case mqtt
        case mqtts
        case ws
        case wss
    }

    public var scheme: Scheme
    /// Without brackets.
    public var host: String
    public var port: UInt16
    /// `/mqtt` where a WebSocket URL has none; empty for the others.
    public var path: String

    public init(scheme: Scheme, host: String, port: UInt16, path: String = "") {
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path
    }

    public var usesTLS: Bool { scheme == .mqtts || scheme == .wss }
    public var usesWebSocket: Bool { scheme == .ws || scheme == .wss }
    /// Whether the host is this machine.
    public var isLoopback: Bool { Endpoint.network(host: host, port: port).isLoopback }

    public var description: String {
        "\(scheme.rawValue)://\(host.contains(":") ? "[\(host)]" : host):\(port)\(path)"
    }

    /// Reads a URL; the refusal says what is wrong with it.
    init(_ text: String) throws(Refusal) {
        let allowed = "mqtt, mqtts, ws or wss"
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else {
            throw Refusal("\"\(text)\" is not a URL (scheme://host:port, the scheme \(allowed))")
        }
        var authority = text[colon...].dropFirst(3)
        var path = Substring()
        if let slash = authority.firstIndex(where: { $0 == "/" || $0 == "?" }) {
            path = authority[slash...]
            authority = authority[..<slash]
        }
        guard !authority.contains("@") else {
            // Before anything else and without the text: it may hold a password.
            throw Refusal("a login does not belong into a URL: use username and password_file")
        }
        let word = text[..<colon]
        guard let scheme = Scheme(rawValue: word.lowercased()) else {
            throw Refusal(
                "\"\(text)\": the scheme \(word.isEmpty ? "is missing, it" : "\"\(word)\"") is not \(allowed)")
        }
        self.scheme = scheme
        (host, port) = try Self.hostAndPort(authority, scheme, in: text)
        let webSocket = scheme == .ws || scheme == .wss
        guard webSocket || path.isEmpty || path == "/" else {
            throw Refusal("\"\(text)\": only ws and wss URLs have a path")
        }
        guard path.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }) else {
            throw Refusal("\"\(text)\": a path is ASCII, without spaces or #")
        }
        self.path = webSocket ? (path.hasPrefix("/") ? String(path) : "/mqtt\(path)") : ""
    }

    private static func hostAndPort(
        _ authority: Substring, _ scheme: Scheme, in text: String
    ) throws(Refusal) -> (String, UInt16) {
        var host = authority
        var rest = Substring()
        if authority.hasPrefix("[") {
            guard let close = authority.firstIndex(of: "]") else {
                throw Refusal("\"\(text)\": the bracket is not closed")
            }
            host = authority[authority.index(after: authority.startIndex)..<close]
            rest = authority[authority.index(after: close)...]
        } else if let colon = authority.firstIndex(of: ":") {
            host = authority[..<colon]
            rest = authority[colon...]
        }
        guard !host.isEmpty else { throw Refusal("\"\(text)\" has no host") }
        guard !host.contains(where: { $0.isWhitespace }) else { throw Refusal("\"\(text)\": a host has no spaces") }
        guard !rest.isEmpty else { return (String(host), scheme.defaultPort) }
        guard rest.hasPrefix(":") else { throw Refusal("\"\(text)\" is not a URL (scheme://host:port)") }
        return (String(host), try Endpoint.port(rest.dropFirst()))
    }
}

extension UplinkURL.Scheme {
    /// As registered with IANA; for WebSocket that of HTTP.
    public var defaultPort: UInt16 {
        switch self {
        case .mqtt: 1883
        case .mqtts: 8883
        case .ws: 80
        case .wss: 443
        }
    }
}
