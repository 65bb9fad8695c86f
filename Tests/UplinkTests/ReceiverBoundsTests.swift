import Testing

@testable import Uplink

/// However many holes a run's numbers have, and however many runs and nodes somebody makes up: what a receiver keeps of them is
/// bounded, and what it lets go is taken again rather than lost.
@Suite struct ReceiverBoundsTests {
    private static let time = WallTime(milliseconds: 5)

    private func pieces(_ state: ReceiverState) -> Int { state.spans.count + state.gaps.count + state.foldedGaps.count }

    @Test func whereAllIsKnownTheOldestAreFolded() throws {
        var state = ReceiverState()
        for step in 0..<UInt64(20_000) {
            #expect(try state.accept(step * 3 + 1, count: 2).count == 1)
            try state.accept(
                .init(first: step * 3 + 3, last: step * 3 + 3, reason: "superseded", from: Self.time, to: Self.time))
        }

        #expect(pieces(state) <= ReceiverState.maximumPieces + ReceiverState.maximumFolded)
        #expect(state.missing == [])
        #expect(state.forgottenThrough == 0)
        #expect(state.foldedGaps.map(\.reason) == ["superseded"])
        #expect(state.foldedGaps.first?.first == 3)
        #expect(try state.accept(1, count: 2) == [], "what came stays known")
        #expect(ReceiverState(decoding: state.encoded) == state)
    }

    @Test func whereSomeAreMissingTheOldestAreForgottenAndTakenAgain() throws {
        var state = ReceiverState()
        for step in 0..<UInt64(20_000) { _ = try state.accept(step * 2 + 1, count: 1) }

        #expect(pieces(state) <= ReceiverState.maximumPieces)
        #expect(try state.accept(2, count: 1) == [2...2], "never lost")
        #expect(try state.accept(39_999, count: 1) == [], "the newest are known")
        #expect(state.missing.first.map { $0.lowerBound > state.forgottenThrough } == true)
        #expect(ReceiverState(decoding: state.encoded) == state)
    }

    @Test(arguments: 1...4)
    func whateverComesNothingIsLost(seed: UInt64) throws {
        var numbers = SplitMix64(state: seed)
        var state = ReceiverState()
        var came: Set<UInt64> = []
        var named: Set<UInt64> = []
        for _ in 0..<2500 {
            let first = 1 + numbers.next() % 20_000
            let count = numbers.next() % 3
            if numbers.next() % 3 == 0 {
                try state.accept(
                    .init(first: first, last: first + count, reason: "expired", from: Self.time, to: Self.time))
                named.formUnion(first...first + count)
            } else if count > 0 {
                let new = try state.accept(first, count: Int(count)).flatMap { Array($0) }
                for number in first..<first + count where !new.contains(number) {
                    #expect(came.contains(number) || named.contains(number), "\(number) was never here")
                }
                came.formUnion(first..<first + count)
            }
            #expect(pieces(state) <= ReceiverState.maximumPieces + ReceiverState.maximumFolded + 2)
            for pair in zip(state.spans, state.spans.dropFirst()) { #expect(pair.0.last + 1 < pair.1.first) }
        }
        #expect(ReceiverState(decoding: state.encoded) == state)
    }

    @Test func aNodeWithTooManyRunsLosesItsOldest() throws {
        let receiving = try Receiving()
        receiving.ingest.states.nodeLimitBytes = 100_000
        for epoch in UInt64(1)...1000 {
            receiving.now += 1
            #expect(receiving.send(makeBatch(samples(1...2), header: makeHeader(epoch: epoch))) == .success)
        }

        #expect(receiving.ingest.states.bytes <= 110_000)
        #expect(receiving.state(BatchRun(epoch: 1000)) != nil)
        #expect(receiving.state(BatchRun(epoch: 1)) == nil)
        let removed = receiving.sink.changes.count { if case .state(.receiver, _, nil) = $0 { true } else { false } }
        #expect(removed == 1000 - receiving.ingest.states.runCount, "the store forgets them too")
    }

    @Test func madeUpNodesFindNoRoomBeyondTheLimit() throws {
        let receiving = try Receiving()
        receiving.send(makeBatch(samples(1...1)))
        receiving.ingest.states.limitBytes = 100_000
        var answers: Set<UInt8> = []
        for number in 0..<1000 {
            let node = "made-up-\(number)"
            answers.insert(
                receiving.send(makeBatch(samples(1...1), header: makeHeader(node: node)), node: node)?.rawValue ?? 0)
        }

        #expect(answers == [0, 0x97])
        #expect(receiving.ingest.states.bytes < 101_000)
        #expect(
            receiving.send(makeBatch(samples(2...2), header: makeHeader(sequence: 2))) == .success, "known ones go on")
    }

    @Test func countedBytesGoWithTheRuns() throws {
        let receiving = try Receiving()
        let end = BatchEnded(run: BatchRun(epoch: 7), last: 1, at: Self.time)
        receiving.send(makeBatch([], header: makeHeader(ended: [end])))
        receiving.now += ReceiverState.endedLifetime + 1
        receiving.send(makeBatch(samples(1...1), header: makeHeader(epoch: 9)))

        #expect(receiving.ingest.forgetEnded().count == 2, "the one that ended, and the one that a later one follows")

        #expect(receiving.ingest.states.keys.map(\.run.epoch) == [9])
        #expect(receiving.ingest.states.bytes < 500)
    }

    @Test func tenThousandNodesFitInTheMemoryOfAGateway() throws {
        var states = ReceiverStates()
        for node in 0..<10_000 {
            for route in 0..<3 {
                var state = ReceiverState()
                _ = try state.accept(1, count: 100)
                states.set(
                    ReceiverKey(node: "node-\(node)", route: "cloud/route-\(route)", run: BatchRun(epoch: 1)), state)
            }
        }

        #expect(states.runCount == 30_000)
        #expect(states.bytes < 12 << 20)
    }
}
