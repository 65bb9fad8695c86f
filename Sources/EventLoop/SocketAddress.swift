import CLinux
import Glibc

/// A socket address as the kernel takes it.
struct SocketAddress {
    private var storage = sockaddr_storage()
    private var length: socklen_t

    var family: Int32 { Int32(storage.ss_family) }

    /// Copies an address that the kernel or the resolver gave.
    init(_ address: UnsafePointer<sockaddr>, length: socklen_t) {
        self.length = min(length, socklen_t(MemoryLayout<sockaddr_storage>.size))
        let count = Int(self.length)
        withUnsafeMutableBytes(of: &storage) { bytes in
            bytes.copyMemory(from: UnsafeRawBufferPointer(start: address, count: count))
        }
    }

    /// A numeric IPv4 or IPv6 address (with "%eth0" behind it where that matters); nil for names.
    init?(numericHost host: String, port: UInt16) {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0, let first = list else { return nil }
        defer { freeaddrinfo(first) }
        guard let address = first.pointee.ai_addr else { return nil }
        self.init(address, length: first.pointee.ai_addrlen)
    }

    /// Nil when the path is empty or longer than 107 bytes.
    init?(unixPath path: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        length = socklen_t(MemoryLayout<sockaddr_un>.size)
        withUnsafeMutableBytes(of: &storage) { target in
            withUnsafeBytes(of: &address) { target.copyMemory(from: $0) }
        }
    }

    /// The address that `socket` is bound to.
    init?(boundTo socket: Int32) {
        self.init()
        let result = withUnsafeMutablePointer(to: &storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) }
        }
        guard result == 0 else { return nil }
    }

    /// Accepts a connection together with its peer's address; nil when there is none, or an error (errno).
    static func accept(from listener: Int32) -> (socket: Int32, peer: SocketAddress)? {
        var peer = SocketAddress()
        var length = peer.length
        let socket = withUnsafeMutablePointer(to: &peer.storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { linux_accept(listener, $0, &length) }
        }
        peer.length = length
        return socket < 0 ? nil : (socket, peer)
    }

    private init() {
        length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    }

    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        withUnsafePointer(to: storage) { storage in
            storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    /// Host (numeric) and port, or the path; nil for a family nobody here uses.
    var endpoint: Endpoint? {
        switch family {
        case AF_INET, AF_INET6:
            var host = [CChar](repeating: 0, count: 64)
            var port = [CChar](repeating: 0, count: 8)
            let result = withSockaddr { address, length in
                getnameinfo(
                    address, length, &host, socklen_t(host.count), &port, socklen_t(port.count),
                    NI_NUMERICHOST | NI_NUMERICSERV)
            }
            guard result == 0, let number = UInt16(text(port)) else { return nil }
            let name = text(host)
            // An IPv4 peer of a dual-stack listener is the same host as on an IPv4 one.
            let isMapped = name.hasPrefix("::ffff:") && name.utf8.contains(UInt8(ascii: "."))
            return .tcp(host: isMapped ? String(name.dropFirst(7)) : name, port: number)
        case AF_UNIX:
            let count = Int(length) - MemoryLayout<sa_family_t>.size
            guard count > 0 else { return .unix(path: "") }
            let path = withUnsafeBytes(of: storage) { bytes in
                String(decoding: bytes[2..<(2 + count)].prefix { $0 != 0 }, as: UTF8.self)
            }
            return .unix(path: path)
        default:
            return nil
        }
    }

    private func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
