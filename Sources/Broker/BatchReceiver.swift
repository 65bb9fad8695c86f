import MQTT
import Store

/// The receiving side of batches (`[ingest]`), as the broker sees it.
public protocol BatchReceiver: AnyObject {
    /// PUBLISH packets to this topic carry batches.
    func wants(_ topic: UnsafeRawBufferPointer) -> Bool

    /// Takes one batch. `answer` is called once, at once or later: success only when all that is new in it is committed.
    func receive(_ publish: PublishView, from origin: Broker.Origin, answer: @escaping (ReasonCode) -> Void)
}

/// One message out of a batch, to be taken to its destinations.
public struct IngestedMessage {
    /// Its pointers must live until `Broker.ingest` returns.
    public var publish: PublishView

    public init(publish: PublishView) { self.publish = publish }
}

extension Broker {
    func receive(
        _ publish: PublishView, _ receiver: any BatchReceiver, _ origin: Origin, _ waiter: (any SafetyWaiter)?,
        _ ticket: UInt64
    ) -> Outcome {
        var answered: ReasonCode?
        var isPending = false
        receiver.receive(publish, from: origin) { reason in
            if isPending { waiter?.messageIsSettled(ticket: ticket, reason: reason) } else { answered = reason }
        }
        if let answered { return .done(answered) }
        isPending = true
        return .pending
    }

    /// Takes the messages of one batch to their destinations, with the changes that remember them: all in one commit, and
    /// nobody sees a message before it. `committed` says whether it came to that.
    public func ingest(
        _ messages: [IngestedMessage], changes: [Change], committed: @escaping (Bool) -> Void
    ) {
        guard !log.isRefusing else {
            committed(false)
            return
        }
        for message in messages { hold(message.publish) }
        log.commit(changes) { committed(true) }
    }
}
