/// Where to listen or connect: a host and port, or a Unix socket's path.
public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// The host is a name, or an IPv4 or IPv6 address without brackets.
    case tcp(host: String, port: UInt16)
    case unix(path: String)

    /// Reads "host:port", "192.0.2.1:1883", "[::1]:1883" or "unix:/path"; nil for anything else. An IPv6 address needs its
    /// brackets, an empty host stands for every address ("0.0.0.0").
    public init?(parsing text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty, !path.utf8.contains(0) else { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        let digits = text.utf8[text.utf8.index(after: colon)...]
        guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(String(text[digits.startIndex...]))
        else { return nil }
        var host = String(text[..<colon])
        if host.hasPrefix("[") && host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard host.utf8.contains(UInt8(ascii: ":")) else { return nil }
        } else if host.utf8.contains(UInt8(ascii: ":")) || host.utf8.contains(UInt8(ascii: "[")) {
            return nil
        }
        guard !host.utf8.contains(where: { $0 <= 0x20 || $0 == UInt8(ascii: "/") }) else { return nil }
        self = .tcp(host: host.isEmpty ? "0.0.0.0" : host, port: port)
    }

    /// Whoever connects from here is on this machine: a Unix socket, or a loopback address, also as a dual-stack socket shows it.
    public var isOfThisMachine: Bool {
        switch self {
        case .unix: true
        case .tcp(let host, _): host.hasPrefix("127.") || host == "::1" || host.hasPrefix("::ffff:127.")
        }
    }

    public var description: String {
        switch self {
        case .tcp(let host, let port): host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
