import Client
import EventLoop
import MQTT

/// The connection's life: addresses in their order, waits that grow, and what ends a connection.
extension Uplink {
    /// A connection that lasted so long was a good one: the waits begin anew.
    private static let goodConnection: Duration = .seconds(10)
    /// Taken over twice within this time: another client uses our identifier.
    private static let takeoverSpan: Duration = .seconds(60)

    // MARK: - What people ask

    public func start() { resume() }

    /// Disconnects; what is sent and unacknowledged stays the node's.
    public func pause() {
        guard !isPaused else { return }
        isPaused = true
        isWaiting = false
        loop.cancel(retry)
        if client.isActive { client.disconnect() }
        noteState()
    }

    public func resume() {
        guard isPaused else { return }
        isPaused = false
        failure = nil
        backoff.reset()
        address = 0
        connect()
    }

    /// Sends what waits without delay, and connects at once if it is waiting to.
    public func flush() {
        for sender in senders { sender.flush() }
        if isWaiting, !isPaused {
            loop.cancel(retry)
            connect()
        }
        pumpSoon()
    }

    /// Disconnects for good; `pause` that is not seen as one.
    public func stop() { pause() }

    // MARK: - Attempts

    private func connect() {
        guard !isPaused else { return }
        // A pause may still be saying goodbye.
        guard !client.isActive else { return }
        isWaiting = false
        client.connect(to: addresses[address].endpoint)
        noteState()
    }

    /// Tries the next address at once, and after the last one waits and begins with the first.
    private func tryAgain(after failure: MQTTClientError) {
        self.failure = "\(failure)"
        if connectedAt == nil, address + 1 < addresses.count {
            address += 1
            // In a later tick, so that a network that fails at once can't recurse.
            schedule(.zero)
            return
        }
        address = 0
        schedule(backoff.next(random: context.random()))
    }

    private func schedule(_ wait: Duration) {
        isWaiting = wait > .zero
        loop.cancel(retry)
        retry = loop.schedule(after: wait) { [weak self] in self?.connect() }
    }

    private func takenOver() {
        let now = loop.now
        takeovers.removeAll { $0 + Self.takeoverSpan < now }
        takeovers.append(now)
        address = 0
        guard takeovers.count >= 2 else {
            failure = "another client took the session over"
            return schedule(backoff.next(random: context.random()))
        }
        let text = "another client uses the client identifier \(options.clientIdentifier)"
        failure = text
        onNotice?(text)
        schedule(backoff.longest(random: context.random()))
    }

    /// Whether the upstream's closing may be its answer to what we sent.
    private static func isAnswer(_ failure: MQTTClientError) -> Bool {
        switch failure {
        case .closedByPeer, .connectionLost, .protocolError: true
        case .serverDisconnected(let reason, _):
            switch reason {
            case .unspecifiedError, .malformedPacket, .protocolError, .implementationSpecificError, .packetTooLarge,
                .payloadFormatInvalid, .notAuthorized, .quotaExceeded:
                true
            default: false
            }
        default: false
        }
    }
}

extension Uplink: MQTTClientDelegate {
    public func client(_ client: MQTTClient, didConnect connack: Connack) {
        connections += 1
        connectedAt = loop.now
        failure = nil
        health.connected(loop.now, roundTrip: client.lastRoundTrip)
        flightWindow.reset()
        for sender in senders { sender.didConnect(sessionPresent: connack.sessionPresent) }
        subscribe()
        noteState()
        pumpSoon()
    }

    public func client(_ client: MQTTClient, didClose failure: MQTTClientError) {
        health.disconnected()
        for sender in senders { sender.didDisconnect(isAnswer: Self.isAnswer(failure)) }
        for lane in lanes { lane.didDisconnect() }
        updateLinks()
        defer {
            connectedAt = nil
            noteState()
        }
        // Also where the uplink was resumed while the pause still said goodbye.
        guard !isPaused else { return }
        if failure == .disconnected { return schedule(.zero) }
        if let connectedAt, loop.now - connectedAt >= Self.goodConnection { backoff.reset() }
        if case .serverDisconnected(.sessionTakenOver, _) = failure { return takenOver() }
        tryAgain(after: failure)
    }

    public func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {
        for lane in lanes {
            guard let sentAt = lane.sender.didAcknowledge(identifier, reason, loop.now) else { continue }
            lane.didAcknowledge(client.acknowledgedBytes)
            flightWindow.acknowledged(
                client.acknowledgedBytes, rate: client.deliveryRate, roundTrip: client.shortestRoundTrip)
            // Our own pace is an estimate: what is answered has left.
            health.acknowledged(loop.now, sentAt: min(sentAt, loop.now))
            if reason == .success { backoff.reset() }
            break
        }
        pumpSoon()
    }

    public func client(_ client: MQTTClient, didReceive publish: PublishView) { receive(publish) }

    public func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) {
        for (subscription, reason) in zip(options.subscriptions, reasons) where reason.isError {
            let text = "the upstream refuses the subscription to \(subscription.filter): \(reason.name)"
            failure = text
            onNotice?(text)
        }
    }

    public func clientDidMissPing(_ client: MQTTClient) {
        health.doubt()
        updateLinks()
    }

    public func clientDidDrain(_ client: MQTTClient) { pumpSoon() }
}
