import Client
import EventLoop

/// Leaving a connection that stands: for an address that comes before it in `urls`, for good, or because the upstream takes
/// nothing.
extension Uplink {
    /// Between two looks at the addresses before the connected one, times `reconnect.max`; doubled after each return that the
    /// earlier address didn't bear out, up to sixteen times that.
    private static let failbackFactor = 5
    private static let longestFailback = 16
    /// How long what is in flight may take to be acknowledged before the connection is left.
    private static let settlingTime: Duration = .seconds(5)
    /// How long an upstream may acknowledge nothing, at least, times `keep_alive`.
    private static let patienceFactor = 3
    private static let shortestPatience: Duration = .seconds(60)

    enum Goodbye {
        /// To the address with this index.
        case move(Int)
        case giveUp(String)
    }

    // MARK: - Back to an earlier address

    func scheduleFailback() {
        loop.cancel(failback)
        guard reconnection.address > 0 else {
            failbackRounds = 0
            return
        }
        let factor = min(1 << min(failbackRounds, 8), Self.longestFailback)
        failback = loop.schedule(after: options.reconnectMax * Self.failbackFactor * factor) { [weak self] in
            self?.look(at: 0)
        }
    }

    func endFailback() {
        loop.cancel(failback)
        looking?.cancel()
        looking = nil
    }

    /// Whether anybody listens there, in the order of `urls`: the connection that stands is left only for one that does.
    private func look(at index: Int) {
        guard client.isConnected, index < reconnection.address else { return scheduleFailback() }
        let endpoint = addresses[index].endpoint
        looking = network.connect(to: endpoint, timeout: MQTTClient.Options().connectTimeout) { [weak self] result in
            if case .success(let stream) = result { stream.close() }
            guard let self else { return }
            looking = nil
            guard case .success = result else { return look(at: index + 1) }
            failbackRounds += 1
            leave(.move(index))
        }
    }

    /// Sends nothing more, and says goodbye once what was sent is acknowledged.
    private func leave(_ goodbye: Goodbye) {
        self.goodbye = goodbye
        isSettling = true
        settlingTimer = loop.schedule(after: Self.settlingTime) { [weak self] in self?.settled() }
        pumpSoon()
    }

    /// What was sent is acknowledged, or has had its time.
    func settled() {
        guard isSettling else { return }
        loop.cancel(settlingTimer)
        isSettling = false
        if let stopped {
            self.stopped = nil
            pause()
            return stopped()
        }
        if client.isConnected { client.disconnect() }
    }

    // MARK: - The end

    /// Disconnects for good: what was sent is waited for, a moment, so that a start afterwards doesn't send it again.
    public func stop(within time: Duration = .seconds(2), then action: @escaping () -> Void = {}) {
        guard client.isConnected, oldestSent != nil, stopped == nil else {
            pause()
            return action()
        }
        loop.cancel(settlingTimer)
        goodbye = nil
        stopped = action
        isSettling = true
        settlingTimer = loop.schedule(after: time) { [weak self] in self?.settled() }
    }

    // MARK: - An upstream that takes nothing

    /// Since when nothing was acknowledged, or left for the network, of what is sent; nil: nothing is unanswered.
    public var unansweredSince: Instant? {
        guard client.isConnected, let oldestSent else { return nil }
        return max(oldestSent, lastProgress)
    }

    /// When the connection is given up unless something is acknowledged, or leaves for the network, before.
    var stuckAt: Instant? {
        guard let oldestSent else { return nil }
        let patience = max(.seconds(Int64(options.keepAlive)) * Self.patienceFactor, Self.shortestPatience)
        return max(oldestSent, lastProgress) + patience
    }

    /// Pings may be answered all the same: then nothing else would end such a connection.
    func checkPatience() {
        // A PINGREQ that is just being written is no progress.
        if client.unsentBytes >= 64 { lastProgress = loop.now }
        guard client.isConnected, let stuckAt, loop.now >= stuckAt else { return }
        let seconds = Int((loop.now - max(lastProgress, oldestSent ?? lastProgress)).nanoseconds / 1_000_000_000)
        goodbye = .giveUp("the upstream has acknowledged nothing for \(seconds) s")
        client.abort()
    }
}
