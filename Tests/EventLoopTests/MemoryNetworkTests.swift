import Testing

@testable import EventLoop

@Suite struct MemoryNetworkTests {
    let clock = VirtualClock()
    let loop: EventLoop
    let network: MemoryNetwork
    let endpoint = Endpoint.tcp(host: "broker", port: 1883)

    init() {
        loop = EventLoop(clock: clock, poller: VirtualPoller())
        network = MemoryNetwork(loop: loop)
    }

    @Test func bytesArriveAndOrderIsKept() throws {
        let connection = try Connection(loop, network, endpoint)

        for byte in 0..<10 { connection.near.write([UInt8(byte)]) }
        loop.settle()
        connection.near.write([10])
        loop.settle()

        #expect(connection.farSide.received == Array(0...10))
    }

    @Test func delayIsKept() throws {
        network.wire.delay = .milliseconds(70)
        let farSide = Recorder()
        _ = try network.listen(endpoint) { $0.delegate = farSide }
        var near: ByteStream?
        network.connect(to: endpoint, timeout: .seconds(1)) { near = try? $0.get() }

        clock.advance(by: .milliseconds(139), turning: loop)
        #expect(near == nil)
        clock.advance(by: .milliseconds(1), turning: loop)
        #expect(near != nil)

        near?.write([1])
        clock.advance(by: .milliseconds(69), turning: loop)
        #expect(farSide.received == [])
        clock.advance(by: .milliseconds(1), turning: loop)
        #expect(farSide.received == [1])
    }

    @Test func shorterDelayOvertakesNothing() throws {
        let connection = try Connection(loop, network, endpoint)
        let near = try #require(connection.near as? MemoryStream)

        near.delay = .milliseconds(50)
        near.write([1])
        clock.advance(by: .milliseconds(10), turning: loop)
        near.delay = .zero
        near.write([2])
        clock.advance(by: .milliseconds(39), turning: loop)
        #expect(connection.farSide.received == [])
        clock.advance(by: .milliseconds(1), turning: loop)

        #expect(connection.farSide.received == [1, 2])
    }

    @Test func twoLoopsShareAWire() throws {
        let other = EventLoop(clock: clock, poller: VirtualPoller(), index: 1)
        let otherNetwork = MemoryNetwork(loop: other, wire: network.wire)
        let side = Recorder()
        var accepted: ByteStream?
        _ = try otherNetwork.listen(endpoint) { stream in
            stream.delegate = side
            accepted = stream
        }
        var near: ByteStream?
        network.connect(to: endpoint, timeout: .seconds(1)) { near = try? $0.get() }
        clock.advance(by: .seconds(1), turning: loop, other)

        near?.write([4, 2])
        clock.advance(by: .zero, turning: loop, other)

        #expect(accepted?.loop === other)
        #expect(side.received == [4, 2])
    }

    @Test func hooksRunAgainAfterAStreamClosedInTheFlush() throws {
        let connection = try Connection(loop, network, endpoint)
        var hooks = 0
        loop.atTickEnd { hooks += 1 }
        let failing = FailingStream(loop: loop, peer: "nowhere")
        let side = Recorder()
        failing.delegate = side

        failing.write([1])
        loop.settle()

        #expect(side.error == .timedOut)
        #expect(hooks == 2)
        connection.finish()
    }

    @Test func silentCutHoldsBytesUntilRestored() throws {
        let connection = try Connection(loop, network, endpoint)
        network.cut(.silent)

        connection.near.write([1, 2])
        loop.settle()
        clock.advance(by: .seconds(60))
        loop.settle()
        #expect(connection.farSide.received == [])

        network.restore()
        loop.settle()
        #expect(connection.farSide.received == [1, 2])
    }

    @Test func silentCutTimesConnectsOut() throws {
        _ = try network.listen(endpoint) { _ in }
        network.cut(.silent)
        var result: Result<ByteStream, NetworkError>?
        network.connect(to: endpoint, timeout: .seconds(3)) { result = $0 }

        loop.settle()
        #expect(result == nil)
        clock.advance(by: .seconds(3))
        loop.settle()

        #expect(throws: NetworkError.timedOut("broker:1883")) { try result?.get() }
    }

    @Test func brokenCutClosesBothEndsAndRefusesNewOnes() throws {
        let connection = try Connection(loop, network, endpoint)

        network.cut(.broken)
        loop.settle()
        #expect(connection.nearSide.error == .reset)
        #expect(connection.farSide.error == .reset)
        #expect(connection.nearSide.closes == 1)

        var result: Result<ByteStream, NetworkError>?
        network.connect(to: endpoint, timeout: .seconds(3)) { result = $0 }
        loop.settle()
        #expect(throws: NetworkError.unreachable("broker:1883")) { try result?.get() }
        #expect(network.openStreams == 0)
    }

    @Test func fullWindowBlocksUntilThePeerReads() throws {
        network.wire.windowBytes = 10
        let connection = try Connection(loop, network, endpoint)
        connection.far.pauseReading()

        connection.near.write([UInt8](repeating: 7, count: 35))
        loop.settle()
        #expect(connection.near.isBlocked)
        #expect(connection.near.unsentBytes == 25)

        connection.far.resumeReading()
        loop.settle()
        #expect(connection.farSide.received.count == 35)
        #expect(connection.nearSide.drains == 1)
    }

    @Test func nobodyListensIsRefused() {
        var result: Result<ByteStream, NetworkError>?
        network.connect(to: endpoint, timeout: .seconds(3)) { result = $0 }
        loop.settle()
        #expect(throws: NetworkError.refused("broker:1883")) { try result?.get() }
    }

    @Test func peerHearsOfTheCloseAfterTheBytes() throws {
        let connection = try Connection(loop, network, endpoint)

        connection.near.write([1])
        connection.near.closeAfterFlush(deadline: .seconds(1))
        loop.settle()

        #expect(connection.farSide.received == [1])
        #expect(connection.farSide.closes == 1)
        #expect(connection.near.isClosed)
    }
}

/// Fails at the first write.
private final class FailingStream: ByteStream {
    override func send(_ bytes: UnsafeRawBufferPointer) -> SendResult { .failed(.timedOut) }
}
