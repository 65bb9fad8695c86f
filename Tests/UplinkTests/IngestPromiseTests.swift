import Broker
import MQTT
import Store
import Testing

@testable import Uplink

/// What docs/formats.md says of the receiver, sentence by sentence; more is in IngestTests.
@Suite struct IngestPromiseTests {
    private static let time = WallTime(milliseconds: 7)

    @Test func aBatchByTwoPathsIsDeliveredOnce() throws {
        let receiving = try Receiving()
        let batch = makeBatch(samples(1...3))

        receiving.send(batch)
        receiving.publisher.name = "another path"
        #expect(receiving.send(batch) == .success)

        #expect(receiving.sink.taken.map(\.payload) == ["1", "2", "3"])
    }

    @Test func aSecondCopyIsAnsweredOnlyWhenTheFirstIsCommitted() throws {
        let receiving = try Receiving()
        receiving.sink.waiting = []
        let batch = makeBatch(samples(1...3))

        #expect(receiving.send(batch) == nil)
        #expect(receiving.send(batch) == nil)

        #expect(receiving.sink.taken.count == 3)
        #expect(receiving.sink.waiting?.count == 2)
    }

    @Test func aPacketNamedInAGapThatComesAllTheSameIsTaken() throws {
        let receiving = try Receiving()
        let gap = BatchGap(
            run: makeHeader().run, first: 1, last: 10, reason: "evicted", from: Self.time, to: Self.time)
        receiving.send(makeBatch([], header: makeHeader(sequence: 11, gaps: [gap])))

        #expect(receiving.send(makeBatch(samples(4...5), header: makeHeader(sequence: 4))) == .success)

        #expect(receiving.sink.taken.map(\.payload) == ["4", "5"])
        #expect(receiving.state()?.gaps.map { [$0.first, $0.last] } == [[1, 3], [6, 10]])
        #expect(receiving.state()?.missing == [])
    }

    @Test(arguments: [nil, 8] as [UInt64?])
    func anEndedRunIsNoted(last: UInt64?) throws {
        let receiving = try Receiving()
        let run = BatchRun(epoch: 7)

        receiving.send(makeBatch([], header: makeHeader(ended: [BatchEnded(run: run, last: last, at: Self.time)])))

        #expect(receiving.state(run)?.ended == ReceiverState.Ended(last: last, at: Self.time))
        #expect(receiving.state(run)?.missing == last.map { [1...$0] } ?? [])
    }

    @Test func anEmptyBatchTellsUpToWhereNumbersGo() throws {
        let receiving = try Receiving()

        #expect(receiving.send(makeBatch([], header: makeHeader(sequence: 5))) == .success)
        #expect(receiving.state()?.missing == [1...4])
        receiving.send(makeBatch(samples(1...4)))

        #expect(receiving.state()?.missing == [])
        #expect(receiving.state()?.quiet == ReceiverState.Quiet(next: 5, at: makeHeader().madeAt))
    }

    @Test func unknownReasonsAreAcceptedAndKeptShort() throws {
        let receiving = try Receiving()
        let long = String(repeating: "\u{1F980}", count: 100)
        let run = makeHeader().run
        let gaps = ["eaten-by-crab", long].enumerated().map { index, reason in
            BatchGap(
                run: run, first: UInt64(index + 1), last: UInt64(index + 1), reason: reason, from: Self.time,
                to: Self.time)
        }

        #expect(receiving.send(makeBatch([], header: makeHeader(sequence: 3, gaps: gaps))) == .success)

        #expect(receiving.state()?.gaps.first?.reason == "eaten-by-crab")
        #expect(receiving.state()?.gaps.last.map { $0.reason.utf8.count <= ReceiverState.maximumReason } == true)
    }

    @Test func aBombIsRefused() throws {
        let receiving = try Receiving { $0.maxBatch = 100_000 }
        let batch = makeBatch([Sample(payload: String(repeating: "x", count: 200_000))])
        #expect(batch.count < 5000)

        #expect(receiving.send(batch) == .payloadFormatInvalid)

        #expect(receiving.ingest.figures.refused == ["bomb": 1])
        #expect(receiving.send(makeBatch([Sample(payload: String(repeating: "x", count: 90_000))])) == .success)
    }

    @Test func everyBitIsGuarded() throws {
        let receiving = try Receiving()
        let batch = makeBatch(samples(1...5))
        // The header has no checksum of its own: a broken text there is another valid text.
        let header = 8 + makeHeader().encoded().count

        for index in header..<batch.count {
            var broken = batch
            broken[index] ^= 0x10
            #expect(receiving.send(broken) == .payloadFormatInvalid, "byte \(index)")
        }
        #expect(receiving.sink.taken.isEmpty)
        #expect(receiving.ingest.states.runCount == 0)
        #expect((receiving.ingest.figures.refused["checksum"] ?? 0) > 0)
    }

    @Test func aTruncatedBatchIsRefusedWhereverItIsCut() throws {
        let receiving = try Receiving()
        let batch = makeBatch(samples(1...5))

        for length in 0..<batch.count {
            #expect(receiving.send(Array(batch[..<length])) == .payloadFormatInvalid, "\(length) bytes")
        }
        #expect(receiving.sink.taken.isEmpty)
        #expect(receiving.sink.published.count == batch.count)
    }

    @Test func anUnknownVersionIsRefusedWithoutACopy() throws {
        let receiving = try Receiving()
        var batch = makeBatch(samples(1...1))
        let version = try #require(batch.firstIndex(of: UInt8(ascii: "v")))
        batch[version + 3] = UInt8(ascii: "2")

        #expect(receiving.send(batch) == .payloadFormatInvalid)

        #expect(receiving.sink.published.isEmpty)
        #expect(receiving.ingest.figures.refused == ["version": 1])
        #expect(receiving.lines.count == 1)
    }

    @Test func aFullStoreRefusesWithoutACopy() throws {
        let receiving = try Receiving()
        receiving.sink.isFull = true

        #expect(receiving.send(makeBatch(samples(1...1))) == .quotaExceeded)

        #expect(receiving.sink.published.isEmpty)
        #expect(receiving.ingest.figures.refused == ["full": 1])
        #expect(receiving.ingest.states.runCount == 0)
    }

    @Test func aRefusalIsLoggedOnceAnEpisode() throws {
        let receiving = try Receiving()
        for _ in 0..<50 { receiving.send([1, 2, 3]) }
        #expect(receiving.lines.count == 1)

        receiving.now += 61_000
        receiving.send([1, 2, 3])

        #expect(receiving.lines.count == 2)
        #expect(receiving.ingest.figures.refusedBatches == 51)
    }

    @Test func refusedCopiesAreNeverTakenIn() throws {
        let receiving = try Receiving { $0.filter = "roost/#" }
        func wants(_ topic: String) -> Bool { Array(topic.utf8).withUnsafeBytes { receiving.ingest.wants($0) } }

        #expect(wants("roost/batch/3f/pump-7"))
        #expect(!wants("roost/refused/3f/pump-7"))
        #expect(!wants("plant/7"))
    }

    @Test func theTimesOfASpanAreThoseOfItsEnds() throws {
        let receiving = try Receiving()

        receiving.send(makeBatch(samples(4...6), header: makeHeader(sequence: 4)))
        receiving.send(makeBatch(samples(1...3)))
        receiving.send(makeBatch(samples(9...9), header: makeHeader(sequence: 9)))

        let spans = try #require(receiving.state()?.spans)
        #expect(spans.map { [$0.first, $0.last] } == [[1, 6], [9, 9]])
        #expect(spans.map { [$0.from.milliseconds, $0.to.milliseconds] } == [[1000, 6000], [9000, 9000]])
    }
}
