import Testing

@testable import Uplink

@Suite struct BatchHeaderTests {
    private static let run = BatchRun(epoch: 0x00FF, lane: 3)

    @Test func everyFieldComesBack() throws {
        let header = BatchHeader(
            node: "pump-7", route: "cloud/plant/#", run: Self.run, sequence: .max,
            madeAt: WallTime(milliseconds: 17, isSet: false),
            gaps: [
                BatchGap(
                    run: Self.run, first: 3, last: 9, reason: "evicted", from: WallTime(milliseconds: 1),
                    to: WallTime(milliseconds: 2, isSet: false)),
                BatchGap(
                    run: BatchRun(epoch: .max), first: 1, last: 1, reason: "newer-word",
                    from: WallTime(milliseconds: 5), to: WallTime(milliseconds: 5)),
            ],
            ended: [
                BatchEnded(run: BatchRun(epoch: 1), last: 0, at: WallTime(milliseconds: 8)),
                BatchEnded(run: BatchRun(epoch: 2, lane: 1), last: nil, at: WallTime(milliseconds: 9, isSet: false)),
            ],
            labels: [.init(name: "site", value: "plant-7"), .init(name: "", value: "")])

        let decoded = try header.encoded().withUnsafeBytes { try BatchHeader(decoding: $0) }

        #expect(decoded == header)
    }

    @Test func textIsAsDocumented() {
        let gap = BatchGap(
            run: Self.run, first: 3, last: 9, reason: "evicted", from: WallTime(milliseconds: 1),
            to: WallTime(milliseconds: 2, isSet: false))
        #expect(gap.text == "00000000000000ff/3 3-9 evicted 1-2?")
        #expect(BatchEnded(run: Self.run, last: nil, at: WallTime(milliseconds: 8)).text == "00000000000000ff/3 ? 8")
        #expect(WallTime(milliseconds: -5, isSet: false).text == "0?")
    }

    /// Pairs of a header, by hand.
    private static func bytes(_ pairs: [(String, String)]) -> [UInt8] {
        var content: [UInt8] = []
        for (name, value) in pairs {
            content.append(0x26)
            for text in [name, value] {
                content += [UInt8(text.utf8.count >> 8), UInt8(text.utf8.count & 0xFF)] + Array(text.utf8)
            }
        }
        precondition(content.count < 16384)
        return content.count < 128
            ? [UInt8(content.count)] + content
            : [UInt8(content.count & 0x7F) | 0x80, UInt8(content.count >> 7)] + content
    }

    private static let minimal = [
        ("v", "1"), ("node", "n"), ("route", "u/r"), ("epoch", "00000000000000ff"), ("seq", "1"), ("at", "0"),
    ]

    @Test func unknownNamesAreSkippedAndOrderIsFree() throws {
        let bytes = Self.bytes([("later", "x"), ("later", "y")] + Self.minimal.reversed())

        let header = try bytes.withUnsafeBytes { try BatchHeader(decoding: $0) }

        #expect(header.run == BatchRun(epoch: 0xFF))
        #expect(header.sequence == 1)
    }

    @Test(arguments: [
        ("v", ""), ("v", "2"), ("node", ""), ("node", "a/b"), ("node", "+"), ("route", ""), ("epoch", "ff"),
        ("epoch", "+0000000000000ff"), ("epoch", "00000000000000fg"), ("seq", "0"), ("seq", "-1"), ("seq", "+1"),
        ("seq", "18446744073709551616"), ("seq", ""), ("at", "x"), ("at", "?"), ("at", "9223372036854775808"),
    ])
    func aBadValueIsRefused(name: String, value: String) {
        let bytes = Self.bytes(Self.minimal.map { $0.0 == name ? (name, value) : $0 })

        #expect(throws: BatchRefusal.self) { try bytes.withUnsafeBytes { try BatchHeader(decoding: $0) } }
    }

    @Test(arguments: [
        ("lane", "65536"), ("lane", ""), ("v", "1"), ("seq", "1"),
        ("gap", ""), ("gap", "00000000000000ff 1-2 evicted 1-2"), ("gap", "00000000000000ff/0 2-1 evicted 1-2"),
        ("gap", "00000000000000ff/0 0-1 evicted 1-2"), ("gap", "00000000000000ff/0 1-2 evicted 1"),
        ("gap", "00000000000000ff/0 1-2  1-2"), ("gap", "00000000000000ff/0 1-2-3 evicted 1-2"),
        ("ended", "00000000000000ff/0 1"), ("ended", "00000000000000ff/0 x 1"), ("ended", "00000000000000ff/0 1 1 "),
    ])
    func aBadAdditionIsRefused(name: String, value: String) {
        let bytes = Self.bytes(Self.minimal + [(name, value)])

        #expect(throws: BatchRefusal.self) { try bytes.withUnsafeBytes { try BatchHeader(decoding: $0) } }
    }

    @Test(arguments: ["v", "node", "route", "epoch", "seq", "at"])
    func nothingNeededMayBeMissing(name: String) {
        let bytes = Self.bytes(Self.minimal.filter { $0.0 != name })

        #expect(throws: BatchRefusal.self) { try bytes.withUnsafeBytes { try BatchHeader(decoding: $0) } }
    }

    @Test func anUnknownVersionIsToldFromBrokenBytes() {
        let bytes = Self.bytes([("v", "2"), ("nothing", "else")])

        #expect(throws: BatchRefusal.unknownVersion("2")) {
            try bytes.withUnsafeBytes { try BatchHeader(decoding: $0) }
        }
        #expect(!BatchRefusal.unknownVersion("2").keepsCopy)
    }
}
