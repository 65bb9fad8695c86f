import Client
import EventLoop
import Store

/// How the routes share the link. At a tick's end the route that is next by `FairShare` sends one PUBLISH, and so on, until
/// nothing is due, the upstream has as much as it shall have (`FlightWindow`), or enough waits for the network. What more
/// there is stays in the queues, where its class still counts.
extension Uplink {
    /// Bytes that may wait in the connection's buffer, without a rate and with a high one.
    private static let maximumUnsent = 256 << 10
    /// With a rate: what leaves in this time.
    private static let pacedUnsent = 0.02

    /// Looks at the routes at the end of this tick, once.
    func pumpSoon() {
        guard !isPumpDue else { return }
        isPumpDue = true
        loop.onNextTickEnd { [weak self] in
            guard let self else { return }
            isPumpDue = false
            pump()
        }
    }

    private func pump() {
        // Before and after: whether anybody can wait for a settling acknowledgement depends on the room that there is now.
        updateLinks()
        if client.isConnected, !isSettling { share() }
        if isSettling, oldestSent == nil { settled() }
        checkPatience()
        noteState()
        health.check(loop.now, oldestSent: oldestSent)
        updateLinks()
        scheduleWake()
    }

    private func share() {
        let now = loop.now
        guard canSend else { return }
        fairShare.setDue(lanes.map { $0.isDue(now) })
        while canSend, let index = fairShare.next({ mayFly(lanes[$0]) }) {
            let lane = lanes[index]
            let room = client.room
            guard let sent = lane.sender.send(now) else {
                fairShare.rest(index)
                continue
            }
            lane.didSend(sent, takesPlace: client.room < room)
            fairShare.charge(index, bytes: sent)
            notePacing(now)
            if !lane.isDue(now) { fairShare.rest(index) }
        }
        // What the network takes at once makes room that nobody tells of.
        let willBeTold = client.isBlocked || client.pacer?.holdsOutput == true
        if client.unsentBytes > 0, !willBeTold, !canSend, client.room > 0 { pumpSoon() }
    }

    private var canSend: Bool {
        guard client.room > 0 else { return false }
        guard let egress = client.pacer?.egress else { return client.unsentBytes < Self.maximumUnsent }
        let soon = min(Int(egress.bytesPerSecond * Self.pacedUnsent), Self.maximumUnsent)
        return client.unsentBytes < max(soon, 1)
    }

    /// Whether the route's class may have one PUBLISH more under way. The highest class and those below are counted each for
    /// itself, so that neither can take the other's place.
    func mayFly(_ lane: RouteLane) -> Bool {
        guard client.room > 0 else { return false }
        var (flight, bytes) = (0, 0)
        for other in lanes where other.isTop == lane.isTop {
            flight += other.flight
            bytes += other.flightBytes
        }
        if !lane.isTop {
            let receiveMaximum = min(Int(client.server?.receiveMaximum ?? .max), Int(options.inflight))
            guard flight < receiveMaximum - FlightWindow.reserve(of: receiveMaximum) else { return false }
        }
        return flight == 0 || (flight < flightWindow.publishes && bytes < flightWindow.bytes)
    }

    private func notePacing(_ now: Instant) {
        guard client.pacer?.egress != nil else { return }
        pacing.add(client.departure() - now)
    }

    var oldestSent: Instant? { senders.compactMap(\.oldestSent).min() }

    /// Tells the queues how the link is doing: the log decides by it when to write. A route outside its window has none.
    func updateLinks() {
        let now = loop.now
        for lane in lanes {
            let isOpen = lane.isOpen(now)
            let link = RouteLink(
                state: isOpen ? health.state : .down,
                smoothedMilliseconds: health.settlingMilliseconds + pacing.milliseconds,
                hasRoom: isOpen && lane.sender.hasRoom && mayFly(lane))
            let queue = lane.sender.queue
            if queue.link != link { queue.link = link }
        }
    }

    /// One timer for the delays of batches, the ends of holds, windows and the beginning of doubt.
    private func scheduleWake() {
        var deadline: Instant?
        if client.isConnected {
            deadline = lanes.compactMap { $0.nextDeadline(loop.now) }.min()
            if let doubt = health.doubtAt(oldestSent: oldestSent) { deadline = min(deadline ?? doubt, doubt) }
            if let stuckAt { deadline = min(deadline ?? stuckAt, max(stuckAt, loop.now + .milliseconds(1))) }
        }
        guard deadline != wakeAt else { return }
        loop.cancel(wake)
        wakeAt = deadline
        guard let deadline else { return }
        wake = loop.schedule(at: deadline) { [weak self] in
            guard let self else { return }
            wakeAt = nil
            pumpSoon()
        }
    }
}
