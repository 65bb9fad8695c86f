/// An address to listen on: `host:port`, `[::]:port` or `unix:/path`.
public enum Endpoint: Sendable, Equatable {
    /// The host without brackets.
    case network(host: String, port: UInt16)
    case unix(path: String)

    /// As it is written in the configuration.
    public var description: String {
        switch self {
        case .network(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// Whether only this machine reaches it.
    public var isLoopback: Bool {
        switch self {
        case .network("localhost", _), .network("::1", _): true
        // Digits and dots only: 127.example.org is a name like any other.
        case .network(let host, _): host.hasPrefix("127.") && host.allSatisfy { $0 == "." || ("0"..."9").contains($0) }
        case .unix: true
        }
    }

    /// Reads an address; the refusal says what is wrong with it.
    init(_ text: String) throws(Refusal) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty else { throw Refusal("\"unix:\" wants a path (unix:/run/roost/mqtt.sock)") }
            // sockaddr_un.sun_path holds 108 bytes with its terminator.
            guard path.utf8.count < 108 else { throw Refusal("a Unix socket's path has at most 107 bytes") }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":") else {
            throw Refusal("\"\(text)\" is not host:port, [::]:port or unix:/path")
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw Refusal("\"\(text)\": an IPv6 address stands in brackets ([::1]:1883)")
        }
        guard !host.isEmpty else { throw Refusal("\"\(text)\" has no host (0.0.0.0 or [::] for all addresses)") }
        self = .network(host: String(host), port: try Self.port(text[text.index(after: colon)...]))
    }

    static func port(_ text: Substring) throws(Refusal) -> UInt16 {
        guard let port = UInt16(text), port > 0, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw Refusal("\(text.isEmpty ? "nothing" : String(text)) is not a port (1-65535)")
        }
        return port
    }
}
