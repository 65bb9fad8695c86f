import MQTT
import Store

/// Subscriptions, shared or not, as sessions make and end them.
extension Broker {
    /// A session subscribes, or its subscription is brought back after a start.
    ///
    /// - Returns: what the store must know beside the subscription itself.
    func enter(_ subscription: SubscriptionState, _ session: Session) -> [Change] {
        let filter = subscription.filter
        session.subscriptions[filter] = subscription
        guard subscription.isShared else {
            tree.insert(filter, session: session, subscription: subscription)
            return []
        }
        let group = share(filter)
        let isNew = group.memberCount == 0
        let changes = group.enter(session, subscription)
        if isNew {
            let interest = SubscriptionTree.Interest(subscriber: .share(group), subscription: subscription)
            tree.insert(group.topicFilter, interest)
        } else {
            tree.noteChange()
        }
        return changes
    }

    /// Ends a session's subscription, which it has forgotten already.
    func leave(_ filter: [UInt8], _ session: Session) {
        guard let group = shares[filter] else { return tree.remove(filter, session: session) }
        guard group.leave(session) else { return group.endIfDone() }
        if group.memberCount == 0 {
            tree.remove(group.topicFilter, .share(group))
        } else {
            tree.noteChange()
        }
        group.pump()
        group.endIfDone()
    }

    /// The session is over: others get what its groups had given to it.
    func endSubscriptions(of session: Session) {
        let groups = session.giveSharedBack() + session.shares.map(\.group)
        for filter in session.subscriptions.keys where shares[filter] == nil { tree.remove(filter, session: session) }
        session.subscriptions = [:]
        for group in inOrder(groups) {
            leave(group.filter, session)
            group.pump()
        }
    }

    private func share(_ filter: [UInt8]) -> ShareGroup {
        if let group = shares[filter] { return group }
        let group = ShareGroup(filter, broker: self)
        shares[filter] = group
        return group
    }

    /// In an order of their own, so that a simulation repeats itself.
    public var sharesInOrder: [ShareGroup] { inOrder(Array(shares.values)) }

    func inOrder(_ groups: [ShareGroup]) -> [ShareGroup] {
        groups.sorted { $0.filter.lexicographicallyPrecedes($1.filter) }
    }

    // MARK: After a start

    /// Before the sessions: they then find their groups.
    func restore(_ stored: StoredState.Share, _ places: [StoredState.Place]) {
        let group = share(stored.record.filter)
        group.openQueue(stored.record.id)
        group.queue?.restore(places)
        group.isBehind = true
        for record in stored.outbound {
            // Its holder's session has ended with the run before.
            if let membership = group.queue?.membership(of: record.stream) {
                group.queue?.finish(membership, record.number)
            }
            log.lazily(.outboundRemoved(stored.record.id, record.identifier))
        }
    }
}

extension ShareGroup {
    /// What an earlier run gave to a session at QoS 2.
    func restored(
        _ membership: SessionQueue.Membership, _ number: UInt64, for session: Session, _ identifier: UInt16
    ) -> SharedDelivery {
        let delivery = SharedDelivery(self, membership: membership, number: number, message: nil, sequence: 0)
        open += 1
        let member = members.first { $0.session === session }?.subscription.member(.exactlyOnce)
        delivery.isGiven(to: session, identifier, member ?? delivery.member)
        return delivery
    }
}
