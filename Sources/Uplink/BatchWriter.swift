import MQTT
import Store

/// Makes batches outside an uplink: exports, tools, tests.
public final class BatchWriter {
    private var packets: BatchPackets
    private var output = RawBytes()
    private let compressor = LZ4Compressor()

    /// - Parameters:
    ///   - mapping: the route's `topic`.
    ///   - node: this node, for `via`.
    public init(mapping: TopicMapping = .identity, node: String) {
        packets = BatchPackets(mapping: mapping, node: node)
    }

    /// Messages since the last batch, and the bytes of their packets.
    public var count: Int { packets.count }
    public var byteCount: Int { packets.byteCount }

    /// Appends a message whose properties are as stored. False: it can't be carried, its topic grew too long.
    public func append(_ message: PublishView, receivedAt: WallTime) -> Bool {
        packets.append(
            topic: message.topic, properties: message.properties, payload: message.payload, qos: message.qos,
            retain: message.retain, receivedAt: receivedAt, remainingExpiry: message.messageExpiryInterval)
    }

    /// The batch of what was appended; the next one begins empty.
    public func finish(_ header: BatchHeader, level: BatchLevel = .fast) -> [UInt8] {
        output.removeAll()
        Batch.encode(header, packets: packets.bytes, level: level, compressor: compressor, into: &output)
        packets.removeAll()
        return [UInt8](output.bytes)
    }
}
