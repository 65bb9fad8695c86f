import Testing

@testable import EventLoop

/// A stream on top of another, as TLS will be: every byte is changed on its way.
private final class MaskingStream: ByteStream, ByteStreamDelegate {
    let inner: ByteStream

    init(over inner: ByteStream) {
        self.inner = inner
        super.init(loop: inner.loop, peer: inner.peer)
        inner.delegate = self
    }

    override func send(_ bytes: UnsafeRawBufferPointer) -> SendResult {
        guard !inner.isBlocked else { return .sent(0) }
        inner.write(bytes.map { $0 ^ 0x55 })
        return .sent(bytes.count)
    }

    override func readingDidResume() { inner.resumeReading() }
    override func shutDownSending() { inner.closeAfterFlush(deadline: .seconds(1)) }
    override func closeEdge() { inner.close() }

    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        bytes.map { $0 ^ 0x55 }.withUnsafeBytes { edgeDidReceive($0) }
        if isPaused { inner.pauseReading() }
        return bytes.count
    }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) { edgeDidClose(error) }
    func streamDidDrain(_ stream: ByteStream) { edgeBecameWritable() }
}

@Suite struct LayeringTests {
    @Test func threeLayersAreWrittenInOneTick() throws {
        let connection = try Connection()
        defer { connection.finish() }
        var near: ByteStream = connection.near
        for _ in 0..<3 { near = MaskingStream(over: near) }

        near.write([1, 2, 3])
        connection.loop.tick(wait: .zero)

        #expect(connection.near.bytesWritten == 3)
        #expect(connection.loop.turn { connection.farSide.received == [1 ^ 0x55, 2 ^ 0x55, 3 ^ 0x55] })
        near.close()
    }

    @Test func backPressurePassesThroughALayer() throws {
        let connection = try Connection()
        defer { connection.finish() }
        let near = MaskingStream(over: connection.near)
        let far = MaskingStream(over: connection.far)
        let (nearSide, farSide) = (Recorder(), Recorder())
        (near.delegate, far.delegate) = (nearSide, farSide)
        farSide.keepsBytes = false
        farSide.onReceive = { stream, bytes in
            stream.pauseReading()
            return bytes.count
        }
        let block = [UInt8](repeating: 3, count: 16 << 20)
        near.write(block)
        #expect(connection.loop.turn { connection.near.isBlocked && far.isPaused })
        near.write(block)
        connection.loop.tick(wait: .zero)
        #expect(near.isBlocked)

        farSide.onReceive = nil
        far.resumeReading()

        #expect(connection.loop.turn { farSide.receivedCount == 32 << 20 })
        #expect(connection.loop.turn { nearSide.drains == 1 })
        near.closeAfterFlush(deadline: .seconds(5))
        #expect(connection.loop.turn { farSide.closes == 1 })
        far.close()
    }
}
