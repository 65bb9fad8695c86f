import Testing

@testable import EventLoop

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
