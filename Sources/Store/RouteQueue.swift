import EventLoop
import MQTT

/// A message of a route with its number.
public struct QueuedMessage {
    public let numbering: Numbering
    public let number: UInt64
    public let message: Message
}

/// How the route's link is doing; the uplink says so, and the log decides by it when to write.
public struct RouteLink: Equatable, Sendable {
    public enum State: Sendable { case healthy, doubt, down }

    public var state: State
    /// Smoothed time from a message's sending to its acknowledgement.
    public var smoothedMilliseconds: Double
    /// The window to the far end is open.
    public var hasRoom: Bool

    public init(state: State, smoothedMilliseconds: Double, hasRoom: Bool) {
        self.state = state
        self.smoothedMilliseconds = smoothedMilliseconds
        self.hasRoom = hasRoom
    }
}

/// One route's messages, from the oldest that the far end has not acknowledged to the newest: first what is left of earlier
/// runs, then this run's stream.
public final class RouteQueue: StreamConsumer {
    public enum Peek {
        case message(QueuedMessage)
        /// Being read from disk: `onReadable` will come.
        case loading
        case empty
    }

    private final class Lane {
        let stream: LogStream
        /// Everything to here is acknowledged.
        var cursor: UInt64
        /// The number to be sent next.
        var nextToSend: UInt64
        /// Numbers above the cursor that will never be sent: refused or expired ones.
        var skipped = IntervalSet()

        init(_ stream: LogStream) {
            self.stream = stream
            cursor = stream.first - 1
            nextToSend = stream.first
        }
    }

    /// `UPLINK/ROUTE`, the names in the configuration.
    public let name: String
    public let evictionClass: EvictionClass
    /// QoS 0 messages are kept while the link is down.
    public let storesQoS0: Bool
    private unowned let log: Log
    private var lanes: [Lane]
    private var current: Lane
    private var isNotified = false

    /// Something can be peeked now; called at most once a tick, before outputs are flushed.
    public var onReadable: (() -> Void)?
    public private(set) var gaps: [GapRecord] = []
    public private(set) var ended: [EndedRecord] = []
    public private(set) var refused: UInt64 = 0
    /// Messages that will never arrive, by reason, since the start of this run.
    public private(set) var lost: [GapRecord.Reason: UInt64] = [:]

    public var link = RouteLink(state: .down, smoothedMilliseconds: 0, hasRoom: false) {
        didSet { linkChanged(from: oldValue) }
    }

    /// How long the log waits for this route's acknowledgements before it writes.
    public var settle: Duration { log.options.settle }

    /// The route's stream of this run: where new messages are appended.
    public var stream: LogStream { current.stream }

    public init(
        name: String, evictionClass: EvictionClass, storesQoS0: Bool, ttl: Int64?, budgetBytes: Int64?, log: Log,
        state: StoredState
    ) {
        self.name = name
        self.evictionClass = evictionClass
        self.storesQoS0 = storesQoS0
        self.log = log
        let stored = log.streams.values.filter {
            if case .route(name) = $0.record.kind { return $0.numbering.run < log.run.ordinal }
            return false
        }
        lanes = stored.sorted { ($0.numbering.run, $0.numbering.lane) < ($1.numbering.run, $1.numbering.lane) }
            .map(Lane.init)
        let stream = log.makeStream(
            .route(name), evictionClass: evictionClass, ttl: ttl ?? log.options.ttl, budgetBytes: budgetBytes ?? .max)
        current = Lane(stream)
        lanes.append(current)
        stream.unsettleable = 1
        stream.onAppend = { [unowned self] in isNotified = true }
        for lane in lanes { log.routeQueues[ObjectIdentifier(lane.stream)] = self }
        loadNews(state)
        log.loop.atTickEnd { [unowned self] in notify() }
    }

    // MARK: Sending

    /// The next message to be sent; it isn't passed over until `advance`.
    public func peek() -> Peek {
        for lane in lanes {
            reading: while true {
                if lane.skipped.contains(lane.nextToSend) {
                    lane.nextToSend += 1
                    continue
                }
                switch lane.stream.read(at: lane.nextToSend, for: self) {
                case .end: break reading
                case .loading: return .loading
                case .missing(let next):
                    skip(lane, through: next - 1)
                case .message(let message):
                    if message.expiresAt <= log.clock.now || isTooOld(message, in: lane) {
                        gap(lane, lane.nextToSend, .expired, from: message.receivedAt, to: message.receivedAt)
                        continue
                    }
                    return .message(
                        QueuedMessage(numbering: lane.stream.numbering, number: lane.nextToSend, message: message))
                }
            }
        }
        return .empty
    }

    private func isTooOld(_ message: Message, in lane: Lane) -> Bool {
        message.receivedAt + lane.stream.record.ttl <= log.clock.now
    }

    /// Past the peeked message.
    public func advance() {
        guard let lane = lanes.first(where: { $0.nextToSend < $0.stream.next }) else { return }
        lane.nextToSend += 1
    }

    /// The sending position goes back to the first unacknowledged message.
    public func rewind() {
        for lane in lanes { lane.nextToSend = max(lane.cursor + 1, lane.stream.first) }
        isNotified = true
    }

    /// The far end has everything through `number`, cumulatively.
    public func acknowledge(_ numbering: Numbering, through number: UInt64) {
        guard let lane = lane(numbering), number > lane.cursor else { return }
        var at = max(lane.cursor + 1, lane.stream.first)
        while at <= number {
            lane.stream.pass(at)
            at += 1
        }
        lane.cursor = number
        absorb(lane)
        lane.nextToSend = max(lane.nextToSend, lane.cursor + 1)
        lane.stream.forget(below: lane.cursor + 1)
        retireDrained()
    }

    /// The far end refuses this one message for good: it is set aside and reported.
    public func refuse(_ numbering: Numbering, number: UInt64) {
        guard let lane = lane(numbering) else { return }
        refused += 1
        let now = log.clock.now
        gap(lane, number, .refused, from: now, to: now)
    }

    private func lane(_ numbering: Numbering) -> Lane? { lanes.first { $0.stream.numbering == numbering } }

    private func skip(_ lane: Lane, through number: UInt64) {
        guard number >= lane.nextToSend else { return }
        lane.skipped.insert(lane.nextToSend...number)
        lane.nextToSend = number + 1
        absorb(lane)
    }

    /// A number will never be sent: it is a gap, and done with.
    private func gap(_ lane: Lane, _ number: UInt64, _ reason: GapRecord.Reason, from: Int64, to: Int64) {
        lost[reason, default: 0] += 1
        lane.skipped.insert(number)
        addGap(
            GapRecord(
                route: name, run: lane.stream.numbering.run, lane: lane.stream.numbering.lane, first: number,
                last: number, reason: reason, from: from, to: to),
            isStored: false)
        lane.stream.pass(number)
        absorb(lane)
    }

    /// Moves the cursor over numbers that will never be sent.
    private func absorb(_ lane: Lane) {
        lane.skipped.remove(through: lane.cursor)
        if let end = lane.skipped.takePrefix(after: lane.cursor) {
            lane.cursor = end
            lane.nextToSend = max(lane.nextToSend, end + 1)
            lane.stream.forget(below: end + 1)
        }
    }

    private func retireDrained() {
        lanes.removeAll { lane in
            guard lane !== current, lane.cursor + 1 >= lane.stream.next else { return false }
            log.routeQueues[ObjectIdentifier(lane.stream)] = nil
            log.retire(lane.stream)
            return true
        }
    }

    /// An administrator drops everything that waits.
    public func dropAll() {
        for lane in lanes where lane.cursor + 1 < lane.stream.next {
            let first = max(lane.cursor + 1, lane.stream.first)
            let last = lane.stream.next - 1
            guard first <= last else { continue }
            let now = log.clock.now
            for range in lane.skipped.missing(in: first...last) {
                lost[.dropped, default: 0] += UInt64(range.count)
                addGap(
                    GapRecord(
                        route: name, run: lane.stream.numbering.run, lane: lane.stream.numbering.lane,
                        first: range.lowerBound, last: range.upperBound, reason: .dropped, from: now, to: now),
                    isStored: false)
            }
            acknowledge(lane.stream.numbering, through: last)
        }
        retireDrained()
    }

    // MARK: Being told

    public func streamIsReadable(_ stream: LogStream) { isNotified = true }

    private func notify() {
        guard isNotified else { return }
        isNotified = false
        onReadable?()
    }

    private func linkChanged(from old: RouteLink) {
        let canSettle =
            link.state == .healthy && link.hasRoom
            && link.smoothedMilliseconds * 2 < Double(log.options.settle.milliseconds)
        for lane in lanes {
            lane.stream.unsettleable = canSettle ? 0 : 1
            lane.stream.isInDoubt = link.state != .healthy
        }
        // What was sent and is not acknowledged goes to the disk at the first doubt.
        guard old.state == .healthy, link.state != .healthy else { return }
        for lane in lanes where lane.stream.hasUnsubmitted { log.commitSoon(lane.stream) }
    }

    func removed(_ removal: Removal, from stream: LogStream) {
        guard let lane = lanes.first(where: { $0.stream === stream }) else { return }
        let reason = GapRecord.Reason(rawValue: removal.reason.rawValue)
        if removal.last > lane.cursor {
            let unknown = lane.skipped.missing(in: max(removal.first, lane.cursor + 1)...removal.last)
            lost[reason, default: 0] += unknown.reduce(0) { $0 + UInt64($1.count) }
        }
        addGap(
            GapRecord(
                route: name, run: stream.numbering.run, lane: stream.numbering.lane, first: removal.first,
                last: removal.last, reason: reason, from: removal.from, to: removal.to),
            isStored: true)
        lane.skipped.insert(removal.first...removal.last)
        absorb(lane)
        isNotified = true
    }

    // MARK: Figures

    /// A publisher's acknowledgement waits for a message that was not sent yet and could settle.
    public var hasWaitingAcknowledgement: Bool {
        guard current.stream.unsettleable == 0 else { return false }
        return current.stream.hasWaiter(from: current.nextToSend)
    }

    public var messages: Int {
        lanes.reduce(0) {
            let first = max($1.cursor + 1, $1.stream.first)
            return $0 + ($1.stream.next > first ? Int($1.stream.next - first) : 0)
        }
    }

    /// Estimated from the streams' average message.
    public var bytes: Int {
        lanes.reduce(0) {
            let first = max($1.cursor + 1, $1.stream.first)
            return $0 + ($1.stream.next > first ? Int($1.stream.next - first) * $1.stream.averageBytes : 0)
        }
    }

    /// Where what waits is, in the order of sending: each stream with the first number that isn't acknowledged, and the
    /// numbers behind it that will never be sent.
    public var spans: [RouteSpan] {
        lanes.map { RouteSpan(stream: $0.stream, first: max($0.cursor + 1, $0.stream.first), skipped: $0.skipped) }
    }

    public var unsentMessages: Int {
        lanes.reduce(0) { $0 + ($1.stream.next > $1.nextToSend ? Int($1.stream.next - $1.nextToSend) : 0) }
    }

    public var unsentBytes: Int {
        lanes.reduce(0) {
            $0 + ($1.stream.next > $1.nextToSend ? Int($1.stream.next - $1.nextToSend) * $1.stream.averageBytes : 0)
        }
    }

    /// Store time of receipt of the oldest message that waits; nil: nothing waits, or it is on disk and was not read yet.
    public var oldest: Int64? {
        for lane in lanes where lane.cursor + 1 < lane.stream.next {
            if let time = lane.stream.receivedAt(max(lane.cursor + 1, lane.stream.first)) { return time }
        }
        return nil
    }

    /// When the message came, as a date: ms since 1970 UTC, and whether the clock was set.
    public func wallTime(_ queued: QueuedMessage) -> (milliseconds: Int64, isSet: Bool) {
        log.wallTime(queued.message.receivedAt, run: queued.numbering.run)
    }

    /// The epoch that names a run on the wire.
    public func epoch(ofRun run: Int64) -> UInt64 { log.epoch(ofRun: run) ?? 0 }

    /// A store time as a date, like `wallTime`.
    public func wallTime(_ time: Int64, run: Int64) -> (milliseconds: Int64, isSet: Bool) {
        log.wallTime(time, run: run)
    }

    // MARK: News for the far end

    private func loadNews(_ state: StoredState) {
        for entry in state.states where entry.kind == .gap {
            if let gap = GapRecord(key: entry.key, value: entry.value), gap.route == name { gaps.append(gap) }
        }
        for entry in state.states where entry.kind == .ended {
            if let record = EndedRecord(key: entry.key, value: entry.value), record.route == name {
                ended.append(record)
            }
        }
        reportLastRun(state)
    }

    /// The run before this one ended: the far end shall know up to where its numbers went.
    private func reportLastRun(_ state: StoredState) {
        guard let last = state.runs.max(by: { $0.ordinal < $1.ordinal }),
            !ended.contains(where: { $0.run == last.ordinal })
        else { return }
        guard !last.endedCleanly else { return }
        addEnded(EndedRecord(route: name, run: last.ordinal, lane: 0, last: nil, at: log.clock.now))
    }

    func addEnded(_ record: EndedRecord) {
        ended.append(record)
        log.lazily(.state(.ended, key: record.key, value: record.value))
    }

    /// What to note at a clean end: the highest number of this run.
    public func endOfRun() -> [Change] {
        guard current.stream.next > 1 else { return [] }
        let record = EndedRecord(
            route: name, run: log.run.ordinal, lane: current.stream.numbering.lane, last: current.stream.next - 1,
            at: log.clock.now)
        return [.state(.ended, key: record.key, value: record.value)]
    }

    private func addGap(_ gap: GapRecord, isStored: Bool) {
        isNotified = true
        if let index = gaps.firstIndex(where: { $0.joins(gap) }) {
            let old = gaps[index]
            gaps[index] = old.joined(with: gap)
            log.lazily(.state(.gap, key: old.key, value: nil))
            if isStored { log.lazily(.state(.gap, key: gap.key, value: nil)) }
            log.lazily(.state(.gap, key: gaps[index].key, value: gaps[index].value))
        } else {
            gaps.append(gap)
            if !isStored { log.lazily(.state(.gap, key: gap.key, value: gap.value)) }
        }
    }

    /// A batch that carried these was acknowledged.
    public func acknowledgeNews(gaps carried: [GapRecord], ended carriedEnds: [EndedRecord]) {
        for gap in carried {
            guard let index = gaps.firstIndex(of: gap) else { continue }
            gaps.remove(at: index)
            log.lazily(.state(.gap, key: gap.key, value: nil))
        }
        for record in carriedEnds {
            guard let index = ended.firstIndex(of: record) else { continue }
            ended.remove(at: index)
            log.lazily(.state(.ended, key: record.key, value: nil))
        }
    }
}
