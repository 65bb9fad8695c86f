import Testing

@testable import EventLoop

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
