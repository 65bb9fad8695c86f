import MQTT
import Store

/// The receiving side of batches (`[ingest]`), as the broker sees it.
public protocol BatchReceiver: AnyObject {
    /// PUBLISH packets to this topic carry batches.
    func wants(_ topic: UnsafeRawBufferPointer) -> Bool

    /// Takes one batch. `answer` is called once, at once or later: success only when all that is new in it is committed.
    func receive(_ publish: PublishView, from origin: Broker.Origin, answer: @escaping (ReasonCode) -> Void)
}

extension Broker {
    func receive(
        _ publish: PublishView, _ receiver: any BatchReceiver, _ origin: Origin, _ waiter: (any SafetyWaiter)?,
        _ ticket: UInt64
    ) -> Outcome {
        var answered: ReasonCode?
        var isPending = false
        receiver.receive(publish, from: origin) { reason in
            if isPending { waiter?.messageIsSettled(ticket: ticket, reason: reason) } else { answered = reason }
        }
        if let answered { return .done(answered) }
        isPending = true
        return .pending
    }

    /// Takes the messages of one batch to their destinations, with the changes that remember them: all in one commit, and
    /// nobody sees a message before it; `committed` is called then. The messages' pointers must live until this returns.
    ///
    /// - Returns: false if the store can't keep them now; then nothing was taken.
    public func ingest(_ messages: [PublishView], changes: [Change], committed: @escaping () -> Void) -> Bool {
        guard !log.isRefusing else { return false }
        var held = hold(messages)
        var changes = changes
        var twinsChanges = 0
        if let twins {
            // What a batch tells of twins is committed with the batch, and so are the answers.
            for publish in messages where publish.topic.first == UInt8(ascii: "$") && twins.wants(publish.topic) {
                let answer = twins.take(publish, from: .node)
                if !answer.changes.isEmpty { twinsChanges += 1 }
                changes += answer.changes
                Self.withViews(of: answer.messages) { held += hold($0) }
            }
        }
        log.commit(changes) { [unowned self] in
            release(held)
            for _ in 0..<twinsChanges { twins?.changesAreSafe() }
            committed()
        }
        return true
    }

    /// Messages that nobody sees before the commit that goes with this tick.
    private func hold(_ messages: [PublishView]) -> [HeldMessage] {
        var held: [HeldMessage] = []
        held.reserveCapacity(messages.count)
        for publish in messages {
            guard let destinations = destinations(of: publish.topic, .node) else {
                figures.dropped += 1
                continue
            }
            let streams = durableStreams(destinations, publish, .node)
            let setsRetained = publish.retain && mayRetain(publish, from: .node)
            guard !streams.isEmpty || setsRetained || !destinations.isEmpty else { continue }
            let message = Message(
                publish, laneSequence: log.takeLaneSequence(), receivedAt: log.clock.time(at: loop.now),
                meter: log.meter)
            message.set = destinations.set
            log.hold(message, in: streams, retained: setsRetained)
            for stream in streams {
                for membership in stream.receivers(of: message) { membership.queue.onHold?() }
            }
            // What only streams want finds its way by them.
            guard setsRetained || destinations.hasListeners else { continue }
            held.append(HeldMessage(message: message, destinations: destinations, setsRetained: setsRetained))
        }
        return held
    }

    private func release(_ held: [HeldMessage]) {
        let now = log.clock.now
        for one in held {
            if one.setsRetained { setRetained(one.message) }
            deliver(one.message.view(at: now), one.destinations, message: one.message)
        }
    }

    /// One message of a batch that waits for the batch's commit.
    private struct HeldMessage {
        let message: Message
        let destinations: Destinations
        let setsRetained: Bool
    }
}
