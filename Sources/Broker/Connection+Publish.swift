import EventLoop
import MQTT
import Store

extension Connection {
    /// PUBLISH from the client. False: it can't be taken yet, and reading is paused.
    func publish(_ packet: RawPacket) throws(MQTTError) -> Bool {
        guard !isHolding, !broker.mustWait(packet, from: self) else { return hold(packet) }
        try take(packet)
        return true
    }

    private func take(_ packet: RawPacket) throws(MQTTError) {
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
        guard let session, try !isTooLarge(publish) else { return }
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

    /// A payload above the limit is refused where MQTT has words for it; at QoS 0 it is dropped.
    private func isTooLarge(_ publish: PublishView) throws(MQTTError) -> Bool {
        guard limits.payloadBytes > 0, publish.payload.count > limits.payloadBytes else { return false }
        broker.figures.dropped += 1
        switch publish.qos {
        case .atMostOnce: break
        case _ where version != .v5: throw MQTTError(.packetTooLarge, "a payload above \(limits.payloadBytes) bytes")
        case .atLeastOnce: pubacks.acknowledge(publish.packetIdentifier, .quotaExceeded)
        case .exactlyOnce: pubrecs.acknowledge(publish.packetIdentifier, .quotaExceeded)
        }
        return true
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

    // MARK: Waiting for the store

    private func hold(_ packet: RawPacket) -> Bool {
        let qos = (packet.flags >> 1) & 3
        let held = held ?? HeldPublishes()
        self.held = held
        if held.isFull {
            // What sets a Topic Alias, or needs one, keeps its place: those behind it may need it too.
            guard qos == 0, !hasTopicAlias(packet) else {
                stream.pauseReading()
                return false
            }
            broker.drop(packet, from: self)
            return true
        }
        if held.isEmpty { broker.waits(self) }
        let start = packet.body.baseAddress.map { $0 - (packet.length - packet.body.count) }
        held.append(UnsafeRawBufferPointer(start: start, count: packet.length), now: broker.loop.now)
        return true
    }

    private func hasTopicAlias(_ packet: RawPacket) -> Bool {
        guard version == .v5, let publish = try? PublishView(packet, version: version) else { return false }
        return publish.topicAlias != 0
    }

    /// The store has room again, or doesn't refuse any more: what waits goes first.
    func replayHeld() {
        guard let held else { return }
        var failure: MQTTError?
        held.replay(now: broker.loop.now) { bytes in
            do throws(MQTTError) {
                guard state == .accepted, let packet = try readFrame(bytes, maximum: bytes.count, version: version),
                    !broker.mustWait(packet, from: self)
                else { return 0 }
                try take(packet)
                return packet.length
            } catch {
                failure = error
                return 0
            }
        }
        if let failure {
            fail(failure)
        } else if !held.isFull {
            stream.resumeReading()
        }
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
