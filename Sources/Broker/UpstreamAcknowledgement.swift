import MQTT
import Store

/// A publisher's acknowledgement that waits for several: the far end of each route with `ack = "upstream"`, and the log for
/// other durable destinations. The publisher is told `success` once all have it, or what went wrong first.
final class UpstreamAcknowledgement: SafetyWaiter {
    private var waiter: (any SafetyWaiter)?
    private let ticket: UInt64
    private var parts: Int
    /// A QoS 2 message was committed with its Packet Identifier: refused, the identifier is the client's again, and it may be
    /// given to another message as soon as the client knows.
    private let inbound: (session: SessionID, identifier: UInt16)?
    private unowned let log: Log

    init(
        _ waiter: any SafetyWaiter, ticket: UInt64, parts: Int, inbound: (session: SessionID, identifier: UInt16)?,
        log: Log
    ) {
        self.waiter = waiter
        self.ticket = ticket
        self.parts = parts
        self.inbound = inbound
        self.log = log
    }

    func messageIsSettled(ticket: UInt64, reason: ReasonCode) {
        guard let waiter else { return }
        parts -= 1
        guard parts == 0 || reason.isError else { return }
        self.waiter = nil
        let place = self.ticket
        guard reason.isError, let inbound else { return waiter.messageIsSettled(ticket: place, reason: reason) }
        log.commit([.inboundRemoved(inbound.session, inbound.identifier)]) {
            waiter.messageIsSettled(ticket: place, reason: reason)
        }
    }
}

extension Broker {
    /// A route of this topic has publishers wait for its far end, and its link is down: the message can't be taken.
    func lacksUpstream(_ destinations: Destinations, _ origin: Origin) -> Bool {
        destinations.hasUpstream
            && destinations.routes.contains {
                $0.queue.acknowledgesUpstream && $0.queue.link.state == .down && !$0.isOf(origin)
            }
    }

    /// Appends a message whose publisher waits for the far ends of some of its routes.
    func appendUpstream(
        _ message: Message, _ destinations: Destinations, _ streams: [LogStream], retained: Bool, inbound: Change?,
        waiter: any SafetyWaiter, ticket: UInt64, _ origin: Origin
    ) {
        let queues = destinations.routes.filter { $0.queue.acknowledgesUpstream && !$0.isOf(origin) }.map(\.queue)
        // Alone with such routes the log writes the message only once the link is in doubt.
        let needsLog = inbound != nil || retained || streams.count > queues.count
        var identifier: (SessionID, UInt16)?
        if case .inbound(let session, let number) = inbound { identifier = (session, number) }
        let acknowledgement = UpstreamAcknowledgement(
            waiter, ticket: ticket, parts: queues.count + (needsLog ? 1 : 0), inbound: identifier, log: log)
        if let inbound {
            hold(message, destinations, streams, retained, [inbound], acknowledgement, ticket)
        } else {
            append(
                message, streams, retained: retained, waiter: needsLog ? acknowledgement : nil, ticket: ticket)
        }
        for queue in queues { queue.awaitUpstream(acknowledgement, ticket: ticket) }
    }
}

extension Route {
    /// The message has come from this route's own upstream, and doesn't go back to it.
    func isOf(_ origin: Broker.Origin) -> Bool {
        if case .uplink(uplink) = origin { true } else { false }
    }

    /// The message has been at this route's far end.
    func leadsBack(_ publish: PublishView) -> Bool {
        guard let node = queue.farNode, publish.properties.count > 0 else { return false }
        for property in PropertyReader(publish.properties) {
            guard case .pair(let name, let value) = property.value, name.elementsEqual("via".utf8) else { continue }
            if value.elementsEqual(node) { return true }
        }
        return false
    }
}
