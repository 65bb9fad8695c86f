import EventLoop
import MQTT
import Store

/// Sends a route's messages as batches (docs/formats.md).
///
/// Messages stay in the queue until a batch is due; then they are taken in one go. Only Reason Code 0x00 moves the queue,
/// in order. After any other answer nothing is sent until all that is in flight has been answered; then the queue goes
/// back to the first unacknowledged message, and the receiver drops what it has.
final class BatchSender: RouteSender {
    struct InFlight {
        enum Answer {
            case none, accepted
            case refused(ReasonCode)
        }

        var identifier: UInt16
        var numbering: Numbering
        var first: UInt64
        var count: Int
        /// Of packets, before compression.
        var bytes: Int
        var sentAt: Instant
        var gaps: [GapRecord]
        var ended: [EndedRecord]
        var answer = Answer.none

        var last: UInt64 { first + UInt64(count) - 1 }
    }

    /// Packets that were taken from the queue and did not fit into one PUBLISH.
    struct Part {
        var numbering: Numbering
        var first: UInt64
        var packets: [UInt8]
        var count: Int
    }

    /// Batches in flight at most: enough to fill any link at 256 KiB each.
    static let maximumInFlight = 16
    /// Records of gaps and ends that one header carries at most.
    static let maximumNews = 256
    /// Closed connections at the same batch that count as a refusal.
    static let maximumClosings = 3
    /// Accepted batches after which twice as large ones are tried again.
    static let forgivingBatches = 100

    let queue: RouteQueue
    let priority: EvictionClass
    let options: RouteOptions
    let context: SendingContext
    let storeTime: () -> Int64
    private let topic: [UInt8]
    private let properties: [UInt8]
    private var packets: BatchPackets

    var inflight: [InFlight] = []
    var rest: [Part] = []
    var stale = StaleIdentifiers()
    var refusals = Refusals()
    var holding: Hold?
    var holdBackoff: Backoff
    /// An answer other than 0x00 came: nothing goes until everything in flight is answered.
    var isDraining = false
    /// Messages in one batch at most: halved at refusals, free again once a batch beyond `suspectThrough` is accepted.
    var batchLimit = Int.max
    var suspectThrough: (numbering: Numbering, number: UInt64)?
    /// It was held, and nothing has been accepted since.
    var isDoubted = false
    /// Connections that were closed while this batch was the oldest in flight.
    var closings: (numbering: Numbering, first: UInt64, count: Int)?

    private var isLoading = false
    /// All that waits goes without delay.
    private var isCatchingUp = true
    private var waitingSince: Instant?
    private var newsSince: Instant?
    private var lastSent: Instant?
    private var eager = EagerGathering()
    /// Bytes of a message in the last batch, where it was full and so what waits came with it: the queue knows only its
    /// average, and large messages after many small ones would gather where there is a batch of them.
    private var leftoverBytes = 0
    private var tuning = BatchTuning()
    private var pace: Double?
    private var linkTime = BatchTuning.linkTime
    /// `options.batchBytes`, or half of what the upstream found too large, until many batches were accepted since.
    var ceilingBytes: Int {
        didSet { acceptedAtCeiling = 0 }
    }
    /// Batches accepted since.
    var acceptedAtCeiling = 0

    init(
        queue: RouteQueue, options: RouteOptions, context: SendingContext, storeTime: @escaping () -> Int64
    ) throws(UplinkError) {
        self.queue = queue
        self.options = options
        self.context = context
        self.storeTime = storeTime
        priority = options.priority
        let uplink = context.options
        topic = Array(Batch.topic(prefix: uplink.batchPrefix, node: uplink.node).utf8)
        var properties = PropertyWriter()
        properties.append(.payloadFormatIndicator, byte: 0)
        properties.append(.contentType, Array(Batch.contentType.utf8))
        self.properties = properties.bytes
        packets = BatchPackets(mapping: try options.mapping(for: uplink), node: uplink.node)
        holdBackoff = Backoff(min: uplink.reconnectMin, max: uplink.reconnectMax)
        ceilingBytes = options.batchBytes
    }

    var oldestSent: Instant? { inflight.first?.sentAt }

    var hasRoom: Bool {
        holding == nil && !isDraining && inflight.count < (isProbing ? 1 : Self.maximumInFlight)
    }

    /// One batch at a time, so that what becomes of it is known to be its own doing.
    private var isProbing: Bool { isDoubted || batchLimit < .max || closings != nil || !refusals.pending.isEmpty }

    // MARK: - How much

    var wireRatio: Double { tuning.wireRatio }
    var isInTheMiddle: Bool { !rest.isEmpty }

    func adapt(pace: Double?, linkTime: Duration) {
        self.pace = pace
        self.linkTime = linkTime
    }

    /// Bytes of packets in a batch.
    private var targetBytes: Int {
        tuning.target(
            limit: ceilingBytes, pace: pace, measured: context.client.deliveryRate, linkTime: linkTime,
            maximumPacket: context.client.maximumOutboundPacket)
    }

    private func level(_ bytes: Int, _ now: Instant) -> BatchLevel {
        let measured = context.client.deliveryRate
        let rate = pace.map { min($0, measured ?? $0) } ?? measured
        return BatchTuning.level(
            options.level, packets: bytes, rate: rate, isBusy: context.core.isBusy(now))
    }

    // MARK: - When

    func queueIsReadable() { isLoading = false }

    func flush() {
        isCatchingUp = true
        holding = Hold(server: context.client.server)
    }

    func isDue(_ now: Instant) -> Bool {
        if let hold = holding {
            guard now >= hold.until else { return false }
            holding = nil
            isCatchingUp = true
        }
        guard hasRoom else { return false }
        if !rest.isEmpty { return true }
        guard !isLoading else { return false }
        if queue.unsentMessages > 0 {
            let since = waitingSince ?? now
            waitingSince = since
            return isCatchingUp || batchLimit < .max || now >= since + options.batchDelay
                || max(queue.unsentBytes, queue.unsentMessages * leftoverBytes) >= targetBytes
                || (eagerDeadline.map { now >= $0 } ?? false)
        }
        waitingSince = nil
        isCatchingUp = false
        return isEmptyDue(now)
    }

    /// When what waits goes for the sake of a publisher that waits for it.
    private var eagerDeadline: Instant? {
        guard options.eager, let waitingSince, queue.hasWaitingAcknowledgement else { return nil }
        return eager.deadline(
            since: waitingSince, settle: queue.settle, answer: queue.link.smoothedMilliseconds,
            isAnswered: inflight.isEmpty)
    }

    /// No data waits: is it time for news, for a sign of life, or to see whether the receiver accepts anything at all?
    private func isEmptyDue(_ now: Instant) -> Bool {
        let news = freshNews()
        if news.gaps.isEmpty, news.ended.isEmpty, refusals.pending.isEmpty {
            newsSince = nil
        } else {
            let since = newsSince ?? now
            newsSince = since
            if now >= since + options.batchDelay { return true }
        }
        guard context.options.heartbeat > .zero else { return false }
        let last = lastSent ?? now
        lastSent = last
        return now >= last + context.options.heartbeat
    }

    func nextDeadline(_ now: Instant) -> Instant? {
        if let hold = holding { return hold.until }
        guard hasRoom, !isLoading else { return nil }
        var deadline: Instant?
        // What is past and did not go awaits something else; it must not hide what is to come.
        func consider(_ instant: Instant) { if instant > now { deadline = min(deadline ?? instant, instant) } }
        if let waitingSince { consider(waitingSince + options.batchDelay) }
        if let eagerDeadline { consider(eagerDeadline) }
        if let newsSince { consider(newsSince + options.batchDelay) }
        if context.options.heartbeat > .zero, let lastSent { consider(lastSent + context.options.heartbeat) }
        return deadline
    }

    // MARK: - Sending

    func send(_ now: Instant) -> Int? {
        if !rest.isEmpty { return split(now) }
        let taken = take()
        guard packets.count > 0 else {
            // What is being read from disk goes as soon as it is here: it has waited, and may leave memory again.
            if !isLoading { waitingSince = nil }
            return taken.reachedEnd && isEmptyDue(now) ? sendEmpty(now) : nil
        }
        let level = level(packets.byteCount, now)
        if let sent = transmit(
            taken.numbering, first: taken.first, count: packets.count, packets.bytes, level: level, now)
        {
            eager.sent(
                packets.count, at: now, waited: now - (waitingSince ?? now), settle: queue.settle,
                answer: queue.link.smoothedMilliseconds)
            waitingSince = nil
            return sent
        }
        rest = [
            Part(
                numbering: taken.numbering, first: taken.first, packets: [UInt8](packets.bytes), count: packets.count)
        ]
        return split(now)
    }

    /// Takes messages with neighbouring numbers out of the queue into `packets`.
    private func take() -> (numbering: Numbering, first: UInt64, reachedEnd: Bool) {
        packets.removeAll()
        leftoverBytes = 0
        let targetBytes = targetBytes
        queue.blockBytes = targetBytes
        var numbering = queue.stream.numbering
        var first: UInt64 = 0
        let now = storeTime()
        while true {
            guard case .message(let queued) = peek() else { break }
            if refusals.contains(queued.numbering, queued.number) {
                if packets.count > 0 { return (numbering, first, false) }
                queue.advance()
                continue
            }
            if packets.count == 0 {
                numbering = queued.numbering
                first = queued.number
            } else {
                guard queued.numbering == numbering, queued.number == first + UInt64(packets.count),
                    packets.count < batchLimit, packets.byteCount + queued.message.byteCount + 64 <= targetBytes
                else {
                    leftoverBytes = packets.byteCount / packets.count
                    return (numbering, first, false)
                }
            }
            let time = queue.wallTime(queued)
            let message = queued.message
            let isTaken = packets.append(
                topic: message.topic, properties: message.properties, payload: message.payload, qos: message.qos,
                retain: message.retain, receivedAt: WallTime(milliseconds: time.milliseconds, isSet: time.isSet),
                remainingExpiry: message.remainingExpiry(at: now))
            guard isTaken else {
                if packets.count > 0 { return (numbering, first, false) }
                queue.refuse(queued.numbering, number: queued.number, reason: .topicNameInvalid)
                continue
            }
            queue.advance()
        }
        if !isLoading { isCatchingUp = false }
        return (numbering, first, !isLoading)
    }

    private func peek() -> RouteQueue.Peek {
        let peek = queue.peek()
        if case .loading = peek { isLoading = true }
        return peek
    }

    /// Halves the part that doesn't fit the upstream's Maximum Packet Size until its front does. A single message that
    /// doesn't is set aside.
    private func split(_ now: Instant) -> Int? {
        while let part = rest.first {
            let sent = part.packets.withUnsafeBytes { bytes in
                transmit(
                    part.numbering, first: part.first, count: part.count, bytes, level: level(bytes.count, now), now)
            }
            if let sent {
                rest.removeFirst()
                return sent
            }
            guard context.client.room > 0 else { return nil }
            rest.removeFirst()
            if part.count == 1 {
                context.notice(
                    "large \(queue.name)",
                    "route \(queue.name): message \(part.first) is larger than the upstream takes; it is set aside")
                queue.refuse(part.numbering, number: part.first, reason: .packetTooLarge)
            } else {
                rest.insert(contentsOf: part.halves(), at: 0)
            }
        }
        return nil
    }

    private func sendEmpty(_ now: Instant) -> Int? {
        let stream = queue.stream
        return transmit(
            stream.numbering, first: stream.next, count: 0, UnsafeRawBufferPointer(start: nil, count: 0), level: .fast,
            now)
    }

    /// Encodes and publishes one batch; nil: it doesn't fit, or nothing can be sent now.
    private func transmit(
        _ numbering: Numbering, first: UInt64, count: Int, _ bytes: UnsafeRawBufferPointer, level: BatchLevel,
        _ now: Instant
    ) -> Int? {
        let client = context.client
        guard client.room > 0 else { return nil }
        var news = freshNews()
        while true {
            context.output.removeAll()
            Batch.encode(
                header(numbering, first, news, now), packets: bytes, level: level, compressor: context.compressor,
                into: &context.output)
            let payload = context.output.bytes
            let length = topic.withUnsafeBytes { topic in
                properties.withUnsafeBytes { properties in
                    PublishHead(topic: topic, qos: .atLeastOnce, packetIdentifier: 1, properties: properties)
                        .encodedLength(version: context.options.version, payloadCount: payload.count)
                }
            }
            guard length <= client.maximumOutboundPacket else {
                tuning.didNotFit(packets: bytes.count, wire: length)
                // News can wait for another batch; half of it is tried first.
                guard count <= 1, !(news.gaps.isEmpty && news.ended.isEmpty) else { return nil }
                news.gaps.removeLast((news.gaps.count + 1) / 2)
                news.ended.removeLast((news.ended.count + 1) / 2)
                continue
            }
            guard publish(payload, numbering, first, count, bytes.count, news, now) else { return nil }
            tuning.sent(packets: bytes.count, wire: client.publishedBytes)
            return client.publishedBytes
        }
    }

    private func publish(
        _ payload: UnsafeRawBufferPointer, _ numbering: Numbering, _ first: UInt64, _ count: Int, _ bytes: Int,
        _ news: (gaps: [GapRecord], ended: [EndedRecord]), _ now: Instant
    ) -> Bool {
        let again = stale.next(numbering, first)
        let identifier = topic.withUnsafeBytes { topic in
            properties.withUnsafeBytes { properties in
                context.client.publish(
                    topic: topic, payload: payload, qos: .atLeastOnce, properties: properties,
                    duplicate: again?.isDuplicate ?? false, identifier: again?.identifier)
            }
        }
        guard let identifier else { return false }
        stale.takeFirst()
        inflight.append(
            InFlight(
                identifier: identifier, numbering: numbering, first: first, count: count, bytes: bytes,
                sentAt: context.client.departure(), gaps: news.gaps,
                ended: news.ended))
        context.sentMessages += UInt64(count)
        lastSent = now
        newsSince = nil
        return true
    }

    // MARK: - Beginning and end of a connection

    func didConnect(sessionPresent: Bool) {
        if !sessionPresent { stale.removeAll() }
        isCatchingUp = true
        holding = Hold(server: context.client.server)
    }

    /// Takes everything back; what was refused goes first, since a receiver that could not keep it takes nothing before it.
    func rewind(refused: InFlight? = nil) {
        inflight.removeAll()
        rest.removeAll()
        isDraining = false
        isLoading = false
        waitingSince = nil
        isCatchingUp = true
        queue.rewind()
        if let refused, refused.count > 0 { queue.sendFirst(refused.numbering, refused.first...refused.last) }
    }
}
