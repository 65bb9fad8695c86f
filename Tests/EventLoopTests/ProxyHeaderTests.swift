import Testing

@testable import EventLoop

/// A header of version 2.
private func binary(_ command: UInt8, _ family: UInt8, _ body: [UInt8]) -> [UInt8] {
    ProxyHeader.signature + [0x20 | command, family, UInt8(body.count >> 8), UInt8(body.count & 0xFF)] + body
}

private let four: [UInt8] = [192, 0, 2, 1, 198, 51, 100, 2, 0xC8, 0x22, 0x07, 0x5B]
private let six: [UInt8] =
    [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1] + [UInt8](repeating: 9, count: 16)
    + [0xC8, 0x22, 0x07, 0x5B]
private let mapped: [UInt8] =
    [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 192, 0, 2, 7] + [UInt8](repeating: 9, count: 16) + [0, 5, 0, 6]
private let local = Array("/run/client.sock".utf8) + [UInt8](repeating: 0, count: 200)
/// A Type-Length-Value, as an authority's name is sent.
private let more: [UInt8] = [2, 0, 3, 0x61, 0x62, 0x63]

@Suite struct ProxyHeaderTests {
    @Test(
        arguments: [
            ("PROXY TCP4 192.0.2.1 198.51.100.2 51234 1883\r\n", "192.0.2.1:51234"),
            ("PROXY TCP6 2001:db8::1 ::1 51234 1883\r\n", "[2001:db8::1]:51234"),
            ("PROXY TCP6 2001:0DB8:0:0::1 ::1 0 65535\r\n", "[2001:db8::1]:0"),
            ("PROXY TCP6 ::ffff:192.0.2.7 ::1 5 6\r\n", "192.0.2.7:5"),
            ("PROXY UNKNOWN\r\n", nil), ("PROXY UNKNOWN what ever \u{7F} is here\r\n", nil),
        ] as [(String, String?)])
    func version1IsRead(text: String, address: String?) throws {
        try expect(Array(text.utf8), .one, address)
    }

    @Test(
        arguments: [
            (binary(1, 0x11, four), "192.0.2.1:51234"), (binary(1, 0x11, four + more), "192.0.2.1:51234"),
            (binary(1, 0x21, six), "[2001:db8::1]:51234"), (binary(1, 0x21, mapped + more), "192.0.2.7:5"),
            (binary(1, 0x31, local), "unix:/run/client.sock"),
            (binary(1, 0x31, [UInt8](repeating: 0, count: 216)), nil), (binary(0, 0x00, []), nil),
            (binary(0, 0x11, four), nil), (binary(0, 0x99, more), nil), (binary(1, 0x00, more), nil),
            (binary(1, 0x11, four + [UInt8](repeating: 7, count: 4000)), "192.0.2.1:51234"),
        ] as [([UInt8], String?)])
    func version2IsRead(bytes: [UInt8], address: String?) throws {
        try expect(bytes, .two, address)
    }

    /// However much has come, it is the same; and what follows it is left alone.
    private func expect(_ bytes: [UInt8], _ version: ProxyHeader.Version, _ address: String?) throws {
        for count in 0..<bytes.count {
            #expect(try bytes[..<count].withUnsafeBytes { try ProxyHeader.read($0, version) } == nil)
        }
        let found = try (bytes + [0x10, 0]).withUnsafeBytes { try ProxyHeader.read($0, version) }
        #expect(found?.source?.description == address)
        #expect(found?.length == bytes.count)
    }

    @Test(
        arguments: [
            ("\u{10}\u{0C}", "no header"), ("GET / HTTP/1.1\r\n", "no header"), ("PROXI TCP4", "no header"),
            ("\r\n\r\n\0\r\nQUIT\n", "is of version 2, and the listener has proxy_protocol = 1"),
            ("PROXY TCP4 192.0.2.1 198.51.100.2 51234 1883\n", "malformed"),
            ("PROXY TCP4 192.0.2.1 198.51.100.2 51234\r\n", "malformed"),
            ("PROXY TCP4 192.0.2.1  198.51.100.2 51234 1883\r\n", "malformed"),
            ("PROXY TCP4 192.0.2.1 198.51.100.2 51234 1883 \r\n", "malformed"),
            ("PROXY TCP4 192.0.2.1 198.51.100.2 51234 65536\r\n", "malformed"),
            ("PROXY TCP4 192.0.2.1 198.51.100.2 051 1883\r\n", "malformed"),
            ("PROXY TCP4 192.0.2.1 198.51.100.2 -1 1883\r\n", "malformed"),
            ("PROXY TCP4 192.0.2 198.51.100.2 51234 1883\r\n", "malformed"),
            ("PROXY TCP4 ::1 ::1 51234 1883\r\n", "malformed"), ("PROXY TCP6 1.2.3.4 ::1 1 2\r\n", "malformed"),
            ("PROXY UDP4 192.0.2.1 198.51.100.2 51234 1883\r\n", "malformed"), ("PROXY \r\n", "malformed"),
            ("PROXY TCP4 " + String(repeating: "1", count: 200), "more than 107 bytes"),
        ])
    func version1IsStrict(text: String, reason: String) {
        expect(Array(text.utf8), .one, refused: reason)
    }

    @Test(
        arguments: [
            ([0x10, 0x0C], "no header"), ([0x0D, 0x0A, 0x0D, 0x0A, 0x01], "no header"),
            (Array("PROXY TCP4".utf8), "is of version 1, and the listener has proxy_protocol = 2"),
            (ProxyHeader.signature + [0x11, 0x11, 0, 12] + four, "malformed"),
            (binary(2, 0x11, four), "malformed"), (binary(1, 0x12, four), "malformed"),
            (binary(1, 0x11, Array(four.dropLast())), "malformed"), (binary(1, 0x21, four), "malformed"),
            (binary(1, 0x31, four), "malformed"), (binary(1, 0x41, four), "malformed"),
            (binary(1, 0x11, four + [UInt8](repeating: 7, count: 5000)), "5028 bytes, 4112 are taken"),
        ] as [([UInt8], String)])
    func version2IsStrict(bytes: [UInt8], reason: String) {
        expect(bytes, .two, refused: reason)
    }

    private func expect(_ bytes: [UInt8], _ version: ProxyHeader.Version, refused reason: String) {
        do {
            let found = try bytes.withUnsafeBytes { try ProxyHeader.read($0, version) }
            Issue.record("not refused: \(String(describing: found))")
        } catch {
            #expect("\(error)".contains(reason), "\(error)")
        }
    }

    @Test func noiseIsRefusedOrTooShort() {
        var random = SplitMix64(state: 11)
        for round in 0..<2000 {
            let version: ProxyHeader.Version = round % 2 == 0 ? .one : .two
            var bytes = version == .one ? Array("PROXY TCP4 1.2.3.4 5.6.7.8 90 12\r\n".utf8) : binary(1, 0x11, four)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let count = Int.random(in: 0...bytes.count, using: &random)
            let found = try? bytes[..<count].withUnsafeBytes { try ProxyHeader.read($0, version) }
            #expect((found?.length ?? 0) <= count)
        }
    }

    // MARK: - On a stream

    /// What becomes of a connection that sends `bytes` to a listener on virtual time, whose socket says 127.0.0.1.
    private func accept(_ bytes: [[UInt8]], _ version: ProxyHeader.Version, peer: String? = nil) throws -> (
        peer: String?, received: [UInt8], ending: FirstBytes.Ending?
    ) {
        let clock = VirtualClock()
        let loop = EventLoop(clock: clock, poller: VirtualPoller())
        let connection = try Connection(loop, MemoryNetwork(loop: loop), .tcp(host: "127.0.0.1", port: 0))
        defer { connection.finish() }
        if let peer { connection.far.peer = peer }
        var taken: String?
        var ending: FirstBytes.Ending?
        let side = connection.farSide
        ProxyHeader.take(from: connection.far, version, until: loop.now + .seconds(10)) { stream in
            taken = stream.peer
            stream.delegate = side
        } ended: {
            ending = $0
        }
        for part in bytes {
            connection.near.write(part)
            loop.settle()
        }
        if taken == nil, ending == nil {
            clock.advance(by: .seconds(11))
            loop.settle()
        }
        return (taken, side.received, ending)
    }

    @Test func theStreamGetsItsClientsAddressAndAllBytesBehindTheHeader() throws {
        let bytes = binary(1, 0x11, four + more) + [1, 2, 3]
        for pieces in [[bytes], bytes.map { [$0] }] {
            let outcome = try accept(pieces, .two)
            #expect(outcome.peer == "192.0.2.1:51234")
            #expect(outcome.received == [1, 2, 3])
        }
    }

    /// A loopback address in the header is the proxy's loopback.
    @Test(arguments: [
        ("127.0.0.1:9", "127.0.0.1", "127.0.0.1:5"), ("unix:/run/x", "127.0.0.1", "127.0.0.1:5"),
        ("10.0.0.1:9", "127.0.0.1", "10.0.0.1:9"), ("10.0.0.1:9", "::1", "10.0.0.1:9"),
        ("[::ffff:127.0.0.1]:9", "127.0.0.1", "127.0.0.1:5"), ("10.0.0.1:9", "::ffff:127.0.0.1", "10.0.0.1:9"),
        ("10.0.0.1:9", "192.0.2.3", "192.0.2.3:5"), ("127.0.0.1:9", "192.0.2.3", "192.0.2.3:5"),
    ])
    func loopbackIsBelievedFromThisMachineAlone(proxy: String, client: String, peer: String) throws {
        let family = client.contains(":") ? "TCP6" : "TCP4"
        let outcome = try accept([Array("PROXY \(family) \(client) \(client) 5 6\r\n".utf8)], .one, peer: proxy)
        #expect(outcome.peer == peer)
    }

    @Test func withoutAHeaderTheStreamIsClosed() throws {
        #expect(
            try accept([[0x10, 3]], .two).ending == .refused("PROXY: there is no header in front of the connection"))
        #expect(try accept([Array("PROXY TCP4 ".utf8)], .one).ending == .timedOut)
        #expect(try accept([], .two).ending == .timedOut)
    }
}
