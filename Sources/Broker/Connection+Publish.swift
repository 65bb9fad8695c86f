import EventLoop
import MQTT
import Store

extension Connection {
    /// PUBLISH from the client. False: it can't be taken yet, and reading is paused.
    func publish(_ packet: RawPacket) throws(MQTTError) -> Bool {
        guard !isHolding, !broker.mustWait(packet, from: self) else { return try hold(packet, .store) }
        if let pace, !pace.take(at: broker.loop.now) { return try hold(packet, .pace) }
        try take(packet)
        return true
    }

    func take(_ packet: RawPacket) throws(MQTTError) {
        broker.figures.messagesReceived += 1
        broker.figures.publishesReceived += 1
        let publish = try PublishView(packet, version: version)
        if publish.topicAlias == 0 {
            try route(publish)
        } else {
            try withAliasedTopic(publish) { (resolved) throws(MQTTError) in try route(resolved) }
        }
    }

    private func route(_ publish: PublishView) throws(MQTTError) {
        try check(publish)
        guard let session, try !isRefused(publish) else { return }
        switch publish.qos {
        case .atMostOnce:
            _ = broker.route(publish, from: .client(session), waiter: nil, ticket: 0)
        case .atLeastOnce:
            let ticket = pubacks.wait(publish.packetIdentifier)
            let outcome = broker.route(publish, from: .client(session), waiter: pubacks, ticket: ticket)
            if case .done(let reason) = outcome { pubacks.settle(ticket, reason) }
        case .exactlyOnce:
            receiveExactlyOnce(publish, session)
        }
    }

    private func check(_ publish: PublishView) throws(MQTTError) {
        guard !publish.hasSubscriptionIdentifiers else {
            throw MQTTError(.protocolError, "[MQTT-3.3.4-6] a Subscription Identifier from a Client")
        }
        guard publish.qos.rawValue <= limits.maximumQoS else {
            throw MQTTError(.qosNotSupported, "[MQTT-3.2.2-11] a QoS above Maximum QoS")
        }
        guard !publish.retain || limits.retainAvailable else {
            throw MQTTError(.retainNotSupported, "[MQTT-3.2.2-14] retained messages are not available")
        }
        guard publish.qos == .atMostOnce || version != .v5 || isWithinReceiveMaximum(publish) else {
            throw MQTTError(
                .receiveMaximumExceeded, "[MQTT-3.3.4-9] more unacknowledged PUBLISHes than Receive Maximum")
        }
    }

    /// Counts what came on this connection: a session's older identifiers only wait for their PUBREL.
    private func isWithinReceiveMaximum(_ publish: PublishView) -> Bool {
        if publish.qos == .exactlyOnce, openExactlyOnce.contains(publish.packetIdentifier) { return true }
        return pubacks.count + openExactlyOnce.count < Int(limits.inflight)
    }

    /// What the limits don't let pass is refused where MQTT has words for it; at QoS 0 it is dropped.
    private func isRefused(_ publish: PublishView) throws(MQTTError) -> Bool {
        guard let reason = try refusal(of: publish) else { return false }
        broker.figures.dropped += 1
        switch publish.qos {
        case .atMostOnce: break
        case .atLeastOnce: pubacks.acknowledge(publish.packetIdentifier, reason)
        case .exactlyOnce: pubrecs.acknowledge(publish.packetIdentifier, reason)
        }
        return true
    }

    private func refusal(of publish: PublishView) throws(MQTTError) -> ReasonCode? {
        if limits.payloadBytes > 0, publish.payload.count > limits.payloadBytes {
            guard version == .v5 || publish.qos == .atMostOnce else {
                throw MQTTError(.packetTooLarge, "a payload above \(limits.payloadBytes) bytes")
            }
            return .quotaExceeded
        }
        if broker.hasSeveralTopicLevels, TopicName.levels(publish.topic) > limits.topicLevels {
            return .topicNameInvalid
        }
        if publish.payloadIsText, limits.checksUTF8, !isUTF8(publish.payload) {
            guard publish.qos != .atMostOnce else {
                throw MQTTError(.payloadFormatInvalid, "§3.3.2.3.2 a payload that claims to be UTF-8, and is not")
            }
            return .payloadFormatInvalid
        }
        return nil
    }

    // MARK: QoS 2

    private func receiveExactlyOnce(_ publish: PublishView, _ session: Session) {
        let identifier = publish.packetIdentifier
        openExactlyOnce.insert(identifier)
        if let known = session.inbound[identifier] {
            // Sent again: it was taken, and is not routed twice [MQTT-4.3.3-10].
            if known.isSafe {
                pubrecs.acknowledge(identifier, .success)
            } else if known.ticket == nil {
                session.inbound[identifier]?.ticket = pubrecs.wait(identifier)
            }
            return
        }
        session.inbound[identifier] = Session.Inbound(isSafe: false, ticket: pubrecs.wait(identifier))
        let outcome = broker.route(publish, from: .client(session), waiter: session, ticket: UInt64(identifier))
        if case .done(let reason) = outcome { session.messageIsSettled(ticket: UInt64(identifier), reason: reason) }
    }

    func pubrel(_ acknowledgement: Acknowledgement) {
        guard let session else { return }
        let identifier = acknowledgement.packetIdentifier
        openExactlyOnce.remove(identifier)
        let isKnown = session.inbound[identifier]?.isSafe == true
        let reason: ReasonCode = isKnown || version != .v5 ? .success : .packetIdentifierNotFound
        if isKnown { session.inbound[identifier] = nil }
        guard let id = session.id else {
            pubcomps.acknowledge(identifier, reason)
            return
        }
        // An unknown one may have been removed a moment ago, on a connection that is gone, and still be on disk: the client
        // gives the identifier to another message as soon as it has PUBCOMP.
        guard !broker.log.options.isRelaxed else {
            broker.log.lazily(.inboundRemoved(id, identifier))
            pubcomps.acknowledge(identifier, reason)
            return
        }
        let ticket = pubcomps.wait(identifier)
        broker.log.commit([.inboundRemoved(id, identifier)]) { [pubcomps] in pubcomps.settle(ticket, reason) }
    }

    // MARK: Topic Alias

    private func withAliasedTopic(
        _ publish: PublishView, _ body: (PublishView) throws(MQTTError) -> Void
    ) throws(MQTTError) {
        let alias = Int(publish.topicAlias)
        guard alias <= Int(limits.topicAliases) else {
            throw MQTTError(.topicAliasInvalid, "[MQTT-3.3.2-9] a Topic Alias above Topic Alias Maximum")
        }
        while aliases.count < alias { aliases.append([]) }
        guard publish.topic.isEmpty else {
            aliases[alias - 1] = [UInt8](publish.topic)
            try body(publish)
            return
        }
        let topic = aliases[alias - 1]
        guard !topic.isEmpty else {
            throw MQTTError(.protocolError, "[MQTT-3.3.2-8] a Topic Alias that was never set")
        }
        // The bytes are copied out so that the closure's typed error can pass.
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: topic.count, alignment: 1)
        defer { memory.deallocate() }
        memory.copyBytes(from: topic)
        var resolved = publish
        resolved.topic = UnsafeRawBufferPointer(memory)
        try body(resolved)
    }
}

extension Session: SafetyWaiter {
    public var hearsRefusals: Bool { connection?.version == .v5 }

    /// A QoS 2 message is safe (or refused): its PUBREC may go, on whichever connection the session has by now.
    public func messageIsSettled(ticket: UInt64, reason: ReasonCode) {
        let identifier = UInt16(truncatingIfNeeded: ticket)
        guard let known = inbound[identifier], !known.isSafe else { return }
        if reason.isError {
            inbound[identifier] = nil
            connection?.openExactlyOnce.remove(identifier)
        } else {
            inbound[identifier]?.isSafe = true
        }
        if let place = known.ticket { connection?.pubrecs.settle(place, reason) }
        inbound[identifier]?.ticket = nil
    }
}
