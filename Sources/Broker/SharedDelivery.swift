import MQTT
import Store

/// One message of a Shared Subscription that was taken from its queue, until a member has acknowledged it.
final class SharedDelivery {
    /// Lives as long as anything of it is open.
    unowned let group: ShareGroup
    /// Its place in the log; nil: it is in memory alone.
    let membership: SessionQueue.Membership?
    let number: UInt64
    /// The message where it is in memory alone.
    let message: Message?
    /// Its place in the order of receipt.
    let sequence: UInt64
    /// To whom it was given, and under which Packet Identifier.
    private(set) weak var holder: Session?
    private(set) var identifier: UInt16 = 0
    /// What the holder's subscription said.
    private(set) var member: StreamMember
    /// Its number among the group's in the store; 0: none.
    private(set) var mark: UInt16 = 0

    init(
        _ group: ShareGroup, membership: SessionQueue.Membership?, number: UInt64, message: Message?, sequence: UInt64
    ) {
        self.group = group
        self.membership = membership
        self.number = number
        self.message = message
        self.sequence = sequence
        member = StreamMember(
            session: SessionID(rawValue: 0), qos: 0, retainAsPublished: false, subscriptionIdentifiers: [])
    }

    func isGiven(to session: Session, _ identifier: UInt16, _ member: StreamMember) {
        holder = session
        self.identifier = identifier
        self.member = member
    }

    /// It is nobody's. A holder that is away forgets it.
    func isFree() {
        if holder?.outbound[identifier]?.share === self { holder?.outbound[identifier] = nil }
        holder = nil
        removeMark()
    }

    /// Its holder is back.
    func isTakenUp() { group.returned.removeAll { $0 === self } }

    // MARK: In the store

    /// A member that is not in the store itself has it: after a stop nobody else may [MQTT-4.8.2-5].
    func makeMark() -> UInt16 {
        mark = group.takeMark()
        return mark
    }

    func removeMark() {
        guard mark != 0, let id = group.queue?.session else { return }
        group.marks.remove(mark)
        group.broker.log.lazily(.outboundRemoved(id, mark))
        mark = 0
    }
}

extension SubscriptionState {
    /// What it says of a delivery.
    func member(_ qos: QoS) -> StreamMember {
        StreamMember(
            session: SessionID(rawValue: 0), qos: qos.rawValue, retainAsPublished: retainAsPublished,
            subscriptionIdentifiers: identifier == 0 ? [] : [identifier])
    }
}

extension Session.Outbound {
    func member(of message: Message) -> StreamMember {
        share?.member ?? membership?.member(of: message)
            ?? StreamMember(
                session: SessionID(rawValue: 0), qos: 0, retainAsPublished: false, subscriptionIdentifiers: [])
    }
}
