import Glibc

/// The header that a proxy puts in front of a connection, to say whose it is (HAProxy's "The PROXY protocol", versions 1 and
/// 2).
public enum ProxyHeader {
    public enum Version: Int, Sendable {
        case one = 1
        case two = 2
    }

    struct Found: Equatable {
        /// Nil: the connection is the proxy's own, or it doesn't know.
        var source: Endpoint?
        var length: Int
    }

    struct Refusal: Error, Equatable {
        var reason: String
        init(_ reason: String) { self.reason = reason }
    }

    /// What version 2 begins with (§2.2).
    static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    /// Bytes of a whole header of version 1 (§2.1), and of what follows the first 16 of version 2: the addresses, and more
    /// that the proxy may know (TLVs), which we pass over.
    static let maximumLength1 = 107
    static let maximumRest2 = 4096

    /// Takes the header off a stream that has just been accepted, and gives the stream its client's address.
    ///
    /// An address of this machine's own (loopback, a Unix socket) is believed from a proxy on this machine alone. From another
    /// one it names a process over there, whose address is that proxy's.
    public static func take(
        from stream: ByteStream, _ version: Version, until deadline: Instant,
        then next: @escaping (ByteStream) -> Void, ended: @escaping (FirstBytes.Ending) -> Void
    ) {
        FirstBytes(of: stream, until: deadline, judge: { judge($0, version, next) }, ended: ended)
    }

    private static func judge(
        _ bytes: UnsafeRawBufferPointer, _ version: Version, _ next: @escaping (ByteStream) -> Void
    ) -> FirstBytes.Verdict {
        do throws(Refusal) {
            guard let found = try read(bytes, version) else { return .needsMore }
            return .handOver(dropping: found.length) { stream in
                if let source = found.source, !source.isOfThisMachine || isOfThisMachine(stream.peer) {
                    stream.peer = source.description
                }
                next(stream)
            }
        } catch {
            return .refuse("PROXY: \(error.reason)")
        }
    }

    private static func isOfThisMachine(_ peer: String) -> Bool {
        Endpoint(parsing: peer)?.isOfThisMachine ?? false
    }

    /// Nil while it isn't whole.
    static func read(_ bytes: UnsafeRawBufferPointer, _ version: Version) throws(Refusal) -> Found? {
        let (beginning, other): ([UInt8], [UInt8]) =
            version == .one ? (Array("PROXY ".utf8), signature) : (signature, Array("PROXY ".utf8))
        let count = min(bytes.count, beginning.count)
        guard bytes[..<count].elementsEqual(beginning[..<count]) else {
            // Enough for telling them apart: no other protocol begins so.
            let isOther = bytes.count >= 5 && bytes[..<5].elementsEqual(other[..<5])
            guard isOther else { throw Refusal("there is no header in front of the connection") }
            let sent = version == .one ? 2 : 1
            throw Refusal("the header is of version \(sent), and the listener has proxy_protocol = \(version.rawValue)")
        }
        guard count == beginning.count else { return nil }
        return version == .one ? try readText(bytes) : try readBinary(bytes)
    }

    // MARK: - Version 1

    /// "PROXY TCP4 192.0.2.1 192.0.2.2 51234 1883" CR LF.
    private static func readText(_ bytes: UnsafeRawBufferPointer) throws(Refusal) -> Found? {
        guard let end = bytes.prefix(maximumLength1).firstIndex(of: 10) else {
            guard bytes.count < maximumLength1 else {
                throw Refusal("the header has more than \(maximumLength1) bytes")
            }
            return nil
        }
        guard bytes[end - 1] == 13, bytes[..<end].allSatisfy({ $0 < 0x80 }) else { throw malformed }
        let line = String(decoding: bytes[..<(end - 1)], as: UTF8.self)
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        // Whatever follows it means nothing.
        if words[1] == "UNKNOWN" { return Found(source: nil, length: end + 1) }
        guard words.count == 6, words[1] == "TCP4" || words[1] == "TCP6" else { throw malformed }
        let family = words[1] == "TCP4" ? AF_INET : AF_INET6
        guard let source = address(words[2], family), address(words[3], family) != nil, let number = port(words[4]),
            port(words[5]) != nil
        else { throw malformed }
        return Found(source: .tcp(host: source, port: number), length: end + 1)
    }

    private static var malformed: Refusal { Refusal("the header is malformed") }

    private static func port(_ text: Substring) -> UInt16? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), text == "0" || text.first != "0"
        else {
            return nil
        }
        return UInt16(text)
    }

    /// The address as the kernel writes it; nil: it isn't one.
    private static func address(_ text: Substring, _ family: Int32) -> String? {
        var bytes = [UInt8](repeating: 0, count: 16)
        guard inet_pton(family, String(text), &bytes) == 1 else { return nil }
        return shown(bytes.prefix(family == AF_INET ? 4 : 16), family)
    }

    // MARK: - Version 2

    private static func readBinary(_ bytes: UnsafeRawBufferPointer) throws(Refusal) -> Found? {
        guard bytes.count >= 16 else { return nil }
        guard bytes[12] >> 4 == 2 else { throw malformed }
        let rest = Int(bytes[14]) << 8 | Int(bytes[15])
        guard rest <= maximumRest2 else {
            throw Refusal("the header has \(16 + rest) bytes, \(16 + maximumRest2) are taken")
        }
        guard bytes.count >= 16 + rest else { return nil }
        let body = bytes[16..<(16 + rest)]
        switch bytes[12] & 0x0F {
        case 0: return Found(source: nil, length: 16 + rest)
        case 1: return Found(source: try source(bytes[13], body), length: 16 + rest)
        default: throw malformed
        }
    }

    /// Families other than those of a stream can't have come here, but for the unspecified one, which tells nothing.
    private static func source(_ family: UInt8, _ body: Slice<UnsafeRawBufferPointer>) throws(Refusal) -> Endpoint? {
        func tcp(_ family: Int32, _ size: Int) throws(Refusal) -> Endpoint {
            guard body.count >= 2 * size + 4, let host = shown(body.prefix(size), family) else { throw malformed }
            let port = body.dropFirst(2 * size).prefix(2).reduce(UInt16(0)) { $0 << 8 | UInt16($1) }
            return .tcp(host: host, port: port)
        }
        switch family {
        case 0x00: return nil
        case 0x11: return try tcp(AF_INET, 4)
        case 0x21: return try tcp(AF_INET6, 16)
        case 0x31:
            guard body.count >= 216 else { throw malformed }
            // Clients' ends of Unix sockets hardly ever have a name.
            let path = body.prefix(108).prefix { $0 != 0 }
            guard !path.isEmpty, path.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { return nil }
            return .unix(path: String(decoding: path, as: UTF8.self))
        default: throw malformed
        }
    }

    private static func shown(_ address: some Sequence<UInt8>, _ family: Int32) -> String? {
        var text = [CChar](repeating: 0, count: 64)
        guard inet_ntop(family, Array(address), &text, socklen_t(text.count)) != nil else { return nil }
        let name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let isMapped = name.hasPrefix("::ffff:") && name.utf8.contains(UInt8(ascii: "."))
        return isMapped ? String(name.dropFirst(7)) : name
    }
}
