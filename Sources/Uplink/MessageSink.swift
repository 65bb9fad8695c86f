import Broker
import MQTT
import Store

/// What the uplink and the receiver need of the broker: places for messages that come from elsewhere than a client.
public protocol MessageSink: AnyObject {
    /// Routes one message, whose pointers are valid during the call. `settled` is called once: the message is safe
    /// (`success`), or an error says why it isn't.
    func publish(_ message: PublishView, from origin: Broker.Origin, settled: @escaping (ReasonCode) -> Void)

    /// Takes the messages of one batch to their destinations and commits them and `changes` as one group; nobody sees a
    /// message before that, and `committed` is called then. False: the store can't keep them now, and nothing was taken.
    func ingest(_ messages: [PublishView], changes: [Change], committed: @escaping () -> Void) -> Bool
}

extension Broker: MessageSink {
    public func publish(_ message: PublishView, from origin: Origin, settled: @escaping (ReasonCode) -> Void) {
        let waiter = message.qos == .atMostOnce ? nil : OneShotWaiter(settled)
        switch route(message, from: origin, waiter: waiter, ticket: 0) {
        case .pending: break
        case .done(let reason):
            waiter?.release()
            settled(reason)
        }
    }
}

/// Waits for one message. Keeps itself alive until it is told, since whom it waits for may hold it weakly.
private final class OneShotWaiter: SafetyWaiter {
    private let settled: (ReasonCode) -> Void
    private var keep: OneShotWaiter?

    init(_ settled: @escaping (ReasonCode) -> Void) {
        self.settled = settled
        keep = self
    }

    func messageIsSettled(ticket: UInt64, reason: ReasonCode) {
        keep = nil
        settled(reason)
    }

    func release() { keep = nil }
}
