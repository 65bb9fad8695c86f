import Testing

@testable import EventLoop

@Suite struct TokenBucketTests {
    @Test(arguments: [64_000, 1_000_000, 100_000_000])
    func noMoreThanTheRateAndTheBurstPasses(rate: Int) {
        let start = Instant(milliseconds: 0)
        var bucket = TokenBucket(bitsPerSecond: rate, now: start)
        var passed = 0
        for millisecond in 0..<10_000 {
            let now = Instant(milliseconds: Int64(millisecond))
            let bytes = max(0, bucket.available(now))
            bucket.take(bytes, now)
            passed += bytes
        }

        let due = rate / 8 * 10
        #expect(passed <= due + Int(bucket.capacity))
        #expect(abs(passed - due) * 50 <= due)
    }

    @Test(arguments: [
        (64_000, 0, 1500.0), (1_000_000, 0, 12_500), (100_000_000, 0, 1_250_000), (64_000, 800_000, 100_000),
        (1_000_000, 8, 1500), (100_000_000, 8, 125_000),
    ])
    func burstsHaveASensibleSize(rate: Int, burst: Int, bytes: Double) {
        #expect(TokenBucket(bitsPerSecond: rate, burstBits: burst, now: Instant(milliseconds: 0)).capacity == bytes)
    }

    @Test func aDebtIsPaidFirst() {
        let start = Instant(milliseconds: 0)
        var bucket = TokenBucket(bitsPerSecond: 8000, burstBits: 12_000, now: start)
        bucket.take(3500, start)

        let available = bucket.available(start)
        let ready = bucket.ready(for: 1, start)
        let departure = bucket.departure(of: 1000, start)

        #expect(available == -2000)
        #expect(ready > Instant(milliseconds: 2000) && ready <= Instant(milliseconds: 2002))
        #expect(departure.milliseconds == 3000)
    }

    @Test(arguments: [(1, 1), (8000, 250), (64_000, 1500), (1_000_000, 1500), (100_000_000, 62_500)])
    func stepsAreWorthASegmentAndNeverLong(rate: Int, bytes: Int) {
        #expect(TokenBucket(bitsPerSecond: rate, now: Instant(milliseconds: 0)).step == bytes)
    }
}

/// Streams that are held to a rate.
@Suite struct StreamPacerTests {
    private final class Peer: ByteStreamDelegate {
        var received = 0
        var drains = 0
        var isClosed = false
        func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
            received += bytes.count
            return bytes.count
        }
        func streamDidClose(_ stream: ByteStream, error: StreamError?) { isClosed = true }
        func streamDidDrain(_ stream: ByteStream) { drains += 1 }
    }

    private struct Pair {
        let clock = VirtualClock()
        let loop: EventLoop
        let near = Peer()
        let far = Peer()
        let stream: ByteStream
        let other: ByteStream

        init() throws {
            loop = EventLoop(clock: clock, poller: VirtualPoller())
            let network = MemoryNetwork(loop: loop)
            network.wire.windowBytes = 16 << 20
            var accepted: ByteStream?
            var connected: ByteStream?
            let far = far
            _ = try network.listen(.tcp(host: "far", port: 1)) {
                accepted = $0
                $0.delegate = far
            }
            network.connect(to: .tcp(host: "far", port: 1), timeout: .seconds(1)) { connected = try? $0.get() }
            clock.advance(by: .milliseconds(1), turning: loop)
            stream = try #require(connected)
            other = try #require(accepted)
            stream.delegate = near
        }

        func pass(_ duration: Duration) { clock.advance(by: duration, turning: loop) }
    }

    @Test(arguments: [64_000, 1_000_000, 100_000_000])
    func outputLeavesAtTheRate(rate: Int) throws {
        let pair = try Pair()
        pair.stream.pace(by: StreamPacer(egress: TokenBucket(bitsPerSecond: rate, now: pair.clock.now)))
        let second = rate / 8
        pair.stream.write([UInt8](repeating: 1, count: second * 12))

        pair.pass(.seconds(1))
        #expect((second * 88 / 100...second * 120 / 100).contains(pair.far.received))
        pair.pass(.seconds(9))
        #expect((second * 98 / 10...second * 102 / 10).contains(pair.far.received))
        #expect(pair.near.drains == 0)
        pair.pass(.seconds(3))

        #expect(pair.far.received == second * 12)
        #expect(pair.near.drains == 1)
    }

    @Test(arguments: [64_000, 1_000_000, 100_000_000])
    func inputIsReadAtTheRateAndNeverStops(rate: Int) throws {
        let pair = try Pair()
        pair.stream.pace(by: StreamPacer(ingress: TokenBucket(bitsPerSecond: rate, now: pair.clock.now)))
        let second = rate / 8
        pair.other.write([UInt8](repeating: 1, count: second * 12))

        var before = 0
        for _ in 0..<20 {
            pair.pass(.milliseconds(500))
            #expect(pair.near.received > before)
            before = pair.near.received
        }
        #expect((second * 98 / 10...second * 102 / 10).contains(pair.near.received))
        pair.other.closeAfterFlush()
        pair.pass(.seconds(3))

        #expect(pair.near.received == second * 12)
        #expect(pair.near.isClosed)
    }

    @Test func aNewStreamIsNoNewBurst() throws {
        let first = try Pair()
        let pacer = StreamPacer(egress: TokenBucket(bitsPerSecond: 80_000, now: first.clock.now))
        first.stream.pace(by: pacer)
        first.stream.write([UInt8](repeating: 1, count: 100_000))
        first.pass(.milliseconds(100))
        let sent = first.far.received
        first.stream.close()

        // Another stream of the same time.
        let second = try Pair()
        second.pass(first.clock.now - second.clock.now)
        second.stream.pace(by: pacer)
        second.stream.write([UInt8](repeating: 1, count: 100_000))
        second.pass(.milliseconds(900))

        #expect(sent + second.far.received <= 10_000 + 1500)
    }

    @Test func whatIsIdleMayLeaveAtOnce() throws {
        let pair = try Pair()
        pair.stream.pace(by: StreamPacer(egress: TokenBucket(bitsPerSecond: 64_000, now: pair.clock.now)))
        pair.stream.write([UInt8](repeating: 1, count: 1000))
        pair.pass(.zero)

        #expect(pair.far.received == 1000)
        #expect(pair.near.drains == 0)
    }
}
