import EventLoop
import MQTT
import Store

/// Sends a route's messages one PUBLISH each, for any MQTT Server: in order, at QoS 1, or at QoS 0 where the message is QoS 0
/// and the route doesn't keep those.
///
/// An answer that refuses a message sets it aside once another has been accepted; 0x97 and a lost connection take everything
/// unacknowledged back into the queue. How a Server without MQTT 5 refuses, see `Closings`.
final class EachSender: RouteSender {
    private struct InFlight {
        var identifier: UInt16
        var numbering: Numbering
        var number: UInt64
        var sentAt: Instant
        var answer: ReasonCode?
    }

    let queue: RouteQueue
    let priority: EvictionClass
    private let options: RouteOptions
    private let context: SendingContext

    private var inflight: [InFlight] = []
    /// Entries of `inflight` before it are done.
    private var front = 0
    private var stale = StaleIdentifiers()
    private var hold: SingleHold
    private var closings = Closings()
    private var isDraining = false
    private var isLoading = false
    private var packet: SinglePacket

    init(
        queue: RouteQueue, options: RouteOptions, context: SendingContext, storeTime: @escaping () -> Int64
    ) throws(UplinkError) {
        self.queue = queue
        self.options = options
        self.context = context
        priority = options.priority
        packet = try SinglePacket(queue: queue, options: options, context: context, storeTime: storeTime)
        hold = SingleHold(queue: queue, context: context, qos: .atLeastOnce, retriesClosings: true)
    }

    var holding: Hold? { hold.hold }

    var oldestSent: Instant? {
        front < inflight.count ? inflight[front].sentAt : nil
    }

    var hasRoom: Bool {
        holding == nil && !isDraining
            && ((hold.refusals.pending.isEmpty && closings.suspects.isEmpty) || front == inflight.count)
    }

    // MARK: - When

    func queueIsReadable() { isLoading = false }

    func flush() { hold.flush() }

    func isDue(_ now: Instant) -> Bool {
        guard hold.isOver(now) else { return false }
        return hasRoom && !isLoading && queue.unsentMessages > 0
    }

    func nextDeadline(_ now: Instant) -> Instant? { holding?.until }

    // MARK: - Sending

    func send(_ now: Instant) -> Int? {
        while true {
            switch queue.peek() {
            case .empty:
                retryRefusedLater(now)
                return nil
            case .loading:
                isLoading = true
                return nil
            case .message(let queued):
                guard !hold.refusals.contains(queued.numbering, queued.number) else {
                    queue.advance()
                    continue
                }
                let isLight = queued.message.qos == .atMostOnce && !options.storesQoS0
                let prepared = packet.prepare(queued, qos: isLight ? .atMostOnce : .atLeastOnce)
                guard packet.fits(prepared) else {
                    packet.setAside(queued)
                    continue
                }
                return publish(queued, prepared.head, now) ? context.client.publishedBytes : nil
            }
        }
    }

    private func publish(_ queued: QueuedMessage, _ head: PublishHead, _ now: Instant) -> Bool {
        let again = head.qos == .atMostOnce ? nil : stale.next(queued.numbering, queued.number)
        let identifier = context.client.publish(
            topic: head.topic, payload: queued.message.payload, qos: head.qos, retain: head.retain,
            properties: head.properties, duplicate: again?.isDuplicate ?? false, identifier: again?.identifier)
        guard let identifier else { return false }
        if again != nil { stale.takeFirst() }
        inflight.append(
            InFlight(
                identifier: identifier, numbering: queued.numbering, number: queued.number,
                sentAt: context.client.departure(), answer: head.qos == .atMostOnce ? .success : nil))
        context.sentMessages += 1
        if queued.message.qos == .exactlyOnce { noteDowngrade() }
        queue.advance()
        if head.qos == .atMostOnce, !isDraining { passAnswered(now) }
        return true
    }

    /// A connection that breaks can double what the publisher wanted once: whoever looks shall see how much that concerns.
    private func noteDowngrade() {
        context.downgradedMessages += 1
        guard context.downgradedMessages == 1 else { return }
        context.notice("downgrades \(queue.name)", "route \(queue.name): messages of QoS 2 go at QoS 1")
    }

    // MARK: - Answers

    func didAcknowledge(_ identifier: UInt16, _ reason: ReasonCode, _ now: Instant) -> Instant? {
        // Servers answer in order, nearly always: the first one is the one.
        guard let index = inflight[front...].firstIndex(where: { $0.identifier == identifier && $0.answer == nil })
        else {
            stale.remove(identifier)
            return nil
        }
        inflight[index].answer = reason
        let sentAt = inflight[index].sentAt
        if SingleHold.isForLater(reason) { isDraining = true }
        if !isDraining {
            passAnswered(now)
        } else if inflight[front...].allSatisfy({ $0.answer != nil }) {
            isDraining = false
            passAnswered(now)
            if holding != nil { rewind() }
        }
        return sentAt
    }

    /// Moves the queue past what is answered at the front.
    private func passAnswered(_ now: Instant) {
        // Neighbours are told to the queue together.
        var accepted: (numbering: Numbering, numbers: ClosedRange<UInt64>)?
        var count: UInt64 = 0
        var isTriedAgain = false
        func acknowledge() {
            guard let (numbering, numbers) = accepted else { return }
            queue.acknowledge(numbering, numbers)
            accepted = nil
        }
        while front < inflight.count, let reason = inflight[front].answer {
            let message = inflight[front]
            if SingleHold.isForLater(reason) {
                hold.wait(reason, now)
                break
            }
            front += 1
            if reason.isError {
                acknowledge()
                hold.refused((message.numbering, message.number), reason)
            } else {
                if !hold.refusals.pending.isEmpty, hold.refusals.settle(in: queue) { isTriedAgain = true }
                if let last = accepted, last.numbering == message.numbering,
                    message.number == last.numbers.upperBound + 1
                {
                    accepted = (last.numbering, last.numbers.lowerBound...message.number)
                } else {
                    acknowledge()
                    accepted = (message.numbering, message.number...message.number)
                }
                count += 1
            }
            if !closings.suspects.isEmpty { closings.clear((message.numbering, message.number)) }
        }
        acknowledge()
        context.acknowledgedMessages += count
        if count > 0 { hold.accepted() }
        if front == inflight.count || front > 1024 {
            inflight.removeFirst(front)
            front = 0
        }
        if hold.refusals.isEverything {
            hold.refusesEverything(now)
            rewind()
        } else if isTriedAgain, front == inflight.count {
            rewind()
        } else if queue.unsentMessages == 0 {
            retryRefusedLater(now)
        }
    }

    private func retryRefusedLater(_ now: Instant) {
        if front == inflight.count { hold.retryLater(now) }
    }

    // MARK: - Beginning and end of a connection

    func didConnect(sessionPresent: Bool) {
        if !sessionPresent { stale.removeAll() }
        hold.connect()
    }

    func didDisconnect(isAnswer: Bool) {
        for message in inflight[front...] where message.answer == nil {
            stale.add(message.identifier, message.numbering, message.number)
        }
        if isAnswer {
            let open = inflight[front...].filter { $0.answer == nil }.map { ($0.numbering, $0.number) }
            if let refused = closings.note(open) { hold.closes(at: refused.place, count: refused.count) }
        }
        rewind()
    }

    private func rewind() {
        inflight.removeAll()
        front = 0
        isDraining = false
        isLoading = false
        queue.rewind()
    }
}
