import ArgumentParser
import Glibc

/// Where roostd's admin socket is; shared by every command that asks the daemon.
struct AdminOptions: ParsableArguments {
    @Option(
        help: "roostd's admin socket. Default: $ROOST_SOCKET, then data/admin.sock, then /var/lib/roost/admin.sock.")
    var socket: String?

    @Flag(help: "Print JSON instead of text.")
    var json = false

    /// What was asked for, else the first that exists, else the first.
    var path: String {
        if let socket { return socket }
        if let variable = getenv("ROOST_SOCKET") { return String(cString: variable) }
        let usual = ["data/admin.sock", "/var/lib/roost/admin.sock"]
        return usual.first { access($0, F_OK) == 0 } ?? usual[0]
    }

    /// Asks the daemon, and returns the body of its 2xx answer.
    func get(_ path: String) throws -> [UInt8] { try ask("GET", path) }

    /// Has the daemon do something.
    func post(_ path: String, _ body: [UInt8] = []) throws -> [UInt8] { try ask("POST", path, body) }

    /// Has the daemon let go of something.
    func delete(_ path: String) throws -> [UInt8] { try ask("DELETE", path) }

    private func ask(_ method: String, _ path: String, _ body: [UInt8] = []) throws -> [UInt8] {
        let answer = try AdminSocket(path: self.path).request(method, path, body)
        if 200..<300 ~= answer.status { return answer.body }
        let reason = try? Document.decode(ErrorDocument.self, answer.body)
        throw Failure.refused(reason?.error ?? "roostd answers \(answer.status) to \(method) \(path)")
    }
}

/// One request to roostd: HTTP/1.1 over its Unix socket, blocking.
struct AdminSocket {
    struct Answer {
        var status: Int
        var body: [UInt8]
    }

    let path: String

    func request(_ method: String, _ target: String, _ body: [UInt8] = []) throws -> Answer {
        let descriptor = try connect()
        defer { close(descriptor) }
        let request = Self.head(method, target, length: body.count) + body
        let sent = request.withUnsafeBytes { Terminal.writeAll($0, to: descriptor) }
        guard sent else { throw unreachable(errno) }
        return try answer(in: readAll(descriptor))
    }

    /// The request's bytes.
    static func head(_ method: String, _ target: String, length: Int = 0) -> [UInt8] {
        let lines = [
            "\(method) \(target) HTTP/1.1", "Host: roostd", "Accept: application/json", "Content-Length: \(length)",
            "Connection: close",
        ]
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    }

    private func connect() throws -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { target in
            guard bytes.count < target.count else { return false }
            target.copyBytes(from: bytes)
            return true
        }
        guard fits else { throw Failure.usage("--socket \(path): longer than a Unix socket's path may be") }
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw unreachable(errno) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let error = errno
            close(descriptor)
            throw unreachable(error)
        }
        var patience = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        return descriptor
    }

    private func unreachable(_ error: Int32) -> Failure {
        let reason =
            switch error {
            case ENOENT: "no such file"
            case ECONNREFUSED: "nobody listens there"
            case EACCES: "permission denied"
            case EAGAIN: "no answer in time"
            default: String(cString: strerror(error))
            }
        let advice =
            error == EACCES
            ? "Run as root or as a member of the socket's group."
            : "Is it running? (roostd -c conf/roost.toml)"
        return .cannotConnect("cannot reach roostd at \(path): \(reason). \(advice)")
    }

    private func readAll(_ descriptor: Int32) throws -> [UInt8] {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            if count > 0 {
                all.append(contentsOf: chunk[..<count])
                if let needed = Self.length(of: all), all.count >= needed { return all }
            } else if count == 0 {
                return all
            } else if errno != EINTR {
                throw unreachable(errno)
            }
        }
    }

    // MARK: - HTTP

    /// Bytes of the whole answer once its head is there and tells.
    private static func length(of bytes: [UInt8]) -> Int? {
        guard let end = headEnd(bytes), let length = header("content-length", in: bytes[..<end]) else { return nil }
        return Int(length).map { end + $0 }
    }

    private static func headEnd(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for index in 0...(bytes.count - 4)
        where bytes[index] == 13 && bytes[index + 1] == 10 && bytes[index + 2] == 13 && bytes[index + 3] == 10 {
            return index + 4
        }
        return nil
    }

    private static func header(_ name: String, in head: ArraySlice<UInt8>) -> String? {
        for line in String(decoding: head, as: UTF8.self).split(separator: "\r\n") {
            guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == name else { continue }
            return line[line.index(after: colon)...].drop { $0 == " " }.lowercased()
        }
        return nil
    }

    /// All that the daemon sent, taken apart.
    func answer(in bytes: [UInt8]) throws -> Answer {
        let words = String(decoding: bytes.prefix(64), as: UTF8.self).split(separator: " ", maxSplits: 2)
        guard let end = Self.headEnd(bytes), words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1])
        else { throw Failure.cannotConnect("what answers at \(path) is not roostd. Check --socket.") }
        let body = bytes[end...]
        let isChunked = Self.header("transfer-encoding", in: bytes[..<end]) == "chunked"
        return Answer(status: status, body: isChunked ? Self.unchunk(body) : Array(body))
    }

    private static func unchunk(_ body: ArraySlice<UInt8>) -> [UInt8] {
        var rest = body
        var whole: [UInt8] = []
        while let lineEnd = rest.firstIndex(of: 10) {
            let digits = String(decoding: rest[rest.startIndex..<lineEnd], as: UTF8.self).prefix { $0.isHexDigit }
            guard let size = Int(digits, radix: 16), size > 0, rest.endIndex - lineEnd > size else { break }
            whole += rest[(lineEnd + 1)..<(lineEnd + 1 + size)]
            rest = rest[(lineEnd + 1 + size)...].dropFirst(2)
        }
        return whole
    }
}

extension String {
    /// As one segment of a URL's path: all but letters, digits and `-._~` as %XX.
    var percentEncoded: String {
        var text = ""
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                text.append(Character(UnicodeScalar(byte)))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                text += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return text
    }
}
