import Testing

@testable import Uplink

@Suite struct TopicMappingTests {
    @Test(arguments: [
        ("{topic}", "a/b", "a/b"), ("{node}/{topic}", "a/b", "pump-7/a/b"), ("{topic}/{node}", "a", "a/pump-7"),
        ("fixed", "a", "fixed"), ("{topic}/{topic}", "a", "a/a"),
        ("{label:site}/{label:line}/{topic}/x", "a", "plant-7/b/a/x"),
    ])
    func patternsApply(pattern: String, topic: String, expected: String) throws {
        let mapping = try TopicMapping(pattern, node: "pump-7", labels: [("site", "plant-7"), ("line", "b")])

        let mapped = Array(topic.utf8).withUnsafeBytes { mapping.mapped($0) }

        #expect(String(decoding: mapped, as: UTF8.self) == expected)
        #expect(mapping.isIdentity == (pattern == "{topic}"))
    }

    @Test(arguments: [
        ("", TopicMapping.PatternError.empty), ("{topic", .unclosedBrace), ("{device}", .unknownPlaceholder("device")),
        ("{label:room}/x", .unknownLabel("room")), ("{topic}/#", .wildcard), ("+", .wildcard),
    ])
    func badPatternsSayWhy(pattern: String, error: TopicMapping.PatternError) {
        #expect(throws: error) { try TopicMapping(pattern, node: "n", labels: []) }
    }
}
