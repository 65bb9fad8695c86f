/// `[ingest]`: this node receives batches from others (the cloud side).
public struct IngestSettings: Sendable, Equatable {
    public var enabled = false
    public var filter = "roost/batch/#"
    /// Where the messages go; `{node}` and `{label:...}` are the batch's.
    public var topic = "{topic}"
    /// Leave the node's time (User Property `t`) on the messages.
    public var stamp = true
    /// Decompressed.
    public var maxBatchBytes = 16 << 20

    public init() {}
}

extension IngestSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("enabled", &enabled, .flag)
        fields.value("filter", &filter, .topicFilter)
        fields.value("topic", &topic, .topicName)
        fields.value("stamp", &stamp, .flag)
        fields.value("max_batch", &maxBatchBytes, .size(in: 1024...(1 << 30)))
    }
}
