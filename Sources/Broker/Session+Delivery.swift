import EventLoop
import MQTT
import Store

extension Session {
    // MARK: Through the log

    /// A message was just appended for this session: it goes out at once if nothing is before it.
    func offer(_ membership: SessionQueue.Membership, _ number: UInt64, _ message: Message) {
        guard let connection, connection.isAccepted, !isBehind, hasRoom, resends.isEmpty, !message.isHeld,
            !isCongested(connection), membership.isNext(number)
        else {
            isBehind = true
            updateSettling()
            return
        }
        deliver(SessionQueue.Item(membership: membership, number: number, message: message), on: connection)
        if !hasRoom { updateSettling() }
    }

    /// What waits for its identifier's commit goes to the output as soon as that is over.
    func isCongested(_ connection: Connection) -> Bool { connection.isCongested(with: bindingBytes) }

    /// Sends what waits, as far as the client's window and our output buffer allow.
    func pump() {
        guard let connection, connection.isAccepted else { return }
        guard resend(on: connection) else { return }
        sendRetained(on: connection)
        if sharesGoFirst { pumpShares() }
        while hasRoom, !isCongested(connection) {
            guard deliverNext(on: connection) else { break }
        }
        if !shares.isEmpty { pumpShares() }
        if !retainedBacklog.isEmpty {
            isBehind = true
            // An output that the peer takes at once is never reported as drained.
            if !connection.stream.isBlocked { broker.loop.onNextTickEnd { [weak self] in self?.pump() } }
        }
        updateSettling()
    }

    /// False when nothing can be had now.
    private func deliverNext(on connection: Connection) -> Bool {
        guard let queue else {
            guard let next = waiting.popFirst() else {
                isBehind = false
                return false
            }
            waitingBytes -= next.message.byteCount
            deliver(next, on: connection)
            return true
        }
        switch queue.peek() {
        case .item(let item):
            deliver(item, on: connection)
            return true
        case .loading:
            return false
        case .empty:
            isBehind = false
            return false
        }
    }

    private func deliver(_ item: SessionQueue.Item, on connection: Connection) {
        guard let queue else { return }
        queue.take(item)
        let now = broker.log.clock.now
        let member = item.member
        let qos = min(item.message.qos, QoS(rawValue: member.qos) ?? .atLeastOnce)
        guard mayStillReceive(item.message) else {
            broker.figures.withheld += 1
            queue.finish(item.membership, item.number)
            return
        }
        guard !item.message.isExpired(at: now), connection.canSend(item.message, qos: qos, member: member) else {
            broker.figures.dropped += 1
            queue.finish(item.membership, item.number)
            return
        }
        guard qos != .atMostOnce else {
            connection.send(item.message, qos: qos, member: member, identifier: 0, isDuplicate: false, now: now)
            queue.finish(item.membership, item.number)
            return
        }
        let identifier = takeIdentifier()
        outbound[identifier] = Outbound(
            state: qos == .exactlyOnce ? .binding : .published, qos: qos, membership: item.membership,
            number: item.number, order: takeOrder(), sentAt: broker.loop.now)
        guard qos == .exactlyOnce else {
            connection.send(
                item.message, qos: qos, member: member, identifier: identifier, isDuplicate: false, now: now)
            return
        }
        guard let id else { return }
        bind(identifier, item, member, .outbound(id, record(of: identifier, item.membership, item.number)))
    }

    func record(
        of identifier: UInt16, _ membership: SessionQueue.Membership, _ number: UInt64, released: Bool = false,
        share: SharedDelivery? = nil
    ) -> OutboundRecord {
        OutboundRecord(
            identifier: identifier, stream: membership.stream.record.id, number: number, released: released,
            share: share?.group.queue?.session)
    }

    /// The identifier is on disk, with its message, before the message is sent: after a crash it is not given to another.
    func bind(_ identifier: UInt16, _ item: SessionQueue.Item, _ member: StreamMember, _ change: Change) {
        bindingBytes += item.message.byteCount
        broker.log.commitStream(item.membership.stream)
        broker.log.commit([change]) { [self] in
            bindingBytes -= item.message.byteCount
            guard outbound[identifier]?.state == .binding, outbound[identifier]?.number == item.number else {
                return
            }
            outbound[identifier]?.state = .published
            outbound[identifier]?.order = takeOrder()
            outbound[identifier]?.isSent = false
            // A connection that came meanwhile sends it by itself, and may have less room than the one before.
            guard let connection, !resends.contains(identifier) else { return }
            guard resends.isEmpty, outbound.count <= window || sentCount <= window else {
                resends.append(identifier)
                isBehind = true
                pump()
                return
            }
            outbound[identifier]?.isSent = true
            outbound[identifier]?.sentAt = broker.loop.now
            connection.send(
                item.message, qos: .exactlyOnce, member: member, identifier: identifier,
                isDuplicate: false, now: broker.log.clock.now)
        }
    }

    /// Open deliveries that may go to the connection, or did: a walk, for when the window shrank.
    private var sentCount: Int { outbound.count { $0.value.state != .binding } }

    // MARK: Again, on a new connection

    /// What the client has not acknowledged goes first, under its old identifiers [MQTT-4.4.0-1] and in the order of its
    /// first sending [MQTT-4.6.0-1]: at QoS 2 that is later than at QoS 1, by a commit.
    func prepareResends() {
        resends = []
        for delivery in outbound.values { delivery.share?.isTakenUp() }
        for (identifier, _) in outbound.sorted(by: {
            ($0.value.order, $0.value.membership?.stream.record.id.rawValue ?? 0, $0.value.number)
                < ($1.value.order, $1.value.membership?.stream.record.id.rawValue ?? 0, $1.value.number)
        }) { resends.append(identifier) }
    }

    /// Of the deliveries that are open, those that this connection has seen fill its window [MQTT-3.3.4-7].
    private var hasRoomToResend: Bool { outbound.count - resends.count < window }

    /// False while a message has yet to be read from disk, or the window is full: it may be smaller than the last
    /// connection's.
    private func resend(on connection: Connection) -> Bool {
        while let identifier = resends.first {
            guard !connection.isCongested else { return false }
            guard let delivery = outbound[identifier], delivery.membership != nil || delivery.share != nil else {
                resends.removeFirst()
                continue
            }
            switch delivery.state {
            case .released:
                connection.sendAcknowledgement(.pubrel, identifier, .success)
            case .binding, .recording:
                // Its commit is on the way and sends what is due.
                break
            case .published:
                guard hasRoomToResend else { return false }
                switch reread(delivery) {
                case .loading: return false
                case .end, .missing:
                    complete(identifier)
                case .message(let message) where !mayStillReceive(message):
                    broker.figures.withheld += 1
                    complete(identifier)
                case .message(let message):
                    connection.send(
                        message, qos: delivery.qos, member: delivery.member(of: message), identifier: identifier,
                        isDuplicate: delivery.isSent, now: broker.log.clock.now)
                }
            }
            outbound[identifier]?.sentAt = broker.loop.now
            outbound[identifier]?.isSent = true
            resends.removeFirst()
        }
        return true
    }

    private func reread(_ delivery: Outbound) -> LogStream.Reading {
        if let message = delivery.share?.message { return .message(message) }
        guard let queue, let membership = delivery.membership else { return .end }
        return queue.reread(membership, delivery.number)
    }

    // MARK: In memory

    /// A message for a session that ends with its connection, or at QoS 0: sent now, or kept in memory while its window is
    /// full. `made` is the message's own object once anybody had to keep it.
    func offer(
        _ template: inout PublishTemplate, _ publish: PublishView, _ delivery: Destinations.Delivery,
        _ made: inout Message?
    ) {
        guard let connection, connection.isAccepted else { return }
        let qos = min(publish.qos, delivery.qos)
        let retain = publish.retain && delivery.retainAsPublished
        guard qos == .atMostOnce || (hasRoom && !isBehind && !connection.isCongested) else {
            enqueue(
                Waiting(
                    message: broker.message(publish, &made), qos: qos, retain: retain,
                    subscriptionIdentifiers: delivery.subscriptionIdentifiers))
            return
        }
        guard qos == .atMostOnce else {
            let identifier = takeIdentifier()
            outbound[identifier] = Outbound(
                state: .published, qos: qos, membership: nil, number: 0, sentAt: broker.loop.now)
            if !connection.send(&template, publish, qos, retain, identifier, delivery.subscriptionIdentifiers) {
                outbound[identifier] = nil
            }
            return
        }
        guard !connection.isOverflowing else { return loseToSlowness() }
        _ = connection.send(&template, publish, qos, retain, 0, delivery.subscriptionIdentifiers)
    }

    /// - Parameter isCharged: the message takes memory for this alone, and not as a retained message.
    func enqueue(_ item: Waiting, isCharged: Bool = true) {
        guard let connection else { return }
        isBehind = true
        let limits = connection.limits
        waiting.append(item)
        if isCharged { item.message.charge(to: broker.waitingMeter) }
        waitingBytes += item.message.byteCount
        while waiting.count > limits.sessionMessages || waitingBytes > limits.sessionBytes { loseWaiting() }
        if isCharged { broker.boundWaiting() }
    }

    func loseWaiting() {
        let losesNewest = connection?.limits.sessionFullLosesNewest ?? false
        guard let lost = losesNewest ? waiting.popLast() : waiting.popFirst() else { return }
        waitingBytes -= lost.message.byteCount
        loseToSlowness()
    }

    /// Sends retained messages that had no room at the time of the subscription. One that was replaced since is not sent: the
    /// newer one was, and must stay the last.
    private func sendRetained(on connection: Connection) {
        let now = broker.log.clock.now
        while !isCongested(connection), let next = retainedBacklog.popFirst() {
            let message = next.message
            guard broker.retained.message(message.topic) === message, !message.isExpired(at: now),
                mayReceive(message.topic)
            else { continue }
            let member = StreamMember(
                session: SessionID(rawValue: 0), qos: 0, retainAsPublished: true,
                subscriptionIdentifiers: next.subscriptionIdentifiers)
            guard connection.canSend(message, qos: .atMostOnce, member: member) else { continue }
            connection.send(message, qos: .atMostOnce, member: member, identifier: 0, isDuplicate: false, now: now)
        }
    }

    private func deliver(_ item: Waiting, on connection: Connection) {
        let now = broker.log.clock.now
        let member = StreamMember(
            session: SessionID(rawValue: 0), qos: item.qos.rawValue, retainAsPublished: item.retain,
            subscriptionIdentifiers: item.subscriptionIdentifiers)
        guard mayStillReceive(item.message) else {
            broker.figures.withheld += 1
            return
        }
        guard !item.message.isExpired(at: now), connection.canSend(item.message, qos: item.qos, member: member) else {
            broker.figures.dropped += 1
            return
        }
        var identifier: UInt16 = 0
        if item.qos != .atMostOnce {
            identifier = takeIdentifier()
            outbound[identifier] = Outbound(
                state: .published, qos: item.qos, membership: nil, number: 0, sentAt: broker.loop.now)
        }
        connection.send(
            item.message, qos: item.qos, member: member, identifier: identifier, isDuplicate: false, now: now)
    }

    // MARK: Being acknowledged

    /// PUBACK, or PUBCOMP, or a PUBREC that refuses: the delivery is over.
    func finish(_ identifier: UInt16) {
        guard complete(identifier) else { return }
        sharesGoFirst = !shares.isEmpty && !sharesGoFirst
        if isBehind {
            pump()
        } else {
            if !shares.isEmpty { pumpShares() }
            if queue != nil || !shares.isEmpty { updateSettling() }
        }
    }

    @discardableResult
    private func complete(_ identifier: UInt16) -> Bool {
        guard let delivery = outbound.removeValue(forKey: identifier) else { return false }
        if let share = delivery.share {
            finish(share, delivery, identifier)
        } else if let membership = delivery.membership {
            queue?.finish(membership, delivery.number)
            if delivery.qos == .exactlyOnce, let id { broker.log.lazily(.outboundRemoved(id, identifier)) }
        }
        return true
    }

    /// - Throws: 0x82 for an acknowledgement that the delivery's QoS, or how far it is, can't have [MQTT-4.3.2-4]
    ///   [MQTT-4.3.3-5].
    func received(_ acknowledgement: Acknowledgement) throws(MQTTError) {
        let identifier = acknowledgement.packetIdentifier
        guard let delivery = outbound[identifier] else {
            // A PUBREC that refuses has ended the exchange by itself [MQTT-4.3.3-4].
            if acknowledgement.type == .pubrec, !acknowledgement.reason.isError {
                connection?.sendAcknowledgement(.pubrel, identifier, .packetIdentifierNotFound)
            }
            return
        }
        switch (acknowledgement.type, delivery.qos, delivery.state) {
        case (.puback, .atLeastOnce, _):
            measured(delivery)
            finish(identifier)
        case (.pubrec, .exactlyOnce, .published):
            guard !acknowledgement.reason.isError else {
                finish(identifier)
                return
            }
            release(identifier, delivery)
        case (.pubrec, .exactlyOnce, .released):
            connection?.sendAcknowledgement(.pubrel, identifier, .success)
        case (.pubcomp, .exactlyOnce, .released):
            measured(delivery)
            finish(identifier)
        case (.pubrec, .exactlyOnce, .recording), (_, .exactlyOnce, .binding):
            // PUBREL is on its way; or the identifier was given just now, and this is about an older message.
            break
        default:
            throw MQTTError(.protocolError, "an acknowledgement out of turn")
        }
    }

    /// PUBREC is on disk before PUBREL goes: after a crash the message is not published again.
    private func release(_ identifier: UInt16, _ delivery: Outbound) {
        guard let id, let membership = delivery.membership else {
            outbound[identifier]?.state = .released
            connection?.sendAcknowledgement(.pubrel, identifier, .success)
            return
        }
        outbound[identifier]?.state = .recording
        let record = record(of: identifier, membership, delivery.number, released: true, share: delivery.share)
        broker.log.commit([.outbound(id, record)]) { [self] in
            guard outbound[identifier]?.state == .recording else { return }
            outbound[identifier]?.state = .released
            connection?.sendAcknowledgement(.pubrel, identifier, .success)
        }
    }
}
