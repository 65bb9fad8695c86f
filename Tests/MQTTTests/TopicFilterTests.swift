import MQTT
import Testing

@Suite struct TopicFilterTests {
    @Test(
        "[MQTT-4.7.1-1] [MQTT-4.7.1-2] [MQTT-4.8.2-1] [MQTT-4.8.2-2]",
        arguments: [
            ("#", true), ("+", true), ("a/#", true), ("a/+", true), ("+/+", true), ("/+", true), ("+/#", true),
            ("/", true),
            ("//#", true), ("+/tennis/#", true), ("$SYS/#", true), ("$share", true), ("$shared/a", true), ("ü/+", true),
            ("", false), ("a#", false), ("#/a", false), ("a/#/b", false), ("a+", false), ("+a", false),
            ("a/+b/c", false),
            ("##", false), ("++", false), ("sport/tennis#", false), ("sport/tennis/#/ranking", false),
            ("sport+", false),
            ("$share/", false), ("$share/g", false), ("$share/g/", false), ("$share//a", false), ("$share/+/a", false),
            ("$share/g#/a", false), ("$share/g/a", true), ("$share/g//", true), ("$share/g/#", true),
            ("$share/g/a#", false),
            ("$share/g/+/b", true), ("a\0", false),
        ])
    func validity(text: String, isValid: Bool) {
        #expect(Array(text.utf8).withUnsafeBytes { TopicFilter.isValid($0) } == isValid, "\(text)")
    }

    @Test(
        "[MQTT-4.8.2-2] $share",
        arguments: [
            ("a/b", "", "a/b", false), ("a/+", "", "a/+", true), ("$share/g/a/b", "g", "a/b", false),
            ("$share/consumers//finance", "consumers", "/finance", false), ("$share/g/#", "g", "#", true),
        ])
    func parts(text: String, name: String, filter: String, hasWildcard: Bool) throws {
        let bytes = Array(text.utf8)
        try bytes.withUnsafeBytes { buffer in
            let parsed = try TopicFilter(buffer)

            #expect(Array(parsed.shareName) == Array(name.utf8))
            #expect(Array(parsed.filter) == Array(filter.utf8))
            #expect(parsed.hasWildcard == hasWildcard)
            #expect(parsed.isShared == !name.isEmpty)
        }
    }

    @Test(
        "§4.7.1 and [MQTT-4.7.2-1]",
        arguments: [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/ranking", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/tennis/player1/#", "sport/tennis/player10", false),
            ("sport/#", "sport", true), ("sport/#", "sports", false), ("sport/#", "spor", false), ("#", "a/b", true),
            ("sport/tennis/+", "sport/tennis/player1", true), ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false), ("sport/+", "sport/", true), ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false), ("+", "finance", true), ("+/#", "a", true), ("+/#", "a/b", true),
            ("a/+/#", "a", false),
            ("a/+/#", "a/b", true), ("a/+/c", "a/b/c", true), ("a/+/c", "a//c", true), ("a/+/c", "a/b/d", false),
            ("a/b", "a/b", true), ("a/b", "a/b/", false), ("a/b/", "a/b", false), ("a/b", "a", false),
            ("A", "a", false),
            ("/", "/", true), ("/#", "/", true), ("/#", "a", false), ("//", "/", false), ("+/+/+", "//", true),
            ("#", "$SYS", false), ("#", "$SYS/x", false), ("+/x", "$SYS/x", false), ("$SYS/#", "$SYS/x", true),
            ("$SYS/#", "$SYS", true), ("$SYS/+", "$SYS/x", true), ("a/#", "a/$b", true), ("+", "$a", false),
            ("$a", "$a", true),
        ])
    func matching(filter: String, topic: String, isMatch: Bool) {
        let filterBytes = Array(filter.utf8)
        let topicBytes = Array(topic.utf8)
        let result = filterBytes.withUnsafeBytes { filter in
            topicBytes.withUnsafeBytes { TopicFilter.matches(filter: filter, topic: $0) }
        }
        #expect(result == isMatch)
    }

    @Test func agreesWithMatchingLevelByLevel() {
        var random = Random(seed: 11)
        let levels = ["a", "b", "", "ab", "+", "$a"]
        for _ in 0..<20_000 {
            var filter = (0...Int(random.next() % 4)).map { _ in levels[Int(random.next() % 6)] }
            if random.next() % 3 == 0 { filter.append("#") }
            let topic = (0...Int(random.next() % 4)).map { _ in levels[[0, 1, 2, 3, 5][Int(random.next() % 5)]] }
            let filterBytes = Array(filter.joined(separator: "/").utf8)
            let topicBytes = Array(topic.joined(separator: "/").utf8)
            guard !filterBytes.isEmpty, !topicBytes.isEmpty else { continue }

            let result = filterBytes.withUnsafeBytes { filter in
                topicBytes.withUnsafeBytes { TopicFilter.matches(filter: filter, topic: $0) }
            }
            #expect(result == byLevels(filter, topic), "\(filter) \(topic)")
        }
    }

    private func byLevels(_ filter: [String], _ topic: [String]) -> Bool {
        if topic[0].first == "$", filter[0] == "+" || filter[0] == "#" { return false }
        for (index, level) in filter.enumerated() {
            if level == "#" { return true }
            guard index < topic.count, level == "+" || level == topic[index] else { return false }
        }
        return filter.count == topic.count
    }
}
