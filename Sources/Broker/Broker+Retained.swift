import MQTT
import Store

/// Retained messages: kept, sent to new subscribers, and brought back after a start.
extension Broker {
    func setRetained(_ message: Message) {
        // One that was held until its commit doesn't take the place of a newer one.
        if let newer = retained.laneSequence(message.topic), newer > message.laneSequence { return }
        retained.set(message.topic, message.payload.isEmpty ? nil : message)
    }

    func mayRetain(_ publish: PublishView, from origin: Origin) -> Bool {
        let limits = limits(of: origin)
        guard limits.retainAvailable else { return false }
        guard !publish.payload.isEmpty, retainedCount >= limits.retained, !retained.contains(publish.topic) else {
            return true
        }
        if retainedLimit.begins(at: loop.now) {
            logLine(.warning, "retained limit of \(limits.retained) reached: \(text(publish.topic)) is not kept")
        }
        return false
    }

    /// Keeps a message of our own ($SYS) as retained in memory, and routes it.
    func publishOwn(_ topic: [UInt8], _ payload: [UInt8]) {
        topic.withUnsafeBytes { topic in
            payload.withUnsafeBytes { payload in
                let view = PublishView(topic: topic, payload: payload)
                retained.set(
                    topic,
                    Message(
                        view, retain: true, laneSequence: 0, receivedAt: log.clock.time(at: loop.now),
                        meter: log.meter))
                guard let destinations = destinations(of: topic, .node) else { return }
                deliver(view, destinations, message: nil)
            }
        }
    }

    /// What is retained goes to a new subscriber [MQTT-3.3.1-9], through the log if its session is durable.
    func sendRetained(to session: Session, _ subscription: SubscriptionState) {
        guard let connection = session.connection else { return }
        let now = log.clock.now
        let identifiers = subscription.identifier == 0 ? [] : [subscription.identifier]
        retained.match(subscription.filter) { message in
            guard !message.isExpired(at: now), session.mayReceive(message.topic) else { return }
            let qos = min(message.qos, subscription.qos)
            let direct = StreamMember(
                session: SessionID(rawValue: 0), qos: 0, retainAsPublished: true, subscriptionIdentifiers: identifiers)
            if qos != .atMostOnce, let queue = session.queue {
                let member = StreamMember(
                    session: queue.session, qos: qos.rawValue, retainAsPublished: true,
                    subscriptionIdentifiers: identifiers)
                let copy = Message(
                    message.view(at: now), retain: true, laneSequence: log.takeLaneSequence(), receivedAt: now,
                    meter: log.meter)
                let stream: LogStream
                (stream, copy.set) = log.sessionStream(for: [(queue, member)])
                append(copy, [stream], retained: false, waiter: nil, ticket: 0)
            } else if qos != .atMostOnce {
                session.enqueue(
                    Session.Waiting(message: message, qos: qos, retain: true, subscriptionIdentifiers: identifiers),
                    isCharged: false)
            } else if connection.isCongested || !session.retainedBacklog.isEmpty {
                session.retainedBacklog.append((message, identifiers))
                session.isBehind = true
            } else if connection.canSend(message, qos: .atMostOnce, member: direct) {
                connection.send(message, qos: .atMostOnce, member: direct, identifier: 0, isDuplicate: false, now: now)
            } else {
                figures.dropped += 1
            }
        }
        if session.isBehind { session.pump() }
    }

    func restoreRetained(_ topic: [UInt8], _ record: RetainedRecord) {
        record.packet.withUnsafeBytes { bytes in
            guard let raw = try? readFrame(bytes, maximum: bytes.count), let view = try? PublishView(raw, version: .v5)
            else { return }
            let message = Message(
                view, retain: true, laneSequence: 0, receivedAt: record.receivedAt, meter: log.meter)
            retained.set(view.topic, message)
        }
    }
}
