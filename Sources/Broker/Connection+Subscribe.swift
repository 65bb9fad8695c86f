import EventLoop
import MQTT
import Store

extension Connection {
    /// SUBSCRIBE (MQTT 5 §3.8.4): of a durable session, SUBACK waits until the subscriptions are on disk.
    func subscribe(_ packet: Subscribe) throws(MQTTError) {
        guard let session else { return }
        var reasons: [ReasonCode] = []
        var changes: [Change] = []
        var retained: [(Subscription, SubscriptionState)] = []
        for requested in packet.filters {
            guard let refusal = refusal(of: requested, session) else {
                let isNew = session.subscriptions[requested.filter] == nil
                let granted = min(requested.qos, QoS(rawValue: limits.maximumQoS) ?? .exactlyOnce)
                let state = SubscriptionState(
                    filter: requested.filter, qos: granted, noLocal: requested.noLocal,
                    retainAsPublished: requested.retainAsPublished, identifier: packet.subscriptionIdentifier ?? 0)
                changes += broker.enter(state, session)
                if let id = session.id {
                    changes.append(.subscription(id, state.record(requested.retainHandling.rawValue)))
                }
                reasons.append(ReasonCode(rawValue: granted.rawValue))
                // A Shared Subscription is sent no retained messages, §4.8.2.
                guard !state.isShared else { continue }
                if requested.retainHandling == .send || (requested.retainHandling == .sendIfNew && isNew) {
                    retained.append((requested, state))
                }
                continue
            }
            reasons.append(refusal)
        }
        let suback = Suback(packetIdentifier: packet.packetIdentifier, reasons: reasons)
        let answer = { [self] in
            guard state == .accepted, let session = self.session else { return }
            write(suback.encode(version: version))
            for (_, subscription) in retained { broker.sendRetained(to: session, subscription) }
            if !session.shares.isEmpty { session.pump() }
        }
        answerOnceCommitted(changes, answer)
    }

    private func answerOnceCommitted(_ changes: [Change], _ answer: @escaping () -> Void) {
        guard !changes.isEmpty else { return answer() }
        unanswered += 1
        broker.log.commit(changes) { [self] in
            unanswered -= 1
            answer()
        }
    }

    private func refusal(of requested: Subscription, _ session: Session) -> ReasonCode? {
        requested.filter.withUnsafeBytes { bytes in
            guard let filter = try? TopicFilter(bytes) else { return failure(.topicFilterInvalid) }
            guard TopicName.levels(filter.filter) <= limits.topicLevels else { return failure(.topicFilterInvalid) }
            guard session.rights?.maySubscribe(to: filter.filter) ?? true else {
                broker.noteDeniedSubscription(session, bytes)
                return failure(.notAuthorized)
            }
            guard session.subscriptions.count < limits.subscriptions || session.subscriptions[requested.filter] != nil
            else { return failure(.quotaExceeded) }
            return nil
        }
    }

    /// 3.1.1 has one word for every failure.
    private func failure(_ reason: ReasonCode) -> ReasonCode { version == .v5 ? reason : .unspecifiedError }

    func unsubscribe(_ packet: Unsubscribe) {
        guard let session else { return }
        var reasons: [ReasonCode] = []
        var changes: [Change] = []
        for filter in packet.filters {
            guard session.subscriptions.removeValue(forKey: filter) != nil else {
                reasons.append(.noSubscriptionExisted)
                continue
            }
            broker.leave(filter, session)
            if let id = session.id { changes.append(.subscriptionRemoved(id, filter: filter)) }
            reasons.append(.success)
        }
        let unsuback = Unsuback(packetIdentifier: packet.packetIdentifier, reasons: reasons)
        let answer = { [self] in
            guard state == .accepted else { return }
            write(unsuback.encode(version: version))
        }
        answerOnceCommitted(changes, answer)
    }
}

extension SubscriptionState {
    func record(_ retainHandling: UInt8) -> SubscriptionRecord {
        SubscriptionRecord(
            filter: filter, qos: qos.rawValue, noLocal: noLocal, retainAsPublished: retainAsPublished,
            retainHandling: retainHandling, subscriptionIdentifier: identifier)
    }

    convenience init(_ record: SubscriptionRecord) {
        self.init(
            filter: record.filter, qos: QoS(rawValue: record.qos) ?? .atMostOnce, noLocal: record.noLocal,
            retainAsPublished: record.retainAsPublished, identifier: record.subscriptionIdentifier)
    }
}
