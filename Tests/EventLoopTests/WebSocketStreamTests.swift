import Testing

@testable import EventLoop

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
