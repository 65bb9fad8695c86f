import Broker
import MQTT
import Store
import Testing

@testable import Uplink

@Suite struct IngestTests {
    private let sink = NotingSink()
    private let publisher = AnyPublisher()

    private func makeIngest(_ change: (inout IngestOptions) -> Void = { _ in }) throws -> Ingest {
        var options = IngestOptions(node: "cloud")
        change(&options)
        return try Ingest(options: options, sink: sink, stored: [], storeTime: { 1_000 })
    }

    private func send(_ batch: [UInt8], to ingest: Ingest, topic: String? = nil) -> ReasonCode? {
        var reason: ReasonCode?
        Array((topic ?? Batch.topic(prefix: "roost/batch", node: "pump-7")).utf8).withUnsafeBytes { topic in
            batch.withUnsafeBytes { payload in
                ingest.receive(PublishView(topic: topic, payload: payload, qos: .atLeastOnce), from: publisher) {
                    #expect(reason == nil, "answered twice")
                    reason = $0
                }
            }
        }
        return reason
    }

    @Test func aBatchIsTakenOnce() throws {
        let ingest = try makeIngest()
        let batch = makeBatch([Sample(payload: "1"), Sample(payload: "2")])

        #expect(send(batch, to: ingest) == .success)
        #expect(send(batch, to: ingest) == .success)

        #expect(sink.taken.map(\.payload) == ["1", "2"])
        #expect(sink.taken[0].user == ["t=1732413600123", "via=pump-7"])
        #expect(ingest.figures.duplicates == 2)
        let key = ReceiverKey(node: "pump-7", route: "cloud/plant", run: makeHeader().run)
        #expect(ingest.states[key]?.received == [1...2])
    }

    @Test func aBatchCutDifferentlyIsTakenWhereItIsNew() throws {
        let ingest = try makeIngest()

        _ = send(makeBatch([Sample(payload: "1"), Sample(payload: "2")]), to: ingest)
        _ = send(makeBatch(["2", "3", "4"].map { Sample(payload: $0) }, header: makeHeader(sequence: 2)), to: ingest)

        #expect(sink.taken.map(\.payload) == ["1", "2", "3", "4"])
    }

    @Test func theAcknowledgementComesAfterTheCommit() throws {
        sink.waiting = []
        let ingest = try makeIngest()

        #expect(send(makeBatch([Sample()]), to: ingest) == nil)
        #expect(sink.waiting?.count == 1)
    }

    @Test func whatTheStoreCannotKeepIsNotHad() throws {
        let ingest = try makeIngest()
        sink.isFull = true

        #expect(send(makeBatch([Sample(payload: "1")]), to: ingest) == .quotaExceeded)
        sink.isFull = false
        #expect(send(makeBatch([Sample(payload: "1")]), to: ingest) == .success)

        #expect(sink.taken.map(\.payload) == ["1"])
        #expect(sink.published.isEmpty)
    }

    @Test func whatFollowsARefusedBatchWaitsForIt() throws {
        let ingest = try makeIngest()
        func batch(_ number: Int) -> [UInt8] {
            makeBatch([Sample(payload: "\(number)")], header: makeHeader(sequence: UInt64(number)))
        }
        sink.isFull = true
        #expect(send(batch(1), to: ingest) == .quotaExceeded)
        sink.isFull = false

        #expect(send(batch(2), to: ingest) == .quotaExceeded)
        #expect(send(batch(1), to: ingest) == .success)
        #expect(send(batch(2), to: ingest) == .success)

        #expect(sink.taken.map(\.payload) == ["1", "2"])
    }

    @Test func whatIsNewerWaitsForARefusedBatchOfAnEarlierRun() throws {
        let ingest = try makeIngest()
        func batch(epoch: UInt64) -> [UInt8] {
            makeBatch([Sample(payload: "\(epoch)")], header: makeHeader(epoch: epoch))
        }
        publisher.connection = 1
        sink.isFull = true
        #expect(send(batch(epoch: 1), to: ingest) == .quotaExceeded)
        sink.isFull = false

        #expect(send(batch(epoch: 2), to: ingest) == .quotaExceeded)
        #expect(send(batch(epoch: 1), to: ingest) == .success)
        #expect(send(batch(epoch: 2), to: ingest) == .success)

        #expect(sink.taken.map(\.payload) == ["1", "2"])
    }

    @Test func aNewConnectionBeginsWithWhateverItsNodeStillHas() throws {
        let ingest = try makeIngest()
        publisher.connection = 1
        sink.isFull = true
        #expect(send(makeBatch([Sample()], header: makeHeader(epoch: 1)), to: ingest) == .quotaExceeded)
        sink.isFull = false

        // The node lost its memory, and what it had not acknowledged with it.
        publisher.connection = 2

        #expect(send(makeBatch([Sample()], header: makeHeader(epoch: 2)), to: ingest) == .success)
    }

    @Test func aRefusedBatchThatNeverComesAgainHoldsNobodyForEver() throws {
        let ingest = try makeIngest()
        sink.isFull = true
        _ = send(makeBatch([Sample()]), to: ingest)
        sink.isFull = false
        let time = WallTime(milliseconds: 1)
        let gap = BatchGap(run: makeHeader().run, first: 1, last: 1, reason: "evicted", from: time, to: time)

        #expect(send(makeBatch([Sample()], header: makeHeader(sequence: 2)), to: ingest) == .quotaExceeded)
        #expect(send(makeBatch([Sample()], header: makeHeader(sequence: 2, gaps: [gap])), to: ingest) == .success)
    }

    @Test func whatFollowsARefusedBatchWaitsForWhatIsNewInIt() throws {
        let ingest = try makeIngest()
        publisher.connection = 1
        #expect(send(makeBatch([Sample(payload: "1")]), to: ingest) == .success)
        sink.isFull = true
        let again = makeBatch([Sample(payload: "1"), Sample(payload: "2")])
        let next = makeBatch([Sample(payload: "3")], header: makeHeader(sequence: 3))

        #expect(send(again, to: ingest) == .quotaExceeded)
        #expect(send(next, to: ingest) == .quotaExceeded)
        sink.isFull = false

        #expect(send(again, to: ingest) == .success)
        #expect(send(next, to: ingest) == .success)
        #expect(sink.taken.map(\.payload) == ["1", "2", "3"])
    }

    @Test func nothingWaitsForTheNumberOfARefusedEmptyBatch() throws {
        let ingest = try makeIngest()
        publisher.connection = 1
        sink.isFull = true
        // Messages 1 and 2 were held back at the node, until their commit.
        #expect(send(makeBatch([], header: makeHeader(sequence: 3)), to: ingest) == .quotaExceeded)
        sink.isFull = false

        #expect(send(makeBatch([Sample(), Sample()], header: makeHeader(sequence: 1)), to: ingest) == .success)
    }

    @Test func statesComeBackFromTheStore() throws {
        let batch = makeBatch([Sample()])
        _ = send(batch, to: try makeIngest())
        let stored = sink.changes.compactMap { change -> (key: [UInt8], value: [UInt8])? in
            guard case .state(.receiver, let key, let value?) = change else { return nil }
            return (key, value)
        }
        let restarted = try Ingest(
            options: IngestOptions(node: "cloud"), sink: sink, stored: stored, storeTime: { 2_000 })

        #expect(send(batch, to: restarted) == .success)

        #expect(sink.taken.count == 1)
    }

    @Test func newsIsKeptByRun() throws {
        let ingest = try makeIngest()
        let earlier = BatchRun(epoch: 7, lane: 1)
        let time = WallTime(milliseconds: 3)
        let header = makeHeader(
            sequence: 9, gaps: [BatchGap(run: earlier, first: 4, last: 6, reason: "evicted", from: time, to: time)],
            ended: [BatchEnded(run: earlier, last: 8, at: time)])

        #expect(send(makeBatch([], header: header), to: ingest) == .success)

        let state = try #require(ingest.states[ReceiverKey(node: "pump-7", route: "cloud/plant", run: earlier)])
        #expect(state.missing == [1...3, 7...8])
        #expect(state.ended?.last == 8)
        #expect(ingest.states[ReceiverKey(node: "pump-7", route: "cloud/plant", run: header.run)]?.missing == [1...8])
    }

    @Test func theTopicsAreMappedWithTheBatchesNode() throws {
        let ingest = try makeIngest { $0.topic = "{node}/{topic}" }

        _ = send(makeBatch([Sample(topic: "a"), Sample(topic: "b/c")]), to: ingest)

        #expect(sink.taken.map(\.topic) == ["pump-7/a", "pump-7/b/c"])
    }

    @Test func withoutStampTheNodesTimeGoes() throws {
        let ingest = try makeIngest { $0.stamp = false }
        var own = PropertyWriter()
        own.append(UserProperty("t", "mine"))

        _ = send(makeBatch([Sample(properties: own.bytes), Sample()]), to: ingest)

        #expect(sink.taken.map(\.user) == [["t=mine", "via=pump-7"], ["via=pump-7"]])
    }

    @Test func whatHasBeenHereIsDropped() throws {
        let ingest = try makeIngest()
        var been = PropertyWriter()
        been.append(UserProperty("via", "cloud"))

        #expect(
            send(makeBatch([Sample(payload: "1", properties: been.bytes), Sample(payload: "2")]), to: ingest)
                == .success)

        #expect(sink.taken.map(\.payload) == ["2"])
        #expect(ingest.figures.loops == 1)
        #expect(
            ingest.states[ReceiverKey(node: "pump-7", route: "cloud/plant", run: makeHeader().run)]?.received == [1...2]
        )
    }

    @Test(arguments: ["$SYS/x", "$hw/events/device/x/twin/update"])
    func reservedTopicsAreRefused(topic: String) throws {
        let ingest = try makeIngest()

        #expect(send(makeBatch([Sample(), Sample(topic: topic)]), to: ingest) == .payloadFormatInvalid)

        #expect(sink.taken.isEmpty)
        #expect(ingest.states.runCount == 0)
        let twin = try makeIngest { $0.allowsReserved = { topic, _ in topic.starts(with: "$hw/".utf8) } }
        #expect((send(makeBatch([Sample(topic: topic)]), to: twin) == .success) == topic.hasPrefix("$hw"))
    }

    @Test func whatThePublisherMayNotPublishRefusesTheBatch() throws {
        let ingest = try makeIngest()
        publisher.forbidden = ["secret"]

        #expect(send(makeBatch([Sample(), Sample(topic: "secret")]), to: ingest) == .payloadFormatInvalid)

        #expect(sink.taken.isEmpty)
    }

    @Test func aRefusedBatchLeavesACopyAndALine() throws {
        let ingest = try makeIngest()
        var lines: [String] = []
        ingest.onNotice = { lines.append($0) }
        let shard = Batch.shard(of: "pump-8")

        #expect(send(makeBatch([Sample()]), to: ingest, topic: "roost/batch/\(shard)/pump-8") == .payloadFormatInvalid)

        #expect(sink.published.map(\.topic) == ["roost/refused/\(shard)/pump-8"])
        #expect(lines.count == 1)
        #expect(lines[0].contains("names node pump-7"))
        #expect(ingest.figures.refusedBatches == 1)
    }

    @Test(arguments: [[], [1, 2, 3], Array("no batch".utf8)] as [[UInt8]])
    func garbageIsRefused(payload: [UInt8]) throws {
        #expect(send(payload, to: try makeIngest()) == .payloadFormatInvalid)
        #expect(sink.published.count == 1)
    }

    @Test func bytesBehindABatchAreRefused() throws {
        #expect(send(makeBatch([Sample()]) + [0], to: try makeIngest()) == .payloadFormatInvalid)
    }

    @Test func numbersFarAheadAreRefusedAndNothingIsNoted() throws {
        let ingest = try makeIngest()
        _ = send(makeBatch([Sample()]), to: ingest)
        let key = ReceiverKey(node: "pump-7", route: "cloud/plant", run: makeHeader().run)
        let state = ingest.states[key]

        let far = makeBatch([Sample()], header: makeHeader(sequence: 2 + ReceiverState.farthest))
        #expect(send(far, to: ingest) == .payloadFormatInvalid)

        #expect(ingest.states[key] == state)
        #expect(ingest.states.runCount == 1)
    }

    @Test func endedRunsAreForgotten() throws {
        var now: Int64 = 0
        let ingest = try Ingest(options: IngestOptions(node: "cloud"), sink: sink, stored: [], storeTime: { now })
        let run = BatchRun(epoch: 7)
        let end = BatchEnded(run: run, last: 1, at: WallTime(milliseconds: 1))
        _ = send(makeBatch([], header: makeHeader(ended: [end])), to: ingest)

        #expect(ingest.forgetEnded().isEmpty)
        now = ReceiverState.endedLifetime + 1
        #expect(ingest.forgetEnded().count == 1)

        #expect(ingest.states.keys.map(\.run) == [makeHeader().run])
    }

    @Test(arguments: 1...10)
    func brokenBatchesNeverCrashTheReceiver(seed: UInt64) throws {
        var numbers = SplitMix64(state: seed)
        let ingest = try makeIngest { $0.topic = "{node}/{topic}" }
        let values: [UInt64] = [1, 2, 7, 1 << 32, 1 << 33, .max - 1, .max]
        func number() -> UInt64 { values.randomElement(using: &numbers) ?? 1 }
        for _ in 0..<300 {
            let run = BatchRun(epoch: numbers.next() % 3, lane: UInt16(numbers.next() % 2))
            let time = WallTime(milliseconds: Int64(numbers.next() % 1000), isSet: numbers.next() % 2 == 0)
            var header = makeHeader(epoch: run.epoch, lane: run.lane, sequence: number())
            for _ in 0..<numbers.next() % 3 {
                let ends = [number(), number()].sorted()
                header.gaps.append(
                    BatchGap(run: run, first: ends[0], last: ends[1], reason: "evicted", from: time, to: time))
                header.ended.append(BatchEnded(run: run, last: numbers.next() % 2 == 0 ? nil : number(), at: time))
            }
            var batch = makeBatch((0..<numbers.next() % 4).map { Sample(payload: "\($0)") }, header: header)
            if numbers.next() % 4 == 0 {
                batch[Int(numbers.next() % UInt64(batch.count))] = UInt8(truncatingIfNeeded: numbers.next())
            }
            #expect(send(batch, to: ingest) != nil)
        }
        for key in ingest.states.keys {
            let state = try #require(ingest.states[key])
            #expect(ReceiverKey(decoding: key.encoded) == key)
            #expect(ReceiverState(decoding: state.encoded) == state)
            _ = state.missing
        }
    }
}
