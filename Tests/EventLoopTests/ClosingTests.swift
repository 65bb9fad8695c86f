import CLinux
import Testing

@testable import EventLoop

@Suite struct ClosingTests {
    /// Two connections of one loop are readable in the same batch; whichever is served first closes the other, and something
    /// new takes the closed one's place and number while its event is still in the batch.
    @Test(arguments: Place.allCases)
    func closingAnotherStreamWhoseEventIsPending(_ place: Place) throws {
        let loop = try EventLoop()
        let network = SocketNetwork(loop: loop)
        let first = try Connection(loop, network, place.endpoint("pending1\(place.rawValue)"))
        let second = try Connection(loop, network, place.endpoint("pending2\(place.rawValue)"))
        var served = 0
        let newcomer = NeverReady(SharedDescriptor(linux_eventfd()))
        for (mine, other) in [(first, second), (second, first)] {
            mine.farSide.onReceive = { _, bytes in
                served += 1
                other.far.close()
                newcomer.watch =
                    (try? loop.watch(descriptor: newcomer.descriptor.number, .read, handler: newcomer)) ?? .none
                return bytes.count
            }
        }
        first.near.write([1])
        second.near.write([2])
        first.near.flush()
        second.near.flush()

        for _ in 0..<5 { loop.tick(wait: .zero) }

        #expect(served == 1)
        #expect(newcomer.watch != .none)
        #expect(newcomer.events == 0)
        #expect(first.farSide.closes + second.farSide.closes == 0)
        first.finish()
        second.finish()
    }

    @Test(arguments: Place.allCases)
    func closingItselfWhileKeptBytesAreDelivered(_ place: Place) throws {
        let connection = try Connection(place, name: "self\(place.rawValue)")
        defer { connection.finish() }
        var sum = 0
        connection.farSide.onReceive = { stream, bytes in
            guard bytes.count >= 10_000 else { return 0 }
            stream.close()
            for byte in bytes { sum += Int(byte) }
            return 0
        }

        connection.near.write([UInt8](repeating: 1, count: 6000))
        #expect(connection.loop.turn { connection.far.bytesRead == 6000 })
        connection.near.write([UInt8](repeating: 1, count: 6000))
        #expect(connection.loop.turn { connection.far.isClosed })

        #expect(sum >= 10_000)
        #expect(connection.far.input.capacity == 0)
        #expect(connection.farSide.closes == 0)
    }

    @Test func closingInsideTheCloseAndDrainCallbacks() throws {
        let connection = try Connection()
        defer { connection.finish() }
        connection.farSide.onClose = { connection.far.close() }

        connection.near.close()

        #expect(connection.loop.turn { connection.farSide.closes == 1 })
    }

    @Test func lastBytesArriveThoughInputWasNeverRead() throws {
        let connection = try Connection()
        defer { connection.finish() }
        connection.far.pauseReading()
        connection.near.write([UInt8](repeating: 1, count: 32 << 20))
        connection.loop.tick(wait: .zero)

        connection.far.write([0x20, 2, 0, 0x87])
        connection.far.closeAfterFlush(deadline: .seconds(10))

        #expect(connection.loop.turn { connection.nearSide.closes == 1 })
        #expect(connection.nearSide.received == [0x20, 2, 0, 0x87])
        #expect(connection.nearSide.error == nil)
        #expect(connection.loop.turn { connection.far.isClosed })
    }

    @Test func closingAtOnceLosesWhatIsUnsent() throws {
        let connection = try Connection()
        defer { connection.finish() }
        connection.far.write([1])
        connection.far.close()

        #expect(connection.loop.turn { connection.nearSide.closes == 1 })
        #expect(connection.nearSide.received == [])
    }

    @Test func closeAfterFlushGivesUpAtItsDeadline() throws {
        let clock = VirtualClock()
        let loop = EventLoop(clock: clock, poller: try EpollPoller())
        let connection = try Connection(loop, SocketNetwork(loop: loop), Place.tcp.endpoint(""))
        defer { connection.finish() }
        connection.near.pauseReading()
        connection.far.write([UInt8](repeating: 0, count: 32 << 20))
        connection.far.closeAfterFlush(deadline: .seconds(3))
        for _ in 0..<20 { loop.tick(wait: .zero) }
        #expect(!connection.far.isClosed)

        clock.advance(by: .seconds(3))
        loop.tick(wait: .zero)

        #expect(connection.far.isClosed)
        #expect(connection.farSide.closes == 0)
    }

    @Test func streamWithoutADelegateClosesItself() throws {
        let connection = try Connection()
        defer { connection.finish() }
        connection.far.delegate = nil

        connection.near.write([1])

        #expect(connection.loop.turn { connection.far.isClosed })
    }
}

/// Watches a descriptor that nothing ever happens to.
private final class NeverReady: DescriptorHandler {
    let descriptor: SharedDescriptor
    var watch = Watch.none
    var events = 0

    init(_ descriptor: SharedDescriptor) {
        self.descriptor = descriptor
    }

    func descriptorIsReady(_ readiness: Readiness) { events += 1 }
}
