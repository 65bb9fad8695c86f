import EventLoop
import MQTT

/// What tells a live connection from a dead one: when something was last sent and received, the PINGREQ that is unanswered,
/// and the PUBLISH whose acknowledgement is timed.
struct Liveness {
    var lastSent = Instant(nanoseconds: 0)
    var lastReceived = Instant(nanoseconds: 0)
    /// `.zero`: no pings by the clock.
    var keepAlive = Duration.zero
    var pingSent: Instant?
    var missReported = false
    var timer = Timer.none
    private var sampled: (identifier: UInt16, sent: Instant)?

    mutating func stop(_ loop: EventLoop) {
        loop.cancel(timer)
        timer = .none
        pingSent = nil
        missReported = false
        sampled = nil
    }

    /// Times this PUBLISH if no other is being timed.
    mutating func sample(_ identifier: UInt16, _ qos: QoS, _ now: Instant) {
        if sampled == nil, qos == .atLeastOnce { sampled = (identifier, now) }
    }

    mutating func answer(to identifier: UInt16, _ now: Instant) -> Duration? {
        guard let sampled, sampled.identifier == identifier else { return nil }
        self.sampled = nil
        return max(.zero, now - sampled.sent)
    }
}

extension MQTTClient {
    func startLiveness(keepAlive seconds: UInt16) {
        liveness.lastReceived = loop.now
        liveness.keepAlive = .seconds(Int64(seconds))
        if seconds > 0 { scheduleLiveness(at: nextPing) }
    }

    /// Sends PINGREQ now, besides those that Keep Alive asks for; one is under way at most.
    public func ping() {
        guard state == .connected, liveness.pingSent == nil else { return }
        sendPing()
        scheduleLiveness(at: loop.now + options.pingTimeout)
    }

    func receivePong() {
        guard let sent = liveness.pingSent else { return }
        lastRoundTrip = max(.zero, loop.now - sent)
        liveness.pingSent = nil
        liveness.missReported = false
        // With a Keep Alive shorter than the patience for an answer, the next PINGREQ is due before that has run out.
        if liveness.keepAlive > .zero { scheduleLiveness(at: nextPing) }
        delegate?.clientDidReceivePong(self)
    }

    /// Silence either way for Keep Alive seconds asks for a PINGREQ: from us it is due [MQTT-3.1.2-20], and from the Server
    /// it is the only way to learn that a link is dead while all we send is QoS 0.
    private var nextPing: Instant { min(liveness.lastSent, liveness.lastReceived) + liveness.keepAlive }

    private func sendPing() {
        // Behind what is not sent yet: the patience begins when it leaves.
        liveness.pingSent = departure(of: Ping.request.count)
        liveness.missReported = false
        write(Ping.request)
    }

    private func scheduleLiveness(at instant: Instant) {
        loop.cancel(liveness.timer)
        liveness.timer = loop.schedule(after: max(.zero, instant - loop.now)) { [weak self] in self?.checkLiveness() }
    }

    private func checkLiveness() {
        guard state == .connected else { return }
        let now = loop.now
        if let sent = liveness.pingSent {
            // Bytes that came since prove the link as well as a PINGRESP, which may be queued behind them.
            let proven = max(sent, liveness.lastReceived)
            if now >= proven + options.pingDeadline { return finish(.keepAliveMissed) }
            guard now >= proven + options.pingTimeout else { return scheduleLiveness(at: proven + options.pingTimeout) }
            scheduleLiveness(at: proven + options.pingDeadline)
            if !liveness.missReported {
                liveness.missReported = true
                delegate?.clientDidMissPing(self)
            }
        } else if liveness.keepAlive > .zero {
            if now >= nextPing {
                sendPing()
                scheduleLiveness(at: now + options.pingTimeout)
            } else {
                scheduleLiveness(at: nextPing)
            }
        }
    }
}
