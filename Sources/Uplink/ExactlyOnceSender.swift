import EventLoop
import MQTT
import Store

/// Sends a route's messages one PUBLISH each at QoS 2, exactly once over whatever happens to this node, as long as the upstream
/// keeps our Session. What must be known for it is in the store before it is needed (`ExactlyOnceWindow`).
///
/// Messages get their identifiers some round trips ahead, all that there is room for in one commit, so that sending waits for
/// the disk only where there was nothing to send. A message stays in the queue until PUBCOMP: should the upstream lose the
/// Session, everything unfinished goes again, which the log tells.
///
/// An answer that refuses a message sets it aside once another has been accepted. After 0x97 what was not sent goes back into
/// the queue; what was sent behind the message and accepted stays accepted, and so comes before it.
final class ExactlyOnceSender: RouteSender {
    let queue: RouteQueue
    let priority: EvictionClass
    private let context: SendingContext
    private var window: ExactlyOnceWindow
    private var packet: SinglePacket
    private var hold: SingleHold
    private var closings = Closings()

    /// Messages that have their identifiers and are to be published, in order.
    private var waiting: [(identifier: UInt16, message: QueuedMessage)] = []
    private var waitingBytes = 0
    /// Identifiers whose messages are to be published and were not read again yet.
    private var unread: Set<UInt16> = []
    /// Neighbours that are done are told to the queue together.
    private var done: (numbering: Numbering, numbers: ClosedRange<UInt64>)?
    private var isLoading = false
    private var isTurnDue = false

    /// How far ahead messages get their identifiers, and bytes of them.
    private static let furthest = 100
    private static let furthestBytes = 256 << 10

    init(
        queue: RouteQueue, options: RouteOptions, context: SendingContext, storeTime: @escaping () -> Int64
    ) throws(UplinkError) {
        self.queue = queue
        self.context = context
        priority = options.priority
        packet = try SinglePacket(queue: queue, options: options, context: context, storeTime: storeTime)
        hold = SingleHold(queue: queue, context: context, qos: .exactlyOnce, retriesClosings: false)
        window = ExactlyOnceWindow(
            queue.storedWindow.flatMap(ExactlyOnceRecord.init(decoding:)), numbering: queue.numbering)
        for identifier in window.released { context.client.restoreIdentifier(identifier, isReleased: true) }
        for identifier in window.bound { context.client.restoreIdentifier(identifier) }
        unread = Set(window.bound)
    }

    var holding: Hold? { hold.hold }
    var oldestSent: Instant? { window.oldestSent }
    var hasRoom: Bool { holding == nil && mayPublish }

    /// While it isn't known which message the upstream closes the connection at, or whether it takes any, they go one at a
    /// time.
    private var mayPublish: Bool {
        (closings.suspects.isEmpty && hold.refusals.pending.isEmpty) || !window.hasPublished
    }

    // MARK: - When

    func queueIsReadable() {
        isLoading = false
        if !unread.isEmpty { turnSoon() }
    }

    func flush() { hold.flush() }

    func isDue(_ now: Instant) -> Bool {
        guard hold.isOver(now), mayPublish else { return false }
        if let first = waiting.first { return window.isReady(first.identifier) }
        return !isLoading && !window.isCommitting && queue.unsentMessages > 0
    }

    func nextDeadline(_ now: Instant) -> Instant? { holding?.until }

    /// Does what this tick brought: once for all of it.
    private func turnSoon() {
        guard !isTurnDue else { return }
        isTurnDue = true
        context.client.loop.onNextTickEnd { [weak self] in
            guard let self else { return }
            isTurnDue = false
            turn()
        }
    }

    private func turn() {
        tellQueue()
        // Where a commit goes anyway, bindings go with it.
        if window.mustCommit || waiting.count <= ahead / 2 { bindAhead() }
        commit()
    }

    // MARK: - Identifiers for what is next

    private var ahead: Int {
        let places = min(Int(context.client.server?.receiveMaximum ?? 0), Int(context.options.inflight))
        return min(places, Self.furthest)
    }

    private func bindAhead() {
        guard context.client.isConnected, holding == nil, !isLoading else { return }
        while waiting.count < ahead, waitingBytes < Self.furthestBytes {
            switch queue.peek() {
            case .empty:
                abandonUnread(before: nil)
                return retryRefusedLater()
            case .loading:
                isLoading = true
                return
            case .message(let queued):
                guard bind(queued) else { return }
                queue.advance()
            }
        }
    }

    /// False: there is no identifier now.
    private func bind(_ queued: QueuedMessage) -> Bool {
        let place = ExactlyOnceWindow.Place(numbering: queued.numbering, number: queued.number)
        if let identifier = window.identifier(of: place) {
            if unread.remove(identifier) != nil { lineUp(identifier, queued) }
            return true
        }
        if !unread.isEmpty { abandonUnread(before: place) }
        guard !hold.refusals.contains(queued.numbering, queued.number) else { return true }
        guard let identifier = context.client.reserveIdentifier(in: ExactlyOnceWindow.identifiers) else { return false }
        window.bind(identifier, to: place)
        lineUp(identifier, queued)
        return true
    }

    private func lineUp(_ identifier: UInt16, _ queued: QueuedMessage) {
        waiting.append((identifier, queued))
        waitingBytes += queued.message.byteCount
    }

    /// Messages that the queue has no more: expired, evicted or dropped since they had their identifiers.
    private func abandonUnread(before place: ExactlyOnceWindow.Place?) {
        for identifier in unread.sorted() {
            if let place, let own = window[identifier]?.place, own > place { continue }
            unread.remove(identifier)
            abandon(identifier)
        }
    }

    private func abandon(_ identifier: UInt16) {
        window.abandon(identifier)
        turnSoon()
    }

    private func commit() {
        guard let record = window.beginCommit() else { return }
        queue.commitWindow(record.encoded) { [weak self] in self?.committed() }
    }

    private func committed() {
        let now = context.client.loop.now
        for identifier in window.endCommit() {
            context.client.release(identifier)
            if context.client.isConnected { window.release(identifier, now) }
        }
        if window.mustCommit { turnSoon() }
        context.wake()
    }

    // MARK: - Sending

    func send(_ now: Instant) -> Int? {
        while let (identifier, queued) = waiting.first {
            guard window.isReady(identifier), let entry = window[identifier] else { return nil }
            guard !queue.isDone(queued.numbering, queued.number) else {
                takeFirst()
                abandon(identifier)
                continue
            }
            let prepared = packet.prepare(queued, qos: .exactlyOnce)
            guard packet.fits(prepared) else {
                takeFirst()
                packet.setAside(queued)
                abandon(identifier)
                continue
            }
            let head = prepared.head
            let sent = context.client.publish(
                topic: head.topic, payload: queued.message.payload, qos: .exactlyOnce, retain: head.retain,
                properties: head.properties, duplicate: entry.mayBeThere, identifier: identifier)
            guard sent != nil else { return nil }
            takeFirst()
            window.publish(identifier, context.client.departure())
            context.sentMessages += 1
            if waiting.count <= ahead / 2, !window.isCommitting { turnSoon() }
            return prepared.length
        }
        turnSoon()
        return nil
    }

    private func takeFirst() {
        waitingBytes -= waiting.removeFirst().message.message.byteCount
    }

    // MARK: - Answers

    func mayRelease(_ identifier: UInt16, _ now: Instant) -> Bool {
        guard let place = window[identifier]?.place, window.receive(identifier) else { return false }
        if !hold.refusals.pending.isEmpty { _ = hold.refusals.settle(in: queue) }
        hold.accepted()
        closings.clear((place.numbering, place.number))
        turnSoon()
        return true
    }

    func didAcknowledge(_ identifier: UInt16, _ reason: ReasonCode, _ now: Instant) -> Instant? {
        guard let entry = window[identifier] else { return nil }
        switch entry.phase {
        case .released:
            window.finish(identifier)
            if let place = entry.place { finish(place) }
        case .published:
            window.finish(identifier)
            if let place = entry.place { refused(identifier, (place.numbering, place.number), reason, now) }
        case .received where entry.place == nil: window.finish(identifier)
        case .bound, .received: return nil
        }
        turnSoon()
        return entry.publishedAt
    }

    private func finish(_ place: ExactlyOnceWindow.Place) {
        context.acknowledgedMessages += 1
        if let last = done, last.numbering == place.numbering, place.number == last.numbers.upperBound + 1 {
            done = (last.numbering, last.numbers.lowerBound...place.number)
        } else {
            tellQueue()
            done = (place.numbering, place.number...place.number)
        }
    }

    private func tellQueue() {
        guard let (numbering, numbers) = done else { return }
        done = nil
        queue.acknowledge(numbering, numbers)
    }

    private func refused(_ identifier: UInt16, _ place: Closings.Place, _ reason: ReasonCode, _ now: Instant) {
        closings.clear(place)
        if reason == .packetIdentifierInUse {
            // The Server has something under it that isn't ours to know.
            context.client.restoreIdentifier(identifier)
            window.clear(identifier)
        }
        if SingleHold.isForLater(reason) {
            hold.wait(reason, now)
            goBack()
        } else {
            hold.refused(place, reason)
            guard hold.refusals.isEverything else { return }
            hold.refusesEverything(now)
            goBack()
        }
    }

    /// What has not been published yet is to come again, in its order.
    private func goBack() {
        tellQueue()
        for identifier in window.unbindUnpublished() {
            context.client.giveUpIdentifier(identifier)
            unread.remove(identifier)
        }
        waiting.removeAll { window[$0.identifier]?.phase != .bound }
        waitingBytes = waiting.reduce(0) { $0 + $1.message.message.byteCount }
        isLoading = false
        queue.rewind()
    }

    /// Nothing is left but what was refused.
    private func retryRefusedLater() {
        if window.bound.isEmpty, window.received.isEmpty { hold.retryLater(context.client.loop.now) }
    }

    // MARK: - Beginning and end of a connection

    func didConnect(sessionPresent: Bool) {
        hold.connect()
        let session = "\(context.options.clientIdentifier) \(context.url)"
        if sessionPresent, window.session == session {
            window.resume(context.client.loop.now)
        } else {
            begin(session, isPresent: sessionPresent)
        }
        turnSoon()
    }

    /// The upstream has no Session of ours, or one that nothing is known of. In that, something may lie under any identifier,
    /// and a message sent under it would be taken for a copy: so all are cleared away before they are used.
    private func begin(_ session: String, isPresent: Bool) {
        let isKnown = !window.session.isEmpty
        let doubtful = window.begin(session: session)
        if doubtful > 0 {
            context.onNotice?(
                "route \(queue.name): the upstream has lost our session: \(doubtful) messages that it may have had go again"
            )
        }
        unread = []
        queue.rewind()
        guard isPresent else { return }
        if !isKnown {
            context.onNotice?(
                "route \(queue.name): the upstream has a session of ours that nothing is known of here: what was sent in it may "
                    + "come twice")
        }
        for identifier in ExactlyOnceWindow.identifiers {
            context.client.restoreIdentifier(identifier)
            window.clear(identifier)
        }
    }

    func didDisconnect(isAnswer: Bool) {
        tellQueue()
        if isAnswer {
            let open = window.published.map { ($0.place.numbering, $0.place.number) }
            if let refused = closings.note(open) {
                hold.closes(at: refused.place, count: refused.count)
                for (identifier, _) in window.published { abandon(identifier) }
            }
        }
        window.disconnect()
        waiting = []
        waitingBytes = 0
        unread = Set(window.bound)
        isLoading = false
        queue.rewind()
    }
}
