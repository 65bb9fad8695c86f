/// `[ingest]`: how this node takes batches from others.
public struct IngestOptions {
    /// This node's id: packets whose `via` names it are dropped.
    public var node: String
    /// Topics that carry batches.
    public var filter: String
    /// Pattern for the inner topics, with `{topic}`, `{node}` (the batch's) and this node's labels.
    public var topic: String
    public var labels: [(name: String, value: String)]
    /// Leaves the node's time, User Property `t`, on the messages.
    public var stamp: Bool
    /// Bytes of a batch decompressed.
    public var maxBatch: Int
    /// Topics below `$` that batches of a node may carry nevertheless, and under which they are published as they are.
    public var allowsReserved: (_ topic: UnsafeRawBufferPointer, _ node: String) -> Bool

    public init(
        node: String, filter: String = "roost/batch/#", topic: String = "{topic}",
        labels: [(name: String, value: String)] = [], stamp: Bool = true,
        maxBatch: Int = 16 << 20, allowsReserved: @escaping (UnsafeRawBufferPointer, String) -> Bool = { _, _ in false }
    ) {
        self.node = node
        self.filter = filter
        self.topic = topic
        self.labels = labels
        self.stamp = stamp
        self.maxBatch = maxBatch
        self.allowsReserved = allowsReserved
    }
}
