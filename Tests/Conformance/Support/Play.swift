import Glibc
import Synchronization
import Testing

/// Which MQTT a script is played in.
enum Level { case v311, v5 }

/// Plays a script: one line for each thing that a client does or must get. Bytes are in `Notation`.
///
/// - `A open`: a TCP connection
/// - `A connect`: the same, with a CONNECT that begins anew, and its CONNACK; `A persistent`: with Clean Start 0 and a session
///   that outlives the connection; `A resume`: the same, and the session is present
/// - `A > BYTES`: sends them
/// - `A < PACKET`: the next packet is this; `A < PACKET & PACKET`: the next ones are these, in any order
/// - `A ping`: PINGREQ, and PINGRESP is the next packet: whatever was to come before has come
/// - `A closed`: the Server has closed, and sent nothing before
/// - `A leave`: DISCONNECT, and the Server has closed: its session, if it lasts, is without a connection from here on
/// - `A cut`: the client is gone, without a DISCONNECT; when the Server notices is its own affair
/// - `v5 ...`, `v3 ...`: a line for MQTT 5 alone, for 3.1.1 alone
/// - `wait N`: milliseconds, for what takes its time by the specification
/// - `elapsed N`: so many have passed since the script began
/// - `// ...`: a remark
func play(_ level: Level, _ script: String, on server: Server = .plain) throws {
    try server.expectRunning()
    var stage = Stage(level: level, server: server)
    for line in script.split(separator: "\n") { try stage.perform(line) }
}

private struct Stage {
    let level: Level
    let server: Server
    /// Five bytes.
    let token = "n" + String(10_000 + numbers.next()).dropFirst()
    var peers: [Substring: Peer] = [:]
    let began = ContinuousClock.now
    /// Told in a failure.
    var done: [Substring] = []

    mutating func perform(_ line: Substring) throws {
        let words = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: true)
        guard words.count > 1, words[0] != "//" else { return }
        if words[0] == "v5" || words[0] == "v3" {
            guard (words[0] == "v5") == (level == .v5) else { return }
            return try perform(line.drop { $0 == " " }.dropFirst(2))
        }
        done.append(line)
        let (name, verb) = (words[0], words[1])
        let rest = words.count > 2 ? String(words[2]) : ""
        if name == "wait" {
            usleep(useconds_t(1000 * (UInt32(verb) ?? 0)))
            return
        }
        if name == "elapsed" {
            let passed = ContinuousClock.now - began
            guard passed >= .milliseconds(Int(verb) ?? 0) else { throw failure("there after \(passed)") }
            return
        }
        switch verb {
        case "open": peers[name] = try Peer(port: server.port)
        case "connect": try connect(name, "10[{MQTT} L 02 0000 <> {%\(name)}]", isPresent: false)
        case "persistent": try connect(name, "10[{MQTT} L 00 0000 <11 00000e10> {%\(name)}]", isPresent: false)
        case "resume": try connect(name, "10[{MQTT} L 00 0000 <11 00000e10> {%\(name)}]", isPresent: true)
        case "leave":
            try peer(name).send([0xE0, 0])
            try expectClose(of: peer(name))
        case "cut": peers[name] = nil
        case ">": try peer(name).send(notation(rest).exact)
        case "<": try expect(rest, from: peer(name))
        case "ping":
            try peer(name).send([0xC0, 0])
            try expect("D0[]", from: peer(name))
        case "closed": try expectClose(of: peer(name))
        default: throw failure("what is \(verb)?")
        }
    }

    private mutating func connect(_ name: Substring, _ packet: String, isPresent: Bool) throws {
        let peer = try Peer(port: server.port)
        peers[name] = peer
        try peer.send(notation(packet).exact)
        try expect("20[\(isPresent ? "01" : "00") 00 ...]", from: peer)
    }

    private func peer(_ name: Substring) throws -> Peer {
        guard let peer = peers[name] else { throw failure("who is \(name)?") }
        return peer
    }

    private func notation(_ text: String) throws -> Notation {
        try Notation(text, isV5: level == .v5, token: token)
    }

    private func expect(_ text: String, from peer: Peer) throws {
        var patterns = text.split(separator: "&").map { String($0) }
        while !patterns.isEmpty {
            guard let packet = try peer.next() else { throw failure("a close") }
            guard let index = try patterns.firstIndex(where: { try matches($0, packet) }) else {
                throw failure("\(packet.hexadecimal)  \(packet.printable)")
            }
            patterns.remove(at: index)
        }
    }

    private func expectClose(of peer: Peer) throws {
        if let packet = try peer.next() { throw failure("\(packet.hexadecimal), and no close") }
    }

    /// What is left open has a length that isn't known: then the body is compared, as far as it is told.
    private func matches(_ pattern: String, _ packet: [UInt8]) throws -> Bool {
        let expected = try notation(pattern)
        func equal(_ one: [UInt8?], _ other: some Collection<UInt8>) -> Bool {
            one.count == other.count && zip(one, other).allSatisfy { $0 == nil || $0 == $1 }
        }
        guard expected.isOpen else { return equal(expected.bytes, packet) }
        let body = expected.bytes.dropFirst(2)
        let found = packet.dropFirst(packet.count > 129 ? 3 : 2)
        return equal(Array(expected.bytes.prefix(1)), packet.prefix(1)) && equal(Array(body), found.prefix(body.count))
    }

    private func failure(_ text: String) -> Failure {
        Failure("got \(text) at\n\(done.joined(separator: "\n"))\n(the names' own part is \(token), on \(level))")
    }
}

private let numbers = Numbers()

/// One for each script: what makes its names its own.
private final class Numbers: Sendable {
    private let last = Mutex(0)
    func next() -> Int {
        last.withLock {
            $0 += 1
            return $0
        }
    }
}

extension [UInt8] {
    fileprivate var printable: String {
        String(decoding: map { (0x20..<0x7F).contains($0) ? $0 : UInt8(ascii: ".") }, as: UTF8.self)
    }
}
