import MQTT
import Store

/// Who published a batch to this broker.
public protocol BatchPublisher: AnyObject {
    /// For the log.
    var clientIdentifier: String { get }
    /// Whether access control lets it publish to `topic`.
    func mayPublish(to topic: UnsafeRawBufferPointer) -> Bool
}

/// What takes batches that clients publish to this broker.
public protocol BatchReceiver: AnyObject {
    /// A message whose topic matches `[ingest] filter`. Its pointers are valid during the call; `answer` is called once, with
    /// the Reason Code for the publisher.
    func receive(
        _ publish: PublishView, from publisher: any BatchPublisher, answer: @escaping (ReasonCode) -> Void)
}

/// What the uplink and the receiver need of the broker: places for messages that come from elsewhere than a client.
public protocol MessageSink: AnyObject {
    /// Routes one message. `settled` is called once: committed or delivered (`success`), or an error.
    func publish(_ message: PublishView, settled: @escaping (ReasonCode) -> Void)

    /// Appends messages to every durable destination and commits them and `changes` as one group; after the commit it
    /// delivers to the others and then calls `committed(true)`. `committed(false)`: the store can't keep them, and nothing
    /// was taken. The views are valid during the call.
    func ingest(_ messages: [PublishView], changes: [Change], committed: @escaping (Bool) -> Void)
}
