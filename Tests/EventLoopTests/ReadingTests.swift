import Testing

@testable import EventLoop

/// Consumes whole frames of `size` bytes.
private func frames(_ size: Int) -> (ByteStream, UnsafeRawBufferPointer) -> Int {
    { _, bytes in bytes.count / size * size }
}

@Suite struct ReadingTests {
    @Test(arguments: Place.allCases)
    func packetsArriveAByteAtATime(_ place: Place) throws {
        let connection = try Connection(place, name: "bytes\(place.rawValue)")
        defer { connection.finish() }
        connection.farSide.onReceive = frames(4)

        for byte in 0..<40 as Range<UInt8> {
            connection.near.write([byte])
            #expect(connection.loop.turn { connection.far.bytesRead == UInt64(byte) + 1 })
        }

        #expect(connection.farSide.received == Array(0..<40))
        #expect(connection.far.input.capacity == 0)
    }

    @Test(arguments: [(1, 1_000_000), (300, 3000), (70_000, 700_000), (1 << 20, 4 << 20)])
    func bigTransfersInPackets(_ size: Int, _ total: Int) throws {
        let connection = try Connection(name: "big")
        defer { connection.finish() }
        connection.farSide.onReceive = frames(size)
        let bytes = (0..<total).map { UInt8(truncatingIfNeeded: $0 ^ ($0 >> 8)) }

        connection.near.write(bytes)

        #expect(connection.loop.turn { connection.farSide.receivedCount == total })
        #expect(connection.farSide.received == bytes)
        #expect(connection.far.input.capacity == 0)
        #expect(connection.near.output.capacity == 0)
    }

    @Test func slowReaderBlocksTheSenderAndThenDrains() throws {
        let connection = try Connection()
        defer { connection.finish() }
        connection.far.pauseReading()
        let total = 32 << 20

        connection.near.write([UInt8](repeating: 5, count: total))
        #expect(connection.loop.turn { connection.near.isBlocked })
        #expect(connection.near.unsentBytes > 0)
        #expect(connection.nearSide.drains == 0)

        connection.farSide.keepsBytes = false
        connection.far.resumeReading()
        #expect(connection.loop.turn { connection.farSide.receivedCount == total })
        #expect(connection.loop.turn { connection.nearSide.drains == 1 })
        #expect(connection.near.unsentBytes == 0)
    }

    @Test(arguments: Place.allCases)
    func pauseInACallbackKeepsTheRestForTheResume(_ place: Place) throws {
        let connection = try Connection(place, name: "pause\(place.rawValue)")
        defer { connection.finish() }
        connection.farSide.onReceive = { stream, _ in
            stream.pauseReading()
            return 4
        }
        connection.near.write([1, 2, 3, 4, 5, 6, 7, 8])
        #expect(connection.loop.turn { connection.farSide.calls == 1 })
        connection.near.write([9, 10, 11, 12])
        for _ in 0..<5 { connection.loop.tick(wait: .zero) }
        #expect(connection.farSide.calls == 1)

        connection.farSide.onReceive = nil
        connection.far.resumeReading()
        #expect(connection.farSide.calls == 1, "not inside resumeReading")

        #expect(connection.loop.turn { connection.farSide.received.count == 12 })
        #expect(connection.farSide.received == Array(1...12))
    }

    @Test func resumeDeliversTheRestThoughTheSocketHasNothingNew() throws {
        let connection = try Connection()
        defer { connection.finish() }
        connection.farSide.onReceive = { stream, _ in
            stream.pauseReading()
            return 1
        }
        connection.near.write([1, 2, 3])
        #expect(connection.loop.turn { connection.farSide.calls == 1 })

        for calls in 2...3 {
            connection.far.resumeReading()
            #expect(connection.loop.turn(for: .seconds(2)) { connection.farSide.calls == calls })
        }

        #expect(connection.farSide.received == [1, 2, 3])
    }

    @Test(arguments: Place.allCases)
    func peerThatLeavesDuringAPauseIsHeardAfterItsBytes(_ place: Place) throws {
        let connection = try Connection(place, name: "leave\(place.rawValue)")
        defer { connection.finish() }
        connection.far.pauseReading()
        connection.near.write([1, 2, 3])
        connection.loop.tick(wait: .zero)
        connection.near.close()
        let ticks = connection.loop.ticks
        for _ in 0..<5 { connection.loop.tick(wait: .milliseconds(1)) }
        #expect(connection.farSide.closes == 0)
        #expect(connection.loop.ticks == ticks + 5)

        connection.far.resumeReading()

        #expect(connection.loop.turn { connection.farSide.closes == 1 })
        #expect(connection.farSide.received == [1, 2, 3])
    }

    @Test func failedWriteIsReportedAfterWhatThePeerHadSent() throws {
        let connection = try Connection()
        defer { connection.finish() }
        connection.near.write([1, 2, 3])
        connection.near.flush()

        connection.far.sendingDidFail(.reset)
        connection.far.write([7])

        #expect(connection.loop.turn { connection.farSide.closes == 1 })
        #expect(connection.farSide.received == [1, 2, 3])
        #expect(connection.farSide.error == .reset)
    }

    @Test func writingToAPeerThatIsGoneEndsInAnErrorAndNoSignal() throws {
        let connection = try Connection(.unix, name: "gone")
        defer { connection.finish() }
        connection.near.close()
        connection.far.write([1])
        connection.far.flush()

        #expect(connection.loop.turn { connection.farSide.closes == 1 })
    }
}
