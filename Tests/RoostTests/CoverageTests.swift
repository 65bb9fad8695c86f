import Glibc
import Testing

@testable import roost

/// What `roost coverage` says of what roostd answers.
@Suite struct CoverageTests {
    init() {
        setenv("TZ", "UTC", 1)
        tzset()
    }

    private func document(_ json: String) throws -> [CoverageDocument] {
        try Document.decode([CoverageDocument].self, Array(json.utf8))
    }

    // 1732414200000 is 2024-11-24 02:10:00 UTC.
    private static let complete = """
        [{"node":"pump-7","route":"cloud/plant","epoch":"0123456789abcdef","lane":0,"ended":null,"at":1732426800000,
        "spans":[{"first":1,"last":1200,"from":1732414200000,"to":1732426800000}],"gaps":[],"missing":[]}]
        """

    private static let holed = """
        [{"node":"pump-7","route":"cloud/plant","epoch":"0000000000000001","lane":0,"ended":"?","at":1732426800000,
        "spans":[{"first":1,"last":10,"from":1732414200000,"to":1732414260000},
        {"first":21,"last":30,"from":1732414380000,"to":1732414440000},
        {"first":33,"last":33,"from":1732414500000,"to":1732414500000}],
        "gaps":[{"first":11,"last":20,"reason":"evicted","from":1732414270000,"to":1732414370000}],
        "missing":[{"first":31,"last":32}],"ended_at":1732414600000},
        {"node":"pump-7","route":"cloud/plant","epoch":"0000000000000002","lane":0,"ended":null,"at":"5000?",
        "spans":[{"first":1,"last":1,"from":"4000?","to":"4000?"}],"gaps":[],"missing":[]}]
        """

    @Test func aWholeNightIsComplete() throws {
        let runs = try document(Self.complete)

        #expect(
            CoverageCommand.story(runs)
                == "pump-7  cloud/plant\n  2024-11-24 02:10:00 - 05:40:00  complete, 1,200 messages")
        #expect(CoverageCommand.summary(runs).hasSuffix("1,200     0        0  complete"))
    }

    @Test func gapsAreNamedWithReasonsAndTimes() throws {
        let entries = try #require(RouteCoverage.routes(of: try document(Self.holed)).first).entries

        #expect(
            entries.map { "\($0.when)|\($0.what)" } == [
                "2024-11-24 02:10:00 - 02:11:00|complete, 10 messages",
                "2024-11-24 02:11:10 - 02:12:50|10 messages lost: evicted",
                "2024-11-24 02:13:00 - 02:14:00|complete, 10 messages",
                "after 2024-11-24 02:14:00|2 messages missing: numbers 31 to 32",
                "2024-11-24 02:15:00 - 02:15:00|complete, 1 message",
                "2024-11-24 02:16:40|stopped without warning before this; of its last moments messages may be missing "
                    + "that nobody had acknowledged",
                "(clock not set)|complete, 1 message",
            ])
    }

    @Test func runsThatEndedInGoodOrderAreOneStory() throws {
        let text = """
            [{"node":"n","route":"r","epoch":"0000000000000001","lane":0,"ended":2,"at":1732414200000,
            "spans":[{"first":1,"last":2,"from":1732414200000,"to":1732414260000}],"gaps":[],"missing":[]},
            {"node":"n","route":"r","epoch":"0000000000000002","lane":0,"ended":null,"at":1732414500000,
            "spans":[{"first":1,"last":3,"from":1732414300000,"to":1732414400000}],"gaps":[],"missing":[],
            "quiet_at":1732414500000}]
            """

        #expect(
            CoverageCommand.story(try document(text))
                == "n  r\n  2024-11-24 02:10:00 - 02:15:00  complete, 5 messages")
    }

    // 1732451400 is 2024-11-24 12:30:00 UTC.
    @Test(
        arguments: [
            ("2h", 1_732_444_200), ("90s", 1_732_451_310), ("1d", 1_732_365_000), ("02:10", 1_732_414_200),
            ("13:00", 1_732_366_800), ("2024-11-23", 1_732_320_000), ("2024-11-24 02:10", 1_732_414_200),
            ("2024-11-24T02:10:30", 1_732_414_230), ("1732414200000", 1_732_414_200),
        ] as [(String, Int64)])
    func times(text: String, seconds: Int64) {
        #expect(PointInTime(text, now: 1_732_451_400)?.milliseconds == seconds * 1000)
    }

    @Test(arguments: ["", "yesterday", "25:00", "2h30", "2024-13-01", "02:10 2024-11-24", "-1h", "12", "1:2:3:4"])
    func noTimes(text: String) {
        #expect(PointInTime(text, now: 1_732_451_400) == nil)
    }
}
