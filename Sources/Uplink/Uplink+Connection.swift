import Client
import EventLoop
import MQTT

/// The connection's life: attempts, waits, and what ends a connection. Which address is next after what wait is
/// `Reconnection`'s to say.
extension Uplink {
    /// Taken over twice within this time: another client uses our identifier.
    private static let takeoverSpan: Duration = .seconds(60)
    /// A connection that lasted so long after that was not taken over for it.
    private static let peace: Duration = .seconds(300)

    // MARK: - What people ask

    public func start() { resume() }

    /// Disconnects; what is sent and unacknowledged stays the node's.
    public func pause() {
        guard !isPaused else { return }
        isPaused = true
        isWaiting = false
        loop.cancel(retry)
        endFailback()
        if client.isActive { client.disconnect() }
        health.disconnected()
        updateLinks()
        noteState()
    }

    public func resume() {
        guard isPaused else { return }
        isPaused = false
        failure = nil
        reconnection.reset()
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

    // MARK: - Attempts

    private func connect() {
        guard !isPaused else { return }
        // A pause may still be saying goodbye.
        guard !client.isActive else { return }
        isWaiting = false
        context.url = url
        let address = addresses[reconnection.address]
        client.connect(to: address.endpoint, through: layers(to: address))
        noteState()
    }

    private func schedule(_ wait: Duration) {
        isWaiting = wait > .zero
        loop.cancel(retry)
        // In a later tick in any case, so that a network that fails at once can't recurse.
        retry = loop.schedule(after: wait) { [weak self] in self?.connect() }
    }

    /// The connection, or the attempt at one, is over.
    private func failed(_ failure: MQTTClientError, wasConnected: Bool, wasUseful: Bool) {
        failedAddress = reconnection.address
        if let index = redirection(failure), reconnection.redirect(to: index) {
            self.failure = "the upstream sends us to \(addresses[index].url)"
            return schedule(.zero)
        }
        failed(verdict(failure, wasConnected: wasConnected), wasConnected: wasConnected, wasUseful: wasUseful)
    }

    private func failed(_ verdict: Verdict, wasConnected: Bool, wasUseful: Bool) {
        failedAddress = reconnection.address
        let wait = reconnection.failed(
            wasConnected: wasConnected, wasUseful: wasUseful, isForGood: verdict.isForGood && !wasUseful,
            random: context.random())
        failure = verdict.text
        if wasConnected, reconnection.uselessConnections > 1 {
            failure = "\(verdict.text); so it goes each time, before it has taken anything"
        }
        schedule(wait)
    }

    private func takenOver(_ connectedAt: Instant?, wasUseful: Bool) {
        let now = loop.now
        if let connectedAt, now - connectedAt >= Self.peace { isContested = false }
        takeovers.removeAll { $0 + Self.takeoverSpan < now }
        takeovers.append(now)
        guard takeovers.count >= 2 || isContested else {
            return failed(
                Verdict(text: "another client took the session over"), wasConnected: true, wasUseful: wasUseful)
        }
        isContested = true
        failedAddress = reconnection.address
        failure = contestedText
        schedule(reconnection.longest(random: context.random()))
    }

    /// The other client is gone, if this connection lasts.
    private func awaitPeace(_ connection: UInt64) {
        loop.schedule(after: Self.peace) { [weak self] in
            guard let self, client.isConnected, connections == connection else { return }
            isContested = false
            failure = nil
            onState?(state)
        }
    }

    private var contestedText: String { "another client uses the client identifier \(options.clientIdentifier)" }

    /// The upstream has taken something, or has been there for as long as Keep Alive: the connection was worth it.
    func proveUseful() {
        guard !isUseful, client.isConnected else { return }
        isUseful = true
        let isNews = reconnection.uselessConnections > 0
        reconnection.provedUseful()
        if reconnection.address == 0 { failbackRounds = 0 }
        if isNews { onState?(state) }
    }

    /// The connection that stands, or the last one, was of use: who tells people of links waits for that after one that
    /// wasn't.
    public var isProven: Bool { !isContested && (isUseful || reconnection.uselessConnections == 0) }
}

extension Uplink: MQTTClientDelegate {
    public func client(_ client: MQTTClient, didConnect connack: Connack) {
        connections += 1
        connectedAt = loop.now
        lastProgress = loop.now
        isUseful = false
        failure = isContested ? contestedText : nil
        if isContested { awaitPeace(connections) }
        health.connected(loop.now, roundTrip: client.lastRoundTrip)
        flightWindow.reset()
        let node = connack.userProperties.first { $0.name == "roost-node" }.map { Array($0.value.utf8) }
        for sender in senders {
            sender.queue.farNode = node
            sender.didConnect(sessionPresent: connack.sessionPresent)
        }
        subscribe(sessionPresent: connack.sessionPresent)
        onConnect?(connack.sessionPresent)
        scheduleFailback()
        noteState()
        pumpSoon()
    }

    public func client(_ client: MQTTClient, didClose failure: MQTTClientError) {
        let (connectedAt, wasUseful, goodbye) = (connectedAt, isUseful, goodbye)
        self.connectedAt = nil
        isUseful = false
        self.goodbye = nil
        endFailback()
        health.disconnected()
        for sender in senders { sender.didDisconnect(isAnswer: Self.isAnswer(failure)) }
        for lane in lanes { lane.didDisconnect() }
        refusedSubscriptions = []
        updateLinks()
        defer { noteState() }
        if isSettling { settled() }
        // Also where the uplink was resumed while the pause still said goodbye.
        guard !isPaused else { return }
        switch goodbye {
        case .giveUp(let text):
            return failed(Verdict(text: text), wasConnected: true, wasUseful: wasUseful)
        case .move(let index):
            reconnection.move(to: index)
            return schedule(.zero)
        case nil: break
        }
        if failure == .disconnected { return schedule(.zero) }
        if case .serverDisconnected(.sessionTakenOver, _) = failure {
            return takenOver(connectedAt, wasUseful: wasUseful)
        }
        failed(failure, wasConnected: connectedAt != nil, wasUseful: wasUseful)
    }

    public func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {
        for lane in lanes {
            guard let sentAt = lane.sender.didAcknowledge(identifier, reason, loop.now) else { continue }
            lane.didAcknowledge(client.acknowledgedBytes)
            flightWindow.acknowledged(
                client.acknowledgedBytes, rate: client.deliveryRate, roundTrip: client.shortestRoundTrip)
            // Our own pace is an estimate: what is answered has left.
            health.acknowledged(loop.now, sentAt: min(sentAt, loop.now))
            break
        }
        lastProgress = loop.now
        if !reason.isError { proveUseful() }
        pumpSoon()
    }

    public func client(_ client: MQTTClient, mayRelease identifier: UInt16) {
        guard lanes.contains(where: { $0.sender.mayRelease(identifier, loop.now) }) else {
            return client.release(identifier)
        }
        lastProgress = loop.now
        proveUseful()
    }

    public func client(_ client: MQTTClient, didReceive publish: PublishView) {
        proveUseful()
        receive(publish)
    }

    public func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) {
        subscribed(identifier, reasons)
    }

    public func clientDidReceivePong(_ client: MQTTClient) { proveUseful() }

    public func clientDidMissPing(_ client: MQTTClient) {
        health.doubt()
        updateLinks()
    }

    public func clientDidDrain(_ client: MQTTClient) { pumpSoon() }
}
