import Client
import EventLoop
import Store

/// How the routes share the link: weighted round robin in bytes. Each round gives a route that has something to send a share
/// by its class, and a large batch is paid off over later rounds.
extension Uplink {
    /// Bytes that a round gives, times the class's weight.
    private static let quantum = 4096
    /// Bytes that may wait in the connection's buffer: what is more stays in the queues, where priority still counts.
    private static let maximumUnsent = 1 << 20

    private static func weight(_ priority: EvictionClass) -> Int {
        switch priority {
        case .critical: 16
        case .high: 8
        case .normal: 4
        case .bulk, .session: 1
        }
    }

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

    private var canSend: Bool { client.room > 0 && client.unsentBytes < Self.maximumUnsent }

    private func pump() {
        // Before and after: whether anybody can wait for a settling acknowledgement depends on the room that there is now.
        updateLinks()
        if client.isConnected { share() }
        noteState()
        health.check(loop.now, oldestSent: oldestSent)
        updateLinks()
        scheduleWake()
    }

    private func share() {
        var waiting = Set(senders.indices)
        while canSend, !waiting.isEmpty {
            for (index, sender) in senders.enumerated() where waiting.contains(index) {
                guard sender.isDue(loop.now) else {
                    waiting.remove(index)
                    shares[index] = 0
                    continue
                }
                shares[index] += Self.quantum * Self.weight(sender.priority)
                while shares[index] > 0, canSend, sender.isDue(loop.now) {
                    guard let sent = sender.send(loop.now) else {
                        waiting.remove(index)
                        shares[index] = 0
                        break
                    }
                    shares[index] -= sent
                }
                guard canSend else { return }
            }
        }
    }

    private var oldestSent: Instant? { senders.compactMap(\.oldestSent).min() }

    /// Tells the queues how the link is doing: the log decides by it when to write.
    func updateLinks() {
        let hasRoom = client.room > 0
        for sender in senders {
            let link = RouteLink(
                state: health.state, smoothedMilliseconds: health.settlingMilliseconds,
                hasRoom: hasRoom && sender.hasRoom)
            if sender.queue.link != link { sender.queue.link = link }
        }
    }

    /// One timer for the delays of batches, the ends of holds and the beginning of doubt.
    private func scheduleWake() {
        var deadline: Instant?
        if client.isConnected {
            // What was due by now was just looked at: if it did not go, something else than time is awaited.
            let deadlines = senders.compactMap { $0.nextDeadline(loop.now) }.filter { $0 > loop.now }
            deadline = deadlines.min()
            if let doubt = health.doubtAt(oldestSent: oldestSent) { deadline = min(deadline ?? doubt, doubt) }
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
