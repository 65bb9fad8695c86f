/// What stands for `{node}`, `{label:site}`, `{name}`, `{data}` and `{topic}` in texts of the configuration.
public struct Placeholders: Sendable {
    public var node: String
    public var labels: [String: String]
    /// The uplink's or module's; nil where there is none.
    public var name: String?
    /// The data directory; nil where it has no place.
    public var data: String?
    /// The message's topic; nil where it is not known or has no place.
    public var topic: String?

    public init(
        node: String, labels: [String: String] = [:], name: String? = nil, data: String? = nil, topic: String? = nil
    ) {
        self.node = node
        self.labels = labels
        self.name = name
        self.data = data
        self.topic = topic
    }

    /// A placeholder that is unknown, or has no place in this text.
    public struct Unknown: Error, Equatable {
        public var message: String
    }

    /// The text with every placeholder replaced. `keeping` names those that are left as they are (`topic`).
    public func expand(_ text: String, keeping: Set<String> = []) throws(Unknown) -> String {
        var result = ""
        var rest = text[...]
        while let open = rest.firstIndex(of: "{") {
            result += rest[..<open]
            guard let close = rest[open...].firstIndex(of: "}") else {
                throw Unknown(message: "\"\(text)\": { without }")
            }
            let word = String(rest[rest.index(after: open)..<close])
            if keeping.contains(word.hasPrefix("label:") ? "label" : word) {
                result += rest[open...close]
            } else {
                result += try replacement(word, keeping)
            }
            rest = rest[rest.index(after: close)...]
        }
        return result + rest
    }

    private func replacement(_ word: String, _ keeping: Set<String>) throws(Unknown) -> String {
        let known: [(String, String?)] = [("node", node), ("name", name), ("data", data), ("topic", topic)]
        if let text = known.first(where: { $0.0 == word })?.1 { return text }
        if word.hasPrefix("label:") {
            let label = String(word.dropFirst(6))
            if let text = labels[label] { return text }
            let near = Spelling.nearest(to: label, in: labels.keys.sorted()).map { "did you mean {label:\($0)}?" }
            throw Unknown(message: "{\(word)}: node.labels has no \(label)\(near.map { "; " + $0 } ?? "")")
        }
        let words = known.filter { $0.1 != nil || keeping.contains($0.0) }.map { "{\($0.0)}" } + ["{label:NAME}"]
        throw Unknown(message: "{\(word)} is not a placeholder here (\(words.joined(separator: ", ")))")
    }
}
