import EventLoop
import MQTT
import Store

/// A session as a member of Shared Subscriptions.
extension Session {
    /// Takes what its groups have for it, as far as the client's window and our output buffer allow.
    func pumpShares() {
        for share in shares where share.group.isBehind { share.group.pump(for: share) }
    }

    /// The output is full: the session's groups are told when it no longer is.
    private func awaitOutput(_ connection: Connection) {
        isBehind = true
        // An output that the peer takes at once is never reported as drained.
        guard !connection.stream.isBlocked, !isPumpDue else { return }
        isPumpDue = true
        broker.loop.onNextTickEnd { [weak self] in
            self?.isPumpDue = false
            self?.pump()
        }
    }

    /// Whether a group may give it a message now.
    func hasRoomForShared(_ qos: QoS, _ connection: Connection, hasMark: Bool) -> Bool {
        if isCongested(connection) {
            awaitOutput(connection)
            return false
        }
        return qos == .atMostOnce
            || (hasRoom && resends.isEmpty && (qos == .atLeastOnce || isDurable || hasMark))
    }

    /// A group gives it a message, under the QoS that was granted to it [MQTT-4.8.2-3].
    func take(_ share: SharedDelivery, _ message: Message, _ subscription: SubscriptionState) {
        guard let connection else { return share.group.giveBack(share) }
        let qos = min(message.qos, subscription.qos)
        let member = subscription.member(qos)
        let now = broker.log.clock.now
        guard qos != .atMostOnce else {
            connection.send(message, qos: qos, member: member, identifier: 0, isDuplicate: false, now: now)
            return share.group.finish(share)
        }
        let identifier = takeIdentifier()
        share.isGiven(to: self, identifier, member)
        outbound[identifier] = Outbound(
            state: .published, qos: qos, membership: share.membership, number: share.number, order: takeOrder(),
            sentAt: broker.loop.now, share: share)
        guard qos == .exactlyOnce, let membership = share.membership, let group = share.group.queue?.session else {
            connection.send(message, qos: qos, member: member, identifier: identifier, isDuplicate: false, now: now)
            return
        }
        outbound[identifier]?.state = .binding
        let change: Change
        if let id {
            change = .outbound(id, record(of: identifier, membership, share.number, share: share))
        } else {
            change = .outbound(group, record(of: share.makeMark(), membership, share.number))
        }
        let item = SessionQueue.Item(membership: membership, number: share.number, message: message)
        bind(identifier, item, member, change)
    }

    /// Acknowledged, or not to be sent any more: to nobody else either [MQTT-4.8.2-6].
    func finish(_ share: SharedDelivery, _ delivery: Outbound, _ identifier: UInt16) {
        share.removeMark()
        if delivery.qos == .exactlyOnce, delivery.membership != nil, let id {
            broker.log.lazily(.outboundRemoved(id, identifier))
        }
        share.group.finish(share)
    }

    // MARK: The connection is over

    /// What the client has not acknowledged at QoS 1 may go to others meanwhile; at QoS 2 it waits for its client
    /// [MQTT-4.8.2-4].
    func offerSharedAgain() {
        var groups: [ShareGroup] = []
        for (_, delivery) in outbound {
            guard let share = delivery.share else { continue }
            if delivery.qos == .atLeastOnce { share.group.giveBack(share) }
            if !groups.contains(where: { $0 === share.group }) { groups.append(share.group) }
        }
        for group in broker.inOrder(groups) {
            group.pump()
            group.queue?.commitUnwritten()
        }
    }

    /// The session ends: what it had goes to others, save what it may have received at QoS 2 [MQTT-4.8.2-5].
    ///
    /// - Returns: whose it was.
    func giveSharedBack() -> [ShareGroup] {
        guard outbound.contains(where: { $0.value.share != nil }) else { return [] }
        var groups: [ShareGroup] = []
        for (identifier, delivery) in outbound.sorted(by: { $0.value.order < $1.value.order }) {
            guard let share = delivery.share else { continue }
            let group = share.group
            groups.append(group)
            let mayHaveArrived = delivery.qos == .exactlyOnce && delivery.state != .binding && delivery.isSent
            share.isTakenUp()
            share.isFree()
            outbound[identifier] = nil
            if mayHaveArrived { group.finish(share) } else { group.giveBack(share) }
        }
        return groups
    }
}
