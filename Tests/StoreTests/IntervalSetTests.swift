import Store
import Testing

@Suite struct IntervalSetTests {
    static let cases: [([ClosedRange<UInt64>], ClosedRange<UInt64>, [ClosedRange<UInt64>])] = [
        ([], 3...7, [3...7]),
        ([1...9], 3...7, []),
        ([3...7], 3...7, []),
        ([1...2], 3...7, [3...7]),
        ([8...9], 3...7, [3...7]),
        ([1...3], 3...7, [4...7]),
        ([7...9], 3...7, [3...6]),
        ([4...4, 6...6], 3...7, [3...3, 5...5, 7...7]),
        ([.max ... .max], (.max - 1) ... .max, [(.max - 1)...(.max - 1)]),
    ]

    @Test(arguments: cases)
    func missingIsWhatTheRangeHoldsAndTheSetDoesNot(
        _ set: [ClosedRange<UInt64>], _ range: ClosedRange<UInt64>, _ missing: [ClosedRange<UInt64>]
    ) {
        #expect(IntervalSet(set).missing(in: range) == missing)
    }

    /// Through a hole, to an end, into an interval, and through the last number there is.
    @Test(
        arguments: [
            (0, [2...3, 5...9, .max - 1 ... .max], 9), (3, [5...9, .max - 1 ... .max], 7),
            (4, [5...9, .max - 1 ... .max], 7), (7, [8...9, .max - 1 ... .max], 4), (9, [.max - 1 ... .max], 2),
            (.max - 1, [.max ... .max], 1), (.max, [], 0),
        ] as [(UInt64, [ClosedRange<UInt64>], UInt64)])
    func removingThroughANumberLeavesWhatIsAbove(_ number: UInt64, _ left: [ClosedRange<UInt64>], _ count: UInt64) {
        var set = IntervalSet([2...3, 5...9, .max - 1 ... .max])

        set.remove(through: number)

        #expect(set.intervals == left)
        #expect(set.count == count)
    }

    @Test func gapsAndCountsAreAsAModelHasThem() {
        var set = IntervalSet()
        var model: Set<UInt64> = []
        var seed: UInt64 = 7
        for round in 0..<3000 {
            seed = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let first = seed >> 57 + 1
            let last = min(first + (seed >> 20) % 5, 130)
            if round % 50 == 49 {
                set.remove(through: first / 4)
                model = model.filter { $0 > first / 4 }
            } else if round % 400 == 399 {
                set = IntervalSet()
                model = []
            } else if first <= last {
                set.insert(first...last)
                model.formUnion(first...last)
            }
            #expect(set.count == UInt64(model.count))
            let end = 1 + (seed >> 40) % 140
            let free = (1..<max(end, 1)).filter { !model.contains($0) }
            let gap = set.lastGap(from: 1, below: end)
            #expect(gap?.upperBound == free.last)
            if let gap { #expect(gap.lowerBound == 1 || model.contains(gap.lowerBound - 1)) }
            if let gap { #expect(gap.allSatisfy { !model.contains($0) }) }
            var missing = end
            while model.contains(missing) { missing += 1 }
            #expect(set.firstMissing(from: end) == missing)
        }
    }
}
