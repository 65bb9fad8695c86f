import CLinux
import Glibc
import Testing

@testable import EventLoop

/// What the kernel takes in on a connection with a slow ingress rate, over real sockets.
@Suite struct ReceiveWindowTests {
    /// Bytes that a peer with much to say got rid of, while the rate let nothing be read.
    private func takenIn(bitsPerSecond: Int) throws -> Int {
        let loop = try EventLoop()
        let network = SocketNetwork(loop: loop)
        let far = Recorder()
        let near = Recorder()
        var accepted: ByteStream?
        var connected: ByteStream?
        let listener = try network.listen(.tcp(host: "127.0.0.1", port: 0)) { stream in
            stream.delegate = far
            accepted = stream
        }
        var bucket = TokenBucket(bitsPerSecond: bitsPerSecond, now: loop.now)
        // Nothing may be read for longer than the test takes.
        bucket.take(bitsPerSecond / 8 * 3600, loop.now)
        let pacer = StreamPacer(ingress: bucket)
        _ = network.connect(to: listener.endpoint, timeout: .seconds(10), pacer: pacer) { result in
            connected = try? result.get()
            connected?.delegate = near
            connected?.pace(by: pacer)
        }
        try #require(loop.turn(until: { accepted != nil && connected != nil }))
        let stream = try #require(connected as? SocketStream)

        accepted?.write([UInt8](repeating: 1, count: 1 << 20))
        // What loopback takes, it has taken when the peer's write returns; what comes later waits for timers.
        #expect(loop.turn(until: { stream.arrived > 0 }))
        let taken = stream.arrived

        #expect(near.receivedCount == 0)
        listener.close()
        stream.close()
        accepted?.close()
        loop.tearDown()
        return taken
    }

    @Test(arguments: [64_000, 256_000, 1_000_000])
    func whatMayNotBeReadYetStaysWithThePeer(bitsPerSecond: Int) throws {
        let taken = try takenIn(bitsPerSecond: bitsPerSecond)

        // A quarter of a second of the rate, or a few frames.
        #expect(taken <= max(bitsPerSecond / 8 / 4, 4096), "\(taken) bytes")
    }

    @Test func aHighRateLeavesTheKernelItsChoice() {
        let now = Instant(nanoseconds: 0)

        #expect(ReceiveWindow(of: TokenBucket(bitsPerSecond: 20_000_000, now: now)) == nil)
        #expect(ReceiveWindow(of: TokenBucket(bitsPerSecond: 1_000_000, now: now)) != nil)
    }
}

extension SocketStream {
    /// Bytes that the kernel holds for us.
    fileprivate var arrived: Int {
        var count: Int32 = 0
        return ioctl(descriptor, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }
}
