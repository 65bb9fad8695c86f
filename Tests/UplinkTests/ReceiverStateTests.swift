import Store
import Testing

@testable import Uplink

extension ReceiverState {
    /// Numbers without times.
    var received: [ClosedRange<UInt64>] { spans.map { $0.first...$0.last } }

    mutating func accept(_ sequence: UInt64, count: Int) throws(BatchRefusal) -> [ClosedRange<UInt64>] {
        try accept(
            sequence, count: count, from: WallTime(milliseconds: Int64(truncatingIfNeeded: sequence)),
            to: WallTime(milliseconds: Int64(truncatingIfNeeded: sequence) + Int64(count) - 1))
    }
}

@Suite struct ReceiverStateTests {
    private static let time = WallTime(milliseconds: 5)

    private static func gap(_ first: UInt64, _ last: UInt64, _ reason: String = "evicted") -> ReceiverState.Gap {
        ReceiverState.Gap(first: first, last: last, reason: reason, from: time, to: time)
    }

    @Test func aBatchThatComesTwiceIsNewOnce() throws {
        var state = ReceiverState()

        #expect(try state.accept(1, count: 10) == [1...10])
        #expect(try state.accept(1, count: 10) == [])
        #expect(try state.accept(5, count: 10) == [11...14])
        #expect(try state.accept(20, count: 1) == [20...20])
        #expect(try state.accept(10, count: 15) == [15...19, 21...24])
        #expect(state.received == [1...24])
        #expect(state.missing == [])
    }

    @Test func whatIsInNeitherIsMissing() throws {
        var state = ReceiverState()

        _ = try state.accept(5, count: 2)
        try state.accept(Self.gap(8, 9))
        _ = try state.accept(12, count: 0)

        #expect(state.missing == [1...4, 7...7, 10...11])
    }

    @Test func aNamedPacketThatComesAllTheSameShrinksTheGap() throws {
        var state = ReceiverState()
        try state.accept(Self.gap(10, 20))

        #expect(try state.accept(14, count: 2) == [14...15])

        #expect(state.gaps == [Self.gap(10, 13), Self.gap(16, 20)])
    }

    @Test func neighboursOfOneReasonAreJoined() throws {
        var state = ReceiverState()
        try state.accept(Self.gap(1, 2))
        try state.accept(Self.gap(5, 6))
        try state.accept(Self.gap(7, 7, "expired"))
        try state.accept(Self.gap(2, 5))

        #expect(state.gaps == [Self.gap(1, 6), Self.gap(7, 7, "expired")])
    }

    @Test func aGapOfWhatIsHereIsNone() throws {
        var state = ReceiverState()
        _ = try state.accept(3, count: 2)

        try state.accept(Self.gap(2, 6))

        #expect(state.gaps == [Self.gap(2, 2), Self.gap(5, 6)])
    }

    @Test func numbersTooFarBeyondTheLastAreRefused() throws {
        var state = ReceiverState()
        _ = try state.accept(7_000_000_000, count: 1)
        let before = state
        let far = 7_000_000_000 + ReceiverState.farthest + 1

        #expect(throws: BatchRefusal.tooFar(number: far, last: 7_000_000_000)) { try state.accept(far, count: 1) }
        #expect(throws: BatchRefusal.self) { try state.accept(Self.gap(1, far)) }
        #expect(throws: BatchRefusal.self) { try state.accept(ended: far, at: Self.time) }
        #expect(state == before)
        #expect(try state.accept(far - 1, count: 1) == [far - 1...far - 1])
    }

    @Test func aLastNumberStaysKnown() throws {
        var state = ReceiverState()
        try state.accept(ended: 3, at: Self.time)
        try state.accept(ended: nil, at: Self.time)
        #expect(state.ended?.last == 3)
        #expect(state.missing == [1...3])
    }

    @Test func brokenStateIsNoState() throws {
        var state = ReceiverState()
        _ = try state.accept(5, count: 2)
        try state.accept(Self.gap(8, 9))
        try state.accept(ended: 12, at: Self.time)
        let bytes = state.encoded

        for length in 0..<bytes.count { #expect(ReceiverState(decoding: Array(bytes[..<length])) == nil) }
        #expect(ReceiverState(decoding: bytes + [0]) == nil)
        var numbers = SplitMix64(state: 1)
        for _ in 0..<2000 {
            var broken = bytes
            broken[Int(numbers.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: numbers.next())
            _ = ReceiverState(decoding: broken)
        }
    }

    @Test func keysComeBack() {
        let key = ReceiverKey(node: "pump-7", route: "cloud/a b/#", run: BatchRun(epoch: .max, lane: 3))

        #expect(ReceiverKey(decoding: key.encoded) == key)
        #expect(ReceiverKey(decoding: key.encoded.dropLast()) == nil)
    }

    /// The same with a plain set and a dictionary.
    private struct Naive {
        var received: Set<UInt64> = []
        var gaps: [UInt64: String] = [:]
        var highest: UInt64 = 0

        mutating func accept(_ sequence: UInt64, _ count: Int) -> [UInt64] {
            let numbers = (0..<UInt64(count)).map { sequence + $0 }
            let new = numbers.filter { !received.contains($0) }
            received.formUnion(new)
            for number in numbers { gaps[number] = nil }
            highest = max(highest, sequence - 1 + UInt64(count))
            return new
        }

        mutating func accept(_ gap: ReceiverState.Gap) {
            for number in gap.first...gap.last where !received.contains(number) && gaps[number] == nil {
                gaps[number] = gap.reason
            }
            highest = max(highest, gap.last)
        }

        var missing: [UInt64] {
            highest == 0 ? [] : (1...highest).filter { !received.contains($0) && gaps[$0] == nil }
        }
    }

    @Test(arguments: 1...30)
    func itAgreesWithAPlainSet(seed: UInt64) throws {
        var numbers = SplitMix64(state: seed)
        var state = ReceiverState()
        var naive = Naive()
        for step in 0..<300 {
            let first = 1 + numbers.next() % 120
            let length = numbers.next() % 12
            switch numbers.next() % 8 {
            case 0...3:
                let new = try state.accept(first, count: Int(length))
                #expect(new.flatMap { Array($0) } == naive.accept(first, Int(length)))
            case 4...5:
                let gap = Self.gap(first, first + length, ["evicted", "expired"][Int(numbers.next() % 2)])
                try state.accept(gap)
                naive.accept(gap)
            default:
                let decoded = try #require(ReceiverState(decoding: state.encoded))
                #expect(decoded == state)
                state = decoded
            }
            #expect(state.missing.flatMap { Array($0) } == naive.missing, "step \(step)")
            #expect(state.received.flatMap { Array($0) } == naive.received.sorted())
            #expect(state.gaps.flatMap { Array($0.first...$0.last) } == naive.gaps.keys.sorted())
            for pair in zip(state.gaps, state.gaps.dropFirst()) {
                #expect(pair.0.last < pair.1.first)
            }
        }
    }
}

/// The edges of 64 bits.
@Suite struct ReceiverStateEdgeTests {
    private static func gap(_ first: UInt64, _ last: UInt64) -> ReceiverState.Gap {
        let time = WallTime(milliseconds: 5)
        return ReceiverState.Gap(first: first, last: last, reason: "evicted", from: time, to: time)
    }

    @Test func theHighestNumbersAreNumbersToo() throws {
        var state = ReceiverState()
        try state.accept(Self.gap(.max - 5, .max))
        try state.accept(Self.gap(.max - 9, .max))
        #expect(try state.accept(.max - 3, count: 2) == [.max - 3 ... .max - 2])
        try state.accept(Self.gap(.max, .max))

        #expect(state.gaps.map(\.first) == [.max - 9, .max - 1])
        #expect(state.gaps.map(\.last) == [.max - 4, .max])
        #expect(state.missing == [1 ... .max - 10])
        #expect(ReceiverState(decoding: state.encoded) == state)
    }

    @Test func aGapWiderThanAnyRouteIsRefused() {
        var state = ReceiverState()

        #expect(throws: BatchRefusal.self) { try state.accept(Self.gap(1, .max)) }
        #expect(state == ReceiverState())
    }
}
