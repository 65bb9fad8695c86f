/// What the configuration must know of topics (MQTT 5 §4.7): whether a text is one, and whether two filters meet.
public enum Topics {
    /// Whether some Topic Name matches both filters. A wildcard at the beginning does not match `$` topics
    /// [MQTT-4.7.2-1]; `#` matches its parent too. Shared Subscriptions count as their filter.
    public static func overlap(_ first: String, _ second: String) -> Bool {
        let a = levels(of: first)
        let b = levels(of: second)
        if let x = a.first, let y = b.first {
            if isWildcard(x) && y.first == UInt8(ascii: "$") { return false }
            if isWildcard(y) && x.first == UInt8(ascii: "$") { return false }
        }
        for place in 0... {
            let x = place < a.count ? a[place] : nil
            let y = place < b.count ? b[place] : nil
            if x == [UInt8(ascii: "#")] || y == [UInt8(ascii: "#")] { return true }
            guard let x, let y else { return x == nil && y == nil }
            guard x == y || isWildcard(x) || isWildcard(y) else { return false }
        }
        return false
    }

    private static func levels(of filter: String) -> [[UInt8]] {
        var levels = filter.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
        if levels.count > 2, levels[0] == Array("$share".utf8) { levels.removeFirst(2) }
        return levels
    }

    private static func isWildcard(_ level: [UInt8]) -> Bool {
        level == [UInt8(ascii: "+")] || level == [UInt8(ascii: "#")]
    }

    /// nil, or why a text is not a Topic Filter ([MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.7.3-1]).
    static func filterProblem(_ text: String) -> String? {
        if text.isEmpty { return "a topic filter may not be empty" }
        if text.utf8.count > 65535 { return "a topic filter has at most 65535 bytes" }
        let levels = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for (place, level) in levels.enumerated() {
            if level.contains(UInt8(ascii: "#")) && (level.count > 1 || place + 1 < levels.count) {
                return "\"\(text)\" is not a topic filter: # stands alone in the last level"
            }
            if level.contains(UInt8(ascii: "+")) && level.count > 1 {
                return "\"\(text)\" is not a topic filter: + stands alone in its level"
            }
        }
        return nil
    }

    /// nil, or why a text is not a Topic Name.
    static func nameProblem(_ text: String) -> String? {
        if text.isEmpty { return "a topic may not be empty" }
        if text.utf8.count > 65535 { return "a topic has at most 65535 bytes" }
        guard !text.contains(where: { $0 == "+" || $0 == "#" }) else {
            return "\"\(text)\" is not a topic: + and # belong in filters"
        }
        return nil
    }

    /// nil, or why a text cannot be a name that stands in topics as one level.
    static func levelProblem(_ text: String) -> String? {
        if text.isEmpty { return "may not be empty" }
        guard !text.utf8.contains(where: { "/+#{}\0".utf8.contains($0) }) else {
            return "\"\(text)\" is not one level of a topic (no / + # { })"
        }
        return nil
    }
}
