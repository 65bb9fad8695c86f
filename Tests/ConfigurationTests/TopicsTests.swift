import Testing

@testable import Configuration

@Suite struct TopicsTests {
    @Test(arguments: [
        ("a/b", "a/b", true), ("a/b", "a/c", false), ("a/+", "a/b", true), ("a/+", "+/b", true), ("a/+", "b/+", false),
        ("#", "a/b/c", true), ("a/#", "a", true), ("a/#", "a/b/c", true), ("a/+", "a", false), ("a/+", "a/", true),
        ("a/#", "b/#", false), ("+/x/#", "a/+/z", true), ("+/+", "a/b/c", false), ("a/b/#", "a/+", true),
        ("a/b/#", "+", false), ("#", "$SYS/a", false), ("+/a", "$SYS/a", false), ("$SYS/#", "$SYS/+", true),
        ("$share/g/a/#", "a/b", true), ("/", "+/+", true), ("/", "+", false), ("a/#", "a/b/#", true),
    ])
    func overlap(first: String, second: String, expected: Bool) {
        #expect(Topics.overlap(first, second) == expected)
        #expect(Topics.overlap(second, first) == expected)
    }

    @Test(arguments: [
        ("a", true), ("/", true), ("#", true), ("+/a/#", true), ("", false), ("a#", false), ("#/a", false),
        ("a+/b", false),
        ("a/+b", false), ("a/##", false), ("$share/g/a", true),
    ])
    func filter(text: String, isValid: Bool) {
        #expect((Topics.filterProblem(text) == nil) == isValid)
    }

    @Test func placeholders() throws {
        let known = Placeholders(node: "n", labels: ["site": "s/t"], name: "u", topic: "a/b")

        #expect(try known.expand("x/{node}/{label:site}/{name}/{topic}/y") == "x/n/s/t/u/a/b/y")
        #expect(try known.expand("{node}/{topic}", keeping: ["topic"]) == "n/{topic}")
        #expect(
            throws: Placeholders.Unknown(message: "{label:sit}: node.labels has no sit; did you mean {label:site}?")
        ) {
            try known.expand("{label:sit}")
        }
        #expect(throws: Placeholders.Unknown(message: "\"a{b\": { without }")) { try known.expand("a{b") }
    }

    @Test func expandedSettingsHaveOnlyWhatEachMessageFillsIn() throws {
        let result = try settings(
            """
            [node]
            id = "n"
            labels.site = "s"
            [[uplink]]
            name = "u"
            urls = ["mqtt://h"]
            route = [{ filter = "{label:site}/#", topic = "{node}/{topic}" }]
            subscribe = [{ filter = "cmd/{node}/#" }]
            [ingest]
            topic = "{node}/{label:x}/{topic}"
            """
        ).expanded()

        #expect(result.uplinks[0].clientID == "n-u")
        #expect(result.uplinks[0].routes[0].filter == "s/#")
        #expect(result.uplinks[0].routes[0].topic == "n/{topic}")
        #expect(result.uplinks[0].subscriptions[0].filter == "cmd/n/#")
        #expect(result.admin.socket == "data/admin.sock")
        #expect(result.ingest.topic == "{node}/{label:x}/{topic}")
    }
}
