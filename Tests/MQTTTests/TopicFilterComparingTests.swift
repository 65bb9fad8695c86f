import MQTT
import Testing

/// Filters against filters, compared with what every topic of a small world says.
@Suite struct TopicFilterComparingTests {
    private static let levels = ["a", "b", "$x", ""]
    private static let topics: [String] = {
        var topics = levels
        for first in levels {
            for second in levels {
                topics.append("\(first)/\(second)")
                for third in levels { topics.append("\(first)/\(second)/\(third)") }
            }
        }
        return topics
    }()
    private static let filters: [String] = {
        let parts = levels + ["+"]
        var filters = ["#", "+", "a", "b", "$x"]
        for first in parts {
            filters.append("\(first)/#")
            for second in parts { filters += ["\(first)/\(second)", "\(first)/\(second)/#"] }
        }
        return filters
    }()

    private static func matches(_ filter: String, _ topic: String) -> Bool {
        // No topic has no name; but the parent of `/#` has none.
        if topic.isEmpty { return ["#", "+", "/#", "+/#"].contains(filter) }
        return Array(filter.utf8).withUnsafeBytes { filter in
            Array(topic.utf8).withUnsafeBytes { TopicFilter.matches(filter: filter, topic: $0) }
        }
    }

    private static func compare(
        _ first: String, _ second: String, _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        Array(first.utf8).withUnsafeBytes { first in Array(second.utf8).withUnsafeBytes { body(first, $0) } }
    }

    @Test func theyOverlapWhereATopicMatchesBoth() {
        for first in Self.filters {
            for second in Self.filters {
                let meet = Self.topics.contains { Self.matches(first, $0) && Self.matches(second, $0) }
                #expect(Self.compare(first, second, TopicFilter.overlap) == meet, "\(first) and \(second)")
            }
        }
    }

    @Test func oneCoversAnotherWhereItMatchesAllThatThatDoes() {
        for outer in Self.filters {
            for inner in Self.filters {
                let covers = Self.topics.allSatisfy { !Self.matches(inner, $0) || Self.matches(outer, $0) }
                #expect(Self.compare(outer, inner, TopicFilter.covers) == covers, "\(outer) covers \(inner)")
            }
        }
    }
}
