import Testing

@testable import roost

@Suite struct QuantitiesTests {
    @Test(
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1536, "1.5 KiB"), (10_240, "10 KiB"),
            (1_048_575, "1 MiB"), (1 << 30, "1 GiB"), (.max, "8192 PiB"),
        ] as [(Int64, String)])
    func bytes(count: Int64, text: String) {
        #expect(Quantities.bytes(count) == text)
    }

    @Test(
        arguments: [
            (nil, "-"), (0, "0 s"), (0.25, "0.3 s"), (59.9, "59 s"), (60, "1 min"), (200, "3 min 20 s"),
            (7500, "2 h 5 min"), (90_000, "1 d 1 h"), (.infinity, "-"),
        ] as [(Double?, String)])
    func durations(seconds: Double?, text: String) {
        #expect(Quantities.duration(seconds: seconds) == text)
    }

    @Test(arguments: [(0, "0"), (999, "999"), (1000, "1,000"), (-1_234_567, "-1,234,567")] as [(Int64, String)])
    func counts(number: Int64, text: String) {
        #expect(Quantities.count(number) == text)
    }

    @Test func columnsAreAligned() {
        var table = Table([("name", .left), ("n", .right), ("last", .left)])
        table.add([.init("a"), .init("10"), .init("")])
        table.add([.init("long\u{1B}[2J"), .init("5"), .init("x")])

        #expect(table.text(coloured: false) == "NAME       N  LAST\na         10\nlong\u{00B7}[2J   5  x")
    }
}
