import Broker
import MQTT

/// Who published a batch to this broker.
public protocol BatchPublisher {
    /// For the log.
    var name: String { get }
    /// Counts the connections that batches come on; nil: they come by way of another broker.
    var connection: UInt64? { get }
    /// Whether access control lets it publish to `topic`.
    func mayPublish(to topic: UnsafeRawBufferPointer) -> Bool
}

extension BatchPublisher {
    public var connection: UInt64? { nil }
}

/// How the broker hands batches over.
extension Ingest: BatchReceiver {
    /// Refused batches lie below `roost/refused`, whatever the filter says: they must not come in again.
    public func wants(_ topic: UnsafeRawBufferPointer) -> Bool {
        guard filter.withUnsafeBytes({ TopicFilter.matches(filter: $0, topic: topic) }) else { return false }
        return !topic.starts(with: Self.refusedPrefix.utf8)
    }

    public func receive(
        _ publish: PublishView, from origin: Broker.Origin, answer: @escaping (ReasonCode) -> Void
    ) {
        receive(publish, from: OriginPublisher(origin: origin), answer: answer)
    }
}

/// A client publishes as access control lets it; what comes from an upstream or this node itself may go anywhere.
private struct OriginPublisher: BatchPublisher {
    let origin: Broker.Origin

    var name: String {
        switch origin {
        case .client(let session): String(decoding: session.clientIdentifier, as: UTF8.self)
        case .uplink(let name): "uplink \(name)"
        case .node: "this node"
        }
    }

    var connection: UInt64? {
        guard case .client(let session) = origin else { return nil }
        return session.connection?.number
    }

    func mayPublish(to topic: UnsafeRawBufferPointer) -> Bool {
        guard case .client(let session) = origin else { return true }
        return session.mayPublish(to: topic)
    }
}
