/// `[node]`: who this node is and where it keeps what it has.
public struct NodeSettings: Sendable, Equatable {
    /// One topic level. Empty only in a fresh value: reading puts the host's name here.
    public var id = ""
    /// The directory that holds all that Roost keeps; locked while it runs.
    public var data = "data"
    /// `{label:site}` in topics.
    public var labels: [String: String] = [:]

    public init() {}
}

extension NodeSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("id", &id, .text)
        fields.value("data", &data, .requiredText)
        fields.value("labels", &labels, .textTable)
    }
}
