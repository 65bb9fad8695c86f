import EventLoop
import Testing

@testable import Twin

@Suite struct PropertyRulesTests {
    /// As Go's strconv has it, which KubeEdge asks.
    @Test(
        arguments: [
            (PropertyType.int, "5", true), (.int, "-5", true), (.int, "+5", true), (.int, "5.0", false),
            (.int, "", false),
            (.int, "9223372036854775807", true), (.int, "9223372036854775808", false), (.integer, "0x5", false),
            (.integer, "1_000", false), (.integer, " 5", false),
            (.float, "21.5", true), (.float, "-1e5", true), (.float, ".5", true), (.float, "5.", true),
            (.float, "1e400", false), (.float, "NaN", true), (.float, "Inf", true), (.float, "-infinity", true),
            (.float, "warm", false), (.float, "", false), (.float, "1,5", false),
            (.boolean, "true", true), (.boolean, "false", true), (.boolean, "True", false), (.boolean, "1", false),
            (.string, "", true), (.string, "anything", true),
        ] as [(PropertyType, String, Bool)])
    func valuesParseAsTheirType(type: PropertyType, value: String, isGood: Bool) {
        #expect((type.complaint(about: value) == nil) == isGood)
    }

    @Test(arguments: [
        ("temperature", true), ("a-b_c.d,e:f/g@h#i9Z", true), ("", false), ("a b", false), ("a+b", false), ("ü", false),
        (String(repeating: "a", count: 128), true), (String(repeating: "a", count: 129), false),
    ])
    func namesMatchThePattern(name: String, isGood: Bool) { #expect(PropertyRules.isName(name) == isGood) }

    @Test(arguments: [
        ("", true, true), ("21.5", true, true), ("two words", true, false), ("two words", false, true),
        ("ü", true, false), ("ü", false, true), (String(repeating: "a", count: 512), true, true),
        (String(repeating: "a", count: 513), true, false), (String(repeating: "a", count: 4096), false, true),
        (String(repeating: "a", count: 4097), false, false),
    ])
    func valuesMatchThePattern(value: String, strict: Bool, isGood: Bool) {
        #expect(PropertyRules.isValue(value, strict: strict) == isGood)
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_795_884_445_999, "2026-11-28T16:47:25Z"),
        ] as [(Int64, String)])
    func dates(milliseconds: Int64, text: String) { #expect(CivilTime(milliseconds: milliseconds).text == text) }
}
