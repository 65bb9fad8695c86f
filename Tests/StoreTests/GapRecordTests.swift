import Testing

@testable import Store

@Suite struct GapRecordTests {
    @Test(arguments: [
        (Int64(5), Int64(90), GapRecord.Reason.evicted), (-7, -1, .superseded), (.min, .max, .init(rawValue: "new")),
    ])
    func roundTrip(from: Int64, to: Int64, reason: GapRecord.Reason) {
        let gap = GapRecord(
            route: "cloud/all", run: 12, lane: 3, first: 5, last: .max, reason: reason, from: from, to: to)

        #expect(gap.key == Array("cloud/all\u{0}12\u{0}3\u{0}5".utf8))
        #expect(GapRecord(key: gap.key, value: gap.value) == gap)
    }

    @Test(arguments: ["", "1-2", "1-2 evicted", "1-2 evicted 5", "a-2 evicted 1-2", "1-2 evicted 1-b", "1 x 1-2"])
    func nonsenseIsNil(value: String) {
        #expect(GapRecord(key: Array("r\u{0}1\u{0}0\u{0}1".utf8), value: Array(value.utf8)) == nil)
        #expect(GapRecord(key: Array("r\u{0}1".utf8), value: Array("1-2 evicted 3-4".utf8)) == nil)
    }
}
