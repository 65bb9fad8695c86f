import Broker
import MQTT
import Store
import Testing

@testable import Uplink

/// Sentences of docs/formats.md about receiving that IngestTests and IngestPromiseTests leave open.
@Suite struct ReceivingPromiseTests {
    private static let time = WallTime(milliseconds: 7)

    private static func gap(_ first: UInt64, _ last: UInt64) -> BatchGap {
        BatchGap(run: makeHeader().run, first: first, last: last, reason: "evicted", from: time, to: time)
    }

    @Test(arguments: [
        gap(1 << 33, (1 << 33) + 1), gap(2, (1 << 32) + 5), gap(.max, .max),
    ])
    func aGapFarBeyondTheLastRefusesTheBatchAndNothingIsNoted(gap: BatchGap) throws {
        let receiving = try Receiving()
        receiving.send(makeBatch(samples(1...3)))
        let before = receiving.state()

        #expect(
            receiving.send(makeBatch(samples(4...4), header: makeHeader(sequence: 4, gaps: [gap])))
                == .payloadFormatInvalid)

        #expect(receiving.ingest.figures.refused == ["number": 1])
        #expect(receiving.state() == before)
        #expect(receiving.sink.taken.count == 3)
    }

    @Test func anEndFarBeyondTheLastIsRefusedToo() throws {
        let receiving = try Receiving()
        receiving.send(makeBatch(samples(1...3)))
        let end = BatchEnded(run: makeHeader().run, last: 1 << 34, at: Self.time)

        #expect(receiving.send(makeBatch([], header: makeHeader(sequence: 4, ended: [end]))) == .payloadFormatInvalid)

        #expect(receiving.state()?.ended == nil)
    }

    @Test func aGapOf2To32BeyondTheLastIsStillTaken() throws {
        let receiving = try Receiving()
        receiving.send(makeBatch(samples(1...3)))
        let last = 3 + ReceiverState.farthest

        #expect(receiving.send(makeBatch([], header: makeHeader(sequence: 4, gaps: [Self.gap(4, last)]))) == .success)

        #expect(receiving.state()?.missing == [])
    }

    @Test func theSameNumberOfAnotherNodeRouteRunOrLaneIsAnotherMessage() throws {
        let receiving = try Receiving()
        let headers = [
            makeHeader(), makeHeader(node: "pump-8"), makeHeader(route: "cloud/other"), makeHeader(epoch: 9),
            makeHeader(lane: 1),
        ]

        for header in headers + headers {
            #expect(receiving.send(makeBatch(samples(1...1), header: header), node: header.node) == .success)
        }

        #expect(receiving.sink.taken.count == headers.count)
        #expect(receiving.ingest.figures.duplicates == headers.count)
        #expect(receiving.ingest.states.runCount == headers.count)
    }

    @Test func packetsAndIntervalsAreOneCommit() throws {
        let receiving = try Receiving()
        receiving.sink.waiting = []

        #expect(receiving.send(makeBatch(samples(1...3))) == nil)

        #expect(receiving.sink.waiting?.count == 1)
        #expect(receiving.sink.taken.count == 3)
        #expect(receiving.sink.changes.count == 1)
    }

    @Test func aBatchOfDuplicatesAloneIsAcknowledgedAndItsNewsKept() throws {
        let receiving = try Receiving()
        receiving.send(makeBatch(samples(1...3)))

        let again = makeBatch(samples(1...3), header: makeHeader(gaps: [Self.gap(4, 6)]))
        #expect(receiving.send(again) == .success)

        #expect(receiving.sink.taken.count == 3)
        #expect(receiving.state()?.gaps.map { [$0.first, $0.last] } == [[4, 6]])
    }

    @Test func neighboursOfOneReasonAreJoinedAcrossBatches() throws {
        let receiving = try Receiving()

        receiving.send(makeBatch([], header: makeHeader(sequence: 4, gaps: [Self.gap(1, 3)])))
        receiving.send(makeBatch([], header: makeHeader(sequence: 7, gaps: [Self.gap(4, 6)])))
        receiving.send(makeBatch([], header: makeHeader(sequence: 7, gaps: [Self.gap(2, 5)])))

        #expect(receiving.state()?.gaps.map { [$0.first, $0.last] } == [[1, 6]])
    }
}

/// Sentences of docs/formats.md about the sender and the header that BatchSenderTests and BatchTests leave open.
@Suite struct SendingPromiseTests {
    @Test func aGapIsRepeatedUntilABatchThatCarriesItIsAcknowledged() throws {
        let world = try World()
        world.publish("1", expiry: 1)
        world.publish("2", expiry: 600)
        world.pass(.seconds(5))
        var refusals = 2
        world.upstream.answer = { _ in
            refusals -= 1
            return .reason(refusals >= 0 ? .quotaExceeded : .success)
        }

        world.connect()
        world.pass(.seconds(60))
        world.publish("3")
        world.pass(.seconds(5))

        let gaps = world.upstream.batches.map { $0.header.gaps.map(\.first) }
        #expect(gaps.count >= 4)
        #expect(gaps.prefix(3).allSatisfy { $0 == [1] }, "\(gaps)")
        #expect(gaps.dropFirst(3).allSatisfy { $0.isEmpty }, "\(gaps)")
        #expect(world.queues[0].gaps.isEmpty)
    }

    @Test func neighboursOfOneReasonAreOneGapInTheHeader() throws {
        let world = try World()
        world.publish("1", expiry: 1)
        world.pass(.seconds(5))
        world.publish("2", expiry: 1)
        world.pass(.seconds(5))
        world.publish("3", expiry: 600)

        world.connect()
        world.pass(.seconds(3))

        let gaps = world.upstream.batches.flatMap(\.header.gaps)
        #expect(gaps.map { [$0.first, $0.last] } == [[1, 2]])
        #expect(gaps.allSatisfy { $0.from.milliseconds < $0.to.milliseconds })
    }

    @Test func aBatchAnswered0x95GoesInHalves() throws {
        let world = try World()
        world.upstream.answer = { message in
            let count = (try? openBatch(message.payload))?.1.count ?? 0
            return .reason(count > 3 ? .packetTooLarge : .success)
        }
        world.connect()
        for number in 1...16 { world.publish("\(number)") }

        world.pass(.seconds(10))

        let accepted = world.upstream.batches.filter { $0.messages.count <= 3 }.flatMap(\.messages)
        #expect(accepted.map(\.payload) == (1...16).map { "\($0)" })
        #expect(world.queues[0].messages == 0)
        #expect(world.queues[0].refused == 0)
    }

    @Test func packetsInsideHaveDUP0AndIdentifier1WhereQoSIsAbove0() throws {
        let batch = makeBatch([
            Sample(qos: .atMostOnce), Sample(qos: .atLeastOnce), Sample(qos: .exactlyOnce, retain: true),
        ])
        try batch.withUnsafeBytes { bytes in
            let packets = try BatchReader(limitBytes: 1 << 20).open(bytes).packets

            #expect(packets.map(\.packetIdentifier) == [0, 1, 1])
            #expect(packets.allSatisfy { !$0.isDuplicate && $0.topicAlias == 0 })
            #expect(packets.map(\.retain) == [false, false, true])
        }
    }

    @Test func viaIsAddedOnceForEachNodePassed() throws {
        let (_, first, _) = try openBatch(makeBatch([Sample()]))
        var been = PropertyWriter()
        been.append(UserProperty("via", "sensor-hub"))
        let (_, second, _) = try openBatch(makeBatch([Sample(properties: been.bytes)]))

        #expect(first.map { $0.user.filter { $0.hasPrefix("via") } } == [["via=pump-7"]])
        #expect(second.map { $0.user.filter { $0.hasPrefix("via") } } == [["via=sensor-hub", "via=pump-7"]])
    }
}
