import Testing

@testable import EventLoop

/// A connection with WebSocket at the far end, the server's, and at the near end too, or bare bytes there.
struct WebSocketPair {
    let connection: Connection
    let far: WebSocketStream
    /// Nil: the near end writes its own bytes.
    let near: WebSocketStream?
    var loop: EventLoop { connection.loop }
    var farSide: Recorder { connection.farSide }
    var nearSide: Recorder { connection.nearSide }

    init(frameLimit: Int = 1 << 24, isBare: Bool = false) throws {
        connection = try Connection()
        far = WebSocketStream(serverOver: connection.far, frameLimit: frameLimit)
        far.delegate = connection.farSide
        guard !isBare, let request = WebSocketRequest(host: "localhost", port: 80, path: "/mqtt", usesTLS: false) else {
            near = nil
            return
        }
        near = WebSocketStream(client: request, over: connection.near)
        near?.delegate = connection.nearSide
    }

    /// A bare one, with the handshake behind it.
    static func opened(frameLimit: Int = 1 << 24) throws -> WebSocketPair {
        let pair = try WebSocketPair(frameLimit: frameLimit, isBare: true)
        pair.connection.near.write(Array(webSocketRequest().utf8))
        #expect(pair.loop.turn { pair.nearSide.received.suffix(4) == Array("\r\n\r\n".utf8) })
        pair.nearSide.received = []
        return pair
    }

    func finish() {
        near?.close()
        far.close()
        connection.finish()
    }
}

/// A client's frame.
func frame(
    _ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true, mask: [UInt8]? = [1, 2, 3, 4], reserved: UInt8 = 0
) -> [UInt8] {
    var bytes = [opcode | (isFinal ? 0x80 : 0) | reserved]
    let masked: UInt8 = mask == nil ? 0 : 0x80
    switch payload.count {
    case ...125: bytes.append(UInt8(payload.count) | masked)
    case ...65_535: bytes += [126 | masked, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
    default: bytes += [127 | masked] + (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
    }
    guard let mask else { return bytes + payload }
    return bytes + mask + payload.enumerated().map { $1 ^ mask[$0 % 4] }
}

private func closeFrame(_ code: UInt16, _ reason: String = "") -> [UInt8] {
    [UInt8(code >> 8), UInt8(code & 0xFF)] + reason.utf8
}

@Suite struct WebSocketStreamTests {
    @Test func bytesPassBothWays() throws {
        let pair = try WebSocketPair()
        defer { pair.finish() }
        let block = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        pair.near?.write([1, 2, 3])
        pair.far.write(block)
        pair.near?.write(block)

        #expect(
            pair.loop.turn {
                pair.farSide.receivedCount == block.count + 3 && pair.nearSide.receivedCount == block.count
            })
        #expect(pair.nearSide.received == block)
        #expect(pair.farSide.received == [1, 2, 3] + block)
        pair.near?.closeAfterFlush()
        #expect(pair.loop.turn { pair.farSide.closes == 1 && pair.near?.isClosed == true })
        #expect(pair.farSide.error == nil)
    }

    @Test func whatATickWritesIsOneFrameAndOneWrite() throws {
        let pair = try WebSocketPair()
        defer { pair.finish() }
        pair.near?.write([7])
        #expect(pair.loop.turn { pair.farSide.received == [7] })
        let before = (pair.connection.near.bytesWritten, pair.connection.far.bytesWritten)

        for _ in 0..<100 {
            pair.near?.write([UInt8](repeating: 5, count: 100))
            pair.far.write([UInt8](repeating: 6, count: 100))
        }
        pair.loop.tick(wait: .zero)

        #expect(pair.connection.near.bytesWritten - before.0 == 10_000 + 8)
        #expect(pair.connection.far.bytesWritten - before.1 == 10_000 + 4)
        #expect(pair.loop.turn { pair.farSide.receivedCount == 10_001 && pair.nearSide.receivedCount == 10_000 })
        #expect(pair.farSide.calls == 2)
    }

    @Test func aSlowReaderHoldsTheWriterBack() throws {
        let pair = try WebSocketPair()
        defer { pair.finish() }
        let near = try #require(pair.near)
        pair.farSide.keepsBytes = false
        pair.farSide.onReceive = { stream, bytes in
            stream.pauseReading()
            return bytes.count
        }
        let block = [UInt8](repeating: 3, count: 16 << 20)
        near.write(block)
        #expect(pair.loop.turn { near.isBlocked && pair.far.isPaused })
        near.write(block)
        pair.loop.tick(wait: .zero)
        #expect(near.isBlocked)
        #expect(near.unsentBytes > 1 << 20)

        pair.farSide.onReceive = nil
        pair.far.resumeReading()

        #expect(pair.loop.turn { pair.farSide.receivedCount == 32 << 20 })
        #expect(pair.loop.turn { pair.nearSide.drains >= 1 && near.unsentBytes == 0 })
    }

    @Test func whatIsNotConsumedComesAgain() throws {
        let pair = try WebSocketPair()
        defer { pair.finish() }
        pair.farSide.onReceive = { _, bytes in bytes.count < 300 ? 0 : bytes.count }
        for part in 0..<3 {
            pair.near?.write([UInt8](repeating: UInt8(part), count: 100))
            let calls = pair.farSide.calls
            #expect(pair.loop.turn { pair.farSide.calls > calls })
        }
        #expect(pair.farSide.receivedCount == 300)
        #expect(pair.farSide.received.last == 2)
    }

    @Test func theLastWordsArriveThoughTheWriterIsGone() throws {
        let pair = try WebSocketPair()
        defer { pair.finish() }
        pair.near?.write([1])
        #expect(pair.loop.turn { pair.farSide.received == [1] })
        pair.far.write([UInt8](repeating: 9, count: 3 << 20))
        pair.far.closeAfterFlush()

        #expect(pair.loop.turn { pair.nearSide.closes == 1 })
        #expect(pair.nearSide.receivedCount == 3 << 20)
        #expect(pair.nearSide.error == nil)
        #expect(pair.loop.turn { pair.far.isClosed })
    }

    @Test func aStreamIsFreedWhenItIsClosed() throws {
        weak var near: WebSocketStream?
        weak var far: WebSocketStream?
        do {
            let pair = try WebSocketPair()
            pair.near?.write([1])
            #expect(pair.loop.turn { pair.farSide.received == [1] })
            (near, far) = (pair.near, pair.far)
            pair.finish()
        }
        #expect(near == nil)
        #expect(far == nil)
    }

    /// PROXY, then TLS, then WebSocket, then bytes: as a listener has them.
    @Test func layersCompose() throws {
        let connection = try Connection()
        defer { connection.finish() }
        let (server, client) = try (Certificates.server("server"), Certificates.client())
        var far: WebSocketStream?
        let farSide = connection.farSide
        ProxyHeader.take(from: connection.far, .one, until: connection.loop.now + .seconds(20)) { stream in
            guard let secure = try? TLSStream(server: server, over: stream) else { return stream.close() }
            far = WebSocketStream(serverOver: secure, frameLimit: 1000)
            far?.delegate = farSide
        } ended: {
            Issue.record("ended: \($0)")
        }
        connection.near.write(Array("PROXY TCP4 192.0.2.9 127.0.0.1 5 6\r\n".utf8))
        let layers = StreamLayers(
            tls: client, host: "localhost",
            webSocket: WebSocketRequest(host: "localhost", port: 443, path: "/mqtt", usesTLS: true))
        var steps: [String] = []
        let near = try layers.wrap(connection.near) { layer in
            switch layer {
            case .tls(let text): steps.append(String(text.prefix(7)))
            case .webSocket: steps.append("WebSocket")
            }
        }
        near.delegate = connection.nearSide
        near.write([1, 2, 3])

        #expect(connection.loop.turn { farSide.received == [1, 2, 3] })
        #expect(far?.peer == "192.0.2.9:5")
        #expect(steps == ["TLSv1.3", "WebSocket"])
        far?.write([4])
        #expect(connection.loop.turn { connection.nearSide.received == [4] })
        near.closeAfterFlush()
        #expect(connection.loop.turn { farSide.closes == 1 && near.isClosed })
    }
}

@Suite struct WebSocketServerTests {
    /// However it is cut, it opens; and what follows the request in the same read is taken.
    @Test func theHandshakeComesInPieces() throws {
        let bytes = Array(webSocketRequest().utf8) + frame(2, [7, 8]) + frame(2, [9])
        for place in stride(from: 1, to: bytes.count, by: 1) {
            let pair = try WebSocketPair(isBare: true)
            pair.connection.near.write(Array(bytes[..<place]))
            pair.loop.tick(wait: .zero)
            pair.connection.near.write(Array(bytes[place...]))
            #expect(pair.loop.turn { pair.farSide.received == [7, 8, 9] }, "cut at \(place)")
            pair.finish()
        }
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 426 Upgrade Required", "asks for no upgrade"),
        ("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 Method Not Allowed", "begins with GET, not HEAD"),
        ("GET / HTTP/1.1\nHost: x\n\n", "HTTP/1.1 400 Bad Request", "CR LF"),
        ("GET / HTTP/1.1\r\nA: " + String(repeating: "a", count: 9000), "HTTP/1.1 431", "more than 8192 bytes"),
        (
            "GET / HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 65) + "\r\n", "HTTP/1.1 431",
            "more than 64 header fields"
        ),
        ("\u{10}\u{0C}\0\u{4}MQTT\u{5}", "", "this is MQTT, and the listener speaks WebSocket"),
        ("\u{16}\u{3}\u{1}", "", "this is TLS"), ("\0\0\0", "", "this is not HTTP"),
        ("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\r\n", "", "this is a PROXY header"),
    ])
    func whatIsNoHandshakeIsAnsweredAndClosed(text: String, answer: String, reason: String) throws {
        let pair = try WebSocketPair(isBare: true)
        defer { pair.finish() }
        pair.connection.near.write(Array(text.utf8))

        #expect(pair.loop.turn { pair.farSide.closes == 1 && pair.nearSide.closes == 1 })
        #expect(String(decoding: pair.nearSide.received, as: UTF8.self).hasPrefix(answer))
        #expect(pair.nearSide.received.isEmpty == answer.isEmpty)
        #expect("\(try #require(pair.farSide.error))".contains(reason))
        #expect("\(try #require(pair.farSide.error))".hasPrefix("WebSocket: "))
    }

    /// What each of these does to an open connection: the Close frame's code that answers it.
    @Test(
        arguments: [
            ("not masked", frame(2, [1], mask: nil), 1002), ("text", frame(1, [65]), 1003),
            ("RSV1", frame(2, [1], reserved: 0x40), 1002), ("RSV2", frame(2, [1], reserved: 0x20), 1002),
            ("RSV3", frame(9, [1], reserved: 0x10), 1002), ("opcode 3", frame(3, [1]), 1002),
            ("opcode 7", frame(7, []), 1002), ("opcode 11", frame(11, []), 1002), ("opcode 15", frame(15, []), 1002),
            ("a continuation of nothing", frame(0, [1]), 1002),
            ("a message in another", frame(2, [1], isFinal: false) + frame(2, [2]), 1002),
            ("text in a message", frame(2, [1], isFinal: false) + frame(1, [2]), 1003),
            ("a ping in fragments", frame(9, [1], isFinal: false), 1002),
            ("a ping of 126 bytes", frame(9, [UInt8](repeating: 1, count: 126)), 1002),
            ("a ping with a length of 64 bits", [0x89, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 7], 1002),
            ("a Close of one byte", frame(8, [3]), 1002), ("Close 1005", frame(8, closeFrame(1005)), 1002),
            ("Close 1006", frame(8, closeFrame(1006)), 1002), ("Close 999", frame(8, closeFrame(999)), 1002),
            ("Close 65535", frame(8, closeFrame(65_535)), 1002),
            ("a reason that isn't UTF-8", frame(8, closeFrame(1000) + [0xC3, 0x28]), 1007),
            ("too long a frame", [0x82, 0xFE, 0x03, 0xE9, 0, 0, 0, 0], 1009),
            ("a frame of 2^62 bytes", [0x82, 0xFF, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1009),
            ("a frame of 2^63 bytes", [0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1002),
        ] as [(String, [UInt8], UInt16)])
    func violationsAreAnsweredWithACloseFrame(name: String, bytes: [UInt8], code: UInt16) throws {
        for pieces in [[frame(2, [42]) + bytes], (frame(2, [42]) + bytes).map { [$0] }] {
            let pair = try WebSocketPair.opened(frameLimit: 1000)
            defer { pair.finish() }
            for piece in pieces {
                pair.connection.near.write(piece)
                pair.loop.tick(wait: .zero)
            }
            #expect(pair.loop.turn { pair.nearSide.closes == 1 && pair.farSide.closes == 1 }, "\(name)")
            let answer = pair.nearSide.received
            #expect(
                answer.first == 0x88 && answer[2...3].elementsEqual([UInt8(code >> 8), UInt8(code & 0xFF)]), "\(name)")
            #expect(answer.count == Int(answer[1]) + 2)
            // What came before it has been passed on.
            #expect(pair.farSide.received.first == 42)
            #expect("\(try #require(pair.farSide.error))".hasPrefix("WebSocket: "))
        }
    }

    @Test func aPingIsAnsweredAndAPongIsNot() throws {
        let pair = try WebSocketPair.opened()
        defer { pair.finish() }
        let long = [UInt8](repeating: 8, count: 125)
        pair.connection.near.write(frame(10, [1]) + frame(9, []) + frame(9, [5, 6]) + frame(2, [1], isFinal: false))
        #expect(pair.loop.turn { pair.farSide.received == [1] && !pair.nearSide.received.isEmpty })
        // The latest of several, where they come together.
        #expect(pair.nearSide.received == [0x8A, 2, 5, 6])
        pair.nearSide.received = []

        // Between the fragments of a message.
        for byte in frame(9, long) + frame(0, [2], isFinal: false) + frame(9, [7]) + frame(0, []) + frame(2, [3]) {
            pair.connection.near.write([byte])
            pair.loop.tick(wait: .zero)
        }

        #expect(pair.loop.turn { pair.farSide.received == [1, 2, 3] })
        #expect(pair.loop.turn { pair.nearSide.received == [0x8A, 125] + long + [0x8A, 1, 7] })
    }

    /// A peer that asks on and on and reads nothing costs one answer.
    @Test func pingsOfAPeerThatDoesNotReadPileNothingUp() throws {
        let pair = try WebSocketPair.opened()
        defer { pair.finish() }
        pair.connection.near.pauseReading()
        pair.far.write([UInt8](repeating: 1, count: 16 << 20))
        #expect(pair.loop.turn { pair.far.isBlocked })
        let before = pair.far.unsentBytes
        for number in 0..<200 {
            pair.connection.near.write(frame(9, [UInt8(number)] + [UInt8](repeating: 0, count: 100)))
            pair.loop.tick(wait: .zero)
        }
        #expect(pair.far.unsentBytes <= before)

        pair.nearSide.keepsBytes = false
        pair.connection.near.resumeReading()

        #expect(pair.loop.turn { pair.far.unsentBytes == 0 })
        #expect(pair.loop.turn { pair.nearSide.receivedCount > 16 << 20 })
    }

    @Test(
        arguments: [
            (closeFrame(1000, "bye"), [0x88, 2, 0x03, 0xE8]), (closeFrame(4001), [0x88, 2, 0x0F, 0xA1]),
            ([], [0x88, 0]),
        ] as [([UInt8], [UInt8])])
    func aCloseIsAnsweredWithTheSameCode(payload: [UInt8], answer: [UInt8]) throws {
        let pair = try WebSocketPair.opened()
        defer { pair.finish() }
        // Nothing that follows a Close counts.
        pair.connection.near.write(frame(2, [1]) + frame(8, payload) + frame(1, [2]) + [0xFF])

        #expect(pair.loop.turn { pair.farSide.closes == 1 && pair.nearSide.closes == 1 })
        #expect(pair.farSide.error == nil)
        #expect(pair.farSide.received == [1])
        #expect(pair.nearSide.received == answer)
    }

    /// Whoever is not reading at the moment still gets what came before the Close.
    @Test func aCloseWaitsForAReaderThatPauses() throws {
        for isClosedMeanwhile in [false, true] {
            let pair = try WebSocketPair.opened()
            defer { pair.finish() }
            pair.farSide.onReceive = { stream, _ in
                stream.pauseReading()
                return 0
            }
            pair.connection.near.write(frame(2, [1, 2]) + frame(8, closeFrame(1000)))
            #expect(pair.loop.turn { pair.farSide.calls == 1 })
            #expect(pair.farSide.closes == 0 && !pair.far.isClosed)

            pair.farSide.onReceive = nil
            if isClosedMeanwhile { pair.far.closeAfterFlush() } else { pair.far.resumeReading() }

            #expect(pair.loop.turn { pair.nearSide.closes == 1 && pair.far.isClosed })
            #expect(pair.farSide.received == (isClosedMeanwhile ? [] : [1, 2]))
            #expect(pair.farSide.closes == (isClosedMeanwhile ? 0 : 1))
            #expect(pair.nearSide.received == [0x88, 2, 0x03, 0xE8])
        }
    }

    @Test func ourOwnCloseWaitsForThePeers() throws {
        let pair = try WebSocketPair.opened()
        defer { pair.finish() }
        pair.far.write([1, 2])
        pair.far.closeAfterFlush()
        #expect(pair.loop.turn { pair.nearSide.received == [0x82, 2, 1, 2, 0x88, 2, 0x03, 0xE8] })
        #expect(!pair.connection.far.isClosing)

        pair.connection.near.write(frame(2, [3]) + frame(8, closeFrame(1000)))

        #expect(pair.loop.turn { pair.nearSide.closes == 1 && pair.far.isClosed })
        #expect(pair.farSide.received.isEmpty)
    }

    @Test func aCloseThatIsNotAnsweredEndsByItsDeadline() throws {
        let pair = try WebSocketPair.opened()
        defer { pair.finish() }
        pair.far.closeAfterFlush(deadline: .milliseconds(50))

        #expect(pair.loop.turn { pair.nearSide.closes == 1 && pair.far.isClosed })
        #expect(pair.nearSide.received == [0x88, 2, 0x03, 0xE8])
    }

    @Test func payloadsAreTheSameHoweverTheyAreCut() throws {
        let payload = (0..<700).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let bytes =
            frame(2, Array(payload[..<3])) + frame(2, []) + frame(2, Array(payload[3..<130]), isFinal: false)
            + frame(9, [1]) + frame(0, Array(payload[130..<131]), mask: [0xFF, 0, 0x80, 7])
            + frame(2, Array(payload[131...]), mask: [9, 8, 7, 6])
        let pair = try WebSocketPair.opened()
        defer { pair.finish() }
        for place in 0...bytes.count {
            pair.farSide.received = []
            for piece in [bytes[..<place], bytes[place...]] {
                pair.connection.near.write(Array(piece))
                pair.loop.tick(wait: .zero)
            }
            #expect(pair.loop.turn { pair.farSide.received == payload }, "cut at \(place)")
        }
    }
}

@Suite struct WebSocketClientTests {
    /// A client whose server is us, byte by byte.
    private func client(_ answer: (String) -> [UInt8]) throws -> (connection: Connection, near: WebSocketStream) {
        let connection = try Connection()
        let request = try #require(WebSocketRequest(host: "localhost", port: 8080, path: "/path", usesTLS: false))
        let near = WebSocketStream(client: request, over: connection.near)
        near.delegate = connection.nearSide
        #expect(connection.loop.turn { connection.farSide.received.suffix(4) == Array("\r\n\r\n".utf8) })
        let asked = try head(String(decoding: connection.farSide.received, as: UTF8.self))
        connection.farSide.received = []
        connection.far.write(answer(asked.values("sec-websocket-key").first ?? ""))
        return (connection, near)
    }

    private func accepted(_ key: String) -> [UInt8] {
        Array(
            ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: \(WebSocketHandshake.accept(for: key))\r\n\r\n").utf8)
    }

    @Test func masksAreThereAndDiffer() throws {
        let (connection, near) = try client { accepted($0) }
        defer { connection.finish() }
        var masks: Set<[UInt8]> = []
        for number in 1...20 {
            near.write([UInt8](repeating: 0, count: 4))
            #expect(connection.loop.turn { connection.farSide.received.count == number * 10 })
            let sent = connection.farSide.received.suffix(10)
            #expect(sent.prefix(2) == [0x82, 0x84])
            // A mask over zeroes is the mask.
            #expect(Array(sent.dropFirst(2).prefix(4)) == Array(sent.suffix(4)))
            masks.insert(Array(sent.suffix(4)))
        }
        #expect(masks.count == 20)
        near.close()
    }

    @Test func aServersFramesAreTakenUnmasked() throws {
        let (connection, near) = try client { accepted($0) + frame(2, [1, 2], mask: nil) + frame(9, [3], mask: nil) }
        defer { connection.finish() }
        #expect(
            connection.loop.turn { connection.nearSide.received == [1, 2] && connection.farSide.received.count == 7 })
        #expect(connection.farSide.received.prefix(2) == [0x8A, 0x81])
        connection.farSide.received = []
        connection.far.write(frame(2, [1]))

        #expect(connection.loop.turn { connection.nearSide.closes == 1 && connection.farSide.closes == 1 })
        #expect(connection.farSide.received.first == 0x88)
        #expect("\(try #require(connection.nearSide.error))" == "WebSocket: a server's frame is masked")
        near.close()
    }

    @Test(arguments: [
        ("HTTP/1.1 301 Moved\r\nLocation: wss://elsewhere/\r\n\r\n", "redirects to wss://elsewhere/ (301 Moved)"),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "has nothing at /path (404 Not Found)"),
        ("220 mail.example ESMTP\r\n\r\n", "doesn't speak HTTP"), ("SSH-2.0-x\n", "doesn't speak HTTP"),
        ("\u{15}\u{3}\u{1}\0\u{2}\n", "doesn't speak HTTP"), ("", "during the handshake"),
        (
            "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
            "not the answer to our key"
        ),
    ])
    func aRefusalIsTheErrorsText(answer: String, reason: String) throws {
        let (connection, near) = try client { _ in Array(answer.utf8) }
        defer { connection.finish() }
        near.write([1])
        if answer.isEmpty { connection.far.closeAfterFlush() }

        #expect(connection.loop.turn { connection.nearSide.closes == 1 })
        #expect(
            "\(try #require(connection.nearSide.error))".contains(reason),
            "\(String(describing: connection.nearSide.error))")
        // Nothing of what was to be said has gone over the wire.
        #expect(connection.farSide.received.isEmpty)
    }
}

@Suite struct WebSocketFuzzTests {
    /// Random messages, cut into frames and reads as chance has it, arrive as they were sent, with pings in between.
    @Test(arguments: 0..<60)
    func framesOfAnyShapeCarryTheBytes(seed: UInt64) throws {
        var random = Random(state: seed)
        let pair = try WebSocketPair.opened()
        defer { pair.finish() }
        var wire: [UInt8] = []
        var sent: [UInt8] = []
        func mask() -> [UInt8] { (0..<4).map { _ in UInt8.random(in: 0...255, using: &random) } }
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            let pieces = Int.random(in: 1...4, using: &random)
            for piece in 0..<pieces {
                let most = [0, 3, 125, 126, 300, 70_000].randomElement(using: &random) ?? 0
                let payload = (0..<Int.random(in: 0...most, using: &random)).map { UInt8(truncatingIfNeeded: $0) }
                wire += frame(piece == 0 ? 2 : 0, payload, isFinal: piece == pieces - 1, mask: mask())
                sent += payload
                if Bool.random(using: &random) {
                    wire += frame(Bool.random(using: &random) ? 9 : 10, [UInt8](payload.prefix(9)), mask: mask())
                }
            }
        }
        var rest = wire[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...([5, 2000, 200_000].randomElement(using: &random) ?? 1), using: &random)
            pair.connection.near.write(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
            pair.loop.tick(wait: .zero)
        }

        #expect(pair.loop.turn { pair.farSide.receivedCount == sent.count })
        #expect(pair.farSide.received == sent)
        #expect(pair.farSide.closes == 0)
    }

    /// Bytes changed at random, in the handshake or behind it: the connection lives or is closed, and nothing traps.
    @Test func noiseClosesAtMost() throws {
        var random = Random(state: 5)
        let good =
            Array(webSocketRequest().utf8) + frame(2, [1, 2, 3]) + frame(9, [4]) + frame(2, [5], isFinal: false)
            + frame(0, [6]) + frame(8, closeFrame(1000))
        for _ in 0..<300 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...5, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
                }
            }
            let pair = try WebSocketPair(frameLimit: 1000, isBare: true)
            let cut = Int.random(in: 0...bytes.count, using: &random)
            pair.connection.near.write(Array(bytes[..<cut]))
            pair.loop.tick(wait: .zero)
            pair.connection.near.write(Array(bytes[cut...]))
            pair.connection.near.closeAfterFlush()
            #expect(pair.loop.turn { pair.farSide.closes == 1 })
            pair.finish()
        }
    }
}
