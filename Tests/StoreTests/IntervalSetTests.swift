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
}
