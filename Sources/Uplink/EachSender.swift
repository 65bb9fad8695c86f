import EventLoop
import MQTT
import Store

/// Sends a route's messages one PUBLISH each, for any MQTT Server: in order, at QoS 1, or at QoS 0 where the message is QoS 0
/// and the route doesn't keep those.
///
/// An answer that refuses a message sets it aside once another has been accepted; 0x97 and a lost connection take everything
/// unacknowledged back into the queue. A Server without MQTT 5 refuses by closing: where it does so, messages go one at a time,
/// and one at which it has closed three times counts as refused.
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
    private let storeTime: () -> Int64
    private let mapping: TopicMapping

    private var inflight: [InFlight] = []
    /// Entries of `inflight` before it are done.
    private var front = 0
    private var stale = StaleIdentifiers()
    private var refusals = Refusals()
    private(set) var holding: Hold?
    private var holdBackoff: Backoff
    private var isDraining = false
    private var isLoading = false
    /// When the hold is over, what was refused goes again.
    private var retriesRefused = false
    /// The connection was closed with these in flight: until they are through, they go one at a time.
    private var suspects: [(numbering: Numbering, number: UInt64)] = []
    /// Connections that were closed with this message alone in flight.
    private var closings: (numbering: Numbering, number: UInt64, count: Int)?
    private var scratch = RawBytes()

    init(
        queue: RouteQueue, options: RouteOptions, context: SendingContext, storeTime: @escaping () -> Int64
    ) throws(UplinkError) {
        self.queue = queue
        self.options = options
        self.context = context
        self.storeTime = storeTime
        priority = options.priority
        mapping = try options.mapping(for: context.options)
        holdBackoff = Backoff(min: context.options.reconnectMin, max: context.options.reconnectMax)
    }

    var oldestSent: Instant? {
        front < inflight.count ? inflight[front].sentAt : nil
    }

    var hasRoom: Bool {
        holding == nil && !isDraining && ((refusals.pending.isEmpty && suspects.isEmpty) || front == inflight.count)
    }

    // MARK: - When

    func queueIsReadable() { isLoading = false }

    func flush() {
        if retriesRefused {
            holding?.until = context.client.loop.now
        } else {
            holding = Hold(server: context.client.server)
        }
    }

    func isDue(_ now: Instant) -> Bool {
        if let hold = holding {
            guard now >= hold.until else { return false }
            holding = nil
            if retriesRefused {
                retriesRefused = false
                refusals.forget()
                queue.rewind()
            }
        }
        return hasRoom && !isLoading && queue.unsentMessages > 0
    }

    func nextDeadline(_ now: Instant) -> Instant? { holding?.until }

    // MARK: - Sending

    func send(_ now: Instant) -> Int? {
        while true {
            switch queue.peek() {
            case .empty:
                holdRefused(now)
                return nil
            case .loading:
                isLoading = true
                return nil
            case .message(let queued):
                guard !refusals.contains(queued.numbering, queued.number) else {
                    queue.advance()
                    continue
                }
                let prepared = prepare(queued)
                guard prepared.length <= context.client.maximumOutboundPacket, prepared.head.topic.count <= 0xFFFF
                else {
                    context.notice(
                        "large \(queue.name)",
                        "route \(queue.name): message \(queued.number) is larger than the upstream takes; it is set aside"
                    )
                    queue.refuse(queued.numbering, number: queued.number, reason: .packetTooLarge)
                    continue
                }
                return publish(queued, prepared.head, now) ? context.client.publishedBytes : nil
            }
        }
    }

    /// The packet without its payload; what differs from the message lies in `scratch`.
    private func prepare(_ queued: QueuedMessage) -> (head: PublishHead, length: Int) {
        let message = queued.message
        let server = context.client.server
        scratch.removeAll()
        let isVersion5 = context.options.version == .v5
        let propertyRoom = isVersion5 ? message.properties.count + 64 : 0
        _ = scratch.reserve(mapping.mappedLength(message.topic.count) + propertyRoom)
        let qos: QoS = message.qos == .atMostOnce && !options.storesQoS0 ? .atMostOnce : .atLeastOnce
        var head = PublishHead(topic: mapped(message.topic), qos: qos)
        head.retain = message.retain && server?.retainAvailable != false
        if head.qos != .atMostOnce { head.packetIdentifier = 1 }
        if isVersion5 { head.properties = properties(of: queued) }
        let length = head.encodedLength(version: context.options.version, payloadCount: message.payload.count)
        return (head, length)
    }

    private func mapped(_ topic: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard !mapping.isIdentity else { return topic }
        let start = scratch.reserve(mapping.mappedLength(topic.count))
        let end = mapping.write(topic, to: start)
        scratch.commit(end - start)
        return UnsafeRawBufferPointer(start: start, count: end - start)
    }

    /// The message's properties with what is left of its expiry and, where the route stamps, the time of receipt.
    private func properties(of queued: QueuedMessage) -> UnsafeRawBufferPointer {
        let properties = queued.message.properties
        let expiry = queued.message.remainingExpiry(at: storeTime())
        guard options.stamp || expiry != nil else { return properties }
        let start = scratch.reserve(properties.count + 64)
        if let source = properties.baseAddress { start.copyMemory(from: source, byteCount: properties.count) }
        if let expiry, let place = BatchPackets.expiryOffset(properties) {
            (start + place).storeBytes(of: expiry.bigEndian, as: UInt32.self)
        }
        var end = start + properties.count
        if options.stamp {
            let time = queue.wallTime(queued)
            end = BatchPackets.writeTime(WallTime(milliseconds: time.milliseconds, isSet: time.isSet), to: end)
        }
        scratch.commit(end - start)
        return UnsafeRawBufferPointer(start: start, count: end - start)
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
        if Self.isForLater(reason) { isDraining = true }
        if !isDraining {
            passAnswered(now)
        } else if inflight[front...].allSatisfy({ $0.answer != nil }) {
            isDraining = false
            passAnswered(now)
            if holding != nil { rewind() }
        }
        return sentAt
    }

    /// Answers about the Server rather than about the message.
    private static func isForLater(_ reason: ReasonCode) -> Bool {
        reason == .quotaExceeded || reason == .packetIdentifierInUse
    }

    /// Moves the queue past what is answered at the front.
    private func passAnswered(_ now: Instant) {
        // Neighbours are told to the queue together.
        var accepted: (numbering: Numbering, numbers: ClosedRange<UInt64>)?
        var count: UInt64 = 0
        func acknowledge() {
            guard let (numbering, numbers) = accepted else { return }
            queue.acknowledge(numbering, numbers)
            accepted = nil
        }
        while front < inflight.count, let reason = inflight[front].answer {
            let message = inflight[front]
            if Self.isForLater(reason) {
                hold(.refused(reason), until: now + holdBackoff.next(random: context.random()))
                break
            }
            front += 1
            if reason.isError {
                acknowledge()
                refusals.add(message.numbering, message.number, reason)
                context.notice(
                    "refuses \(queue.name) \(reason.name)",
                    "route \(queue.name): the upstream refuses message \(message.number): \(reason.name)")
            } else {
                if !refusals.pending.isEmpty { refusals.settle(in: queue) }
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
            if !suspects.isEmpty { clear(message) }
        }
        acknowledge()
        context.acknowledgedMessages += count
        if count > 0, holding == nil { holdBackoff.reset() }
        if front == inflight.count || front > 1024 {
            inflight.removeFirst(front)
            front = 0
        }
        if refusals.isEverything {
            refusals.forget()
            hold(.refusesEverything, until: now + holdBackoff.longest(random: context.random()))
            rewind()
        } else if queue.unsentMessages == 0 {
            holdRefused(now)
        }
    }

    /// Nothing waits but what was refused, and nothing was accepted since: it may be the upstream's doing, so it is tried again,
    /// much later.
    private func holdRefused(_ now: Instant) {
        guard let last = refusals.pending.last, front == inflight.count, holding == nil else { return }
        retriesRefused = true
        let wait = holdBackoff.longest(random: context.random()) * 5
        hold(last.reason == .unspecifiedError ? .closes : .refused(last.reason), until: now + wait)
    }

    private func hold(_ reason: Hold.Reason, until: Instant) {
        let hold = Hold(reason: reason, until: until)
        holding = hold
        context.notice("held \(queue.name) \(hold.text)", "route \(queue.name) is held: \(hold.text)")
    }

    // MARK: - Beginning and end of a connection

    func didConnect(sessionPresent: Bool) {
        if !sessionPresent { stale.removeAll() }
        if retriesRefused { refusals.forget() }
        retriesRefused = false
        holding = Hold(server: context.client.server)
    }

    func didDisconnect(isAnswer: Bool) {
        for message in inflight[front...] where message.answer == nil {
            stale.add(message.identifier, message.numbering, message.number)
        }
        if isAnswer { noteClosing() }
        rewind()
    }

    private func noteClosing() {
        let open = inflight[front...].filter { $0.answer == nil }
        guard let first = open.first else { return }
        suspects = open.map { ($0.numbering, $0.number) }
        guard open.count == 1 else { return }
        var count = 1
        if let closings, closings.numbering == first.numbering, closings.number == first.number {
            count += closings.count
        }
        closings = (first.numbering, first.number, count)
        guard count >= BatchSender.maximumClosings else { return }
        clear(first)
        refusals.add(first.numbering, first.number)
        context.notice(
            "closes \(queue.name)",
            "route \(queue.name): the upstream has closed the connection \(count) times at message \(first.number); it is "
                + "set aside once another is taken")
        if refusals.isEverything { refusals.forget() }
    }

    /// The message was answered, one way or the other.
    private func clear(_ message: InFlight) {
        suspects.removeAll { $0.numbering == message.numbering && $0.number == message.number }
        if closings?.numbering == message.numbering, closings?.number == message.number { closings = nil }
    }

    private func rewind() {
        inflight.removeAll()
        front = 0
        isDraining = false
        isLoading = false
        queue.rewind()
    }
}
