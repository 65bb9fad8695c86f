import DequeModule
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

/// One route's messages that the far end has not acknowledged: what is left of earlier runs, then this run's stream. They are
/// sent in the order of their numbers, or newest first (`RouteQueue+Newest.swift`); of each topic all, or the latest alone
/// (`+Latest`). What will never come is told to the far end (`+News`).
public final class RouteQueue: StreamConsumer {
    public enum Peek {
        case message(QueuedMessage)
        /// Being read from disk: `onReadable` will come.
        case loading
        case empty
    }

    /// `UPLINK/ROUTE`, the names in the configuration.
    public let name: String
    public let evictionClass: EvictionClass
    /// QoS 0 messages are kept while the link is down.
    public let storesQoS0: Bool
    public let policy: RoutePolicy
    unowned let log: Log
    var lanes: [QueueLane]
    let current: QueueLane
    private var isNotified = false
    private var peeked: (lane: QueueLane, number: UInt64)?
    /// Gaps that only memory knows, and those of them that the disk has in part: by their first number, of this run.
    var unwrittenGaps: Set<UInt64> = []
    var partlyWrittenGaps: Set<UInt64> = []

    /// Something can be peeked now; called at most once a tick, before outputs are flushed.
    public var onReadable: (() -> Void)?
    /// Told once an episode when the route's own budget begins to cost messages.
    public var onBudget: (() -> Void)?
    var budgetEpisode = false
    public internal(set) var gaps: [GapRecord] = []
    public internal(set) var ended: [EndedRecord] = []
    public internal(set) var refused: UInt64 = 0
    /// Messages that will never arrive, by reason, since the start of this run.
    public internal(set) var lost: [GapRecord.Reason: UInt64] = [:]
    /// The far end's node, where it has said so: what has passed it doesn't go to it.
    public var farNode: [UInt8]?
    /// What an earlier run committed last by `commitWindow`.
    public let storedWindow: [UInt8]?

    /// Newest first: the stretch that is being sent, in ascending order.
    /// Bytes of packets in one: a batch's worth; 0: each message by itself.
    public var blockBytes: Int
    var block: (lane: QueueLane, numbers: ClosedRange<UInt64>)?
    /// How many messages to look for at once; less after a look that brought the wrong ones.
    var blockCount: UInt64?

    var topics = TopicPlaces()
    /// Superseded while in flight, with their topics: to be sent again they need not be.
    var replaced: [(place: TopicPlaces.Place, topic: [UInt8])] = []
    /// Messages that came held back until their commit.
    var heldBack: [(number: UInt64, message: Message)] = []
    /// Earlier runs' lanes whose topics are not known yet, and where the look at the first of them has come.
    var unread: [QueueLane] = []
    var readTo: UInt64 = 0
    var unreported: [Numbering: SupersededNumbers] = [:]
    var unreportedChanged: Set<Numbering> = []

    var waits: [UInt64: UpstreamWait] = [:]
    /// Whose message was withdrawn, and who are told once the disk knows.
    var withdrawn: [UInt64: UpstreamWait] = [:]
    var waitDeadlines: Deque<(deadline: Instant, number: UInt64)> = []
    var waitTimer: Timer?

    /// It waits for the log to take its changes.
    var isDirty = false

    public var link = RouteLink(state: .down, smoothedMilliseconds: 0, hasRoom: false) {
        didSet { linkChanged(from: oldValue) }
    }

    /// How long the log waits for this route's acknowledgements before it writes.
    public var settle: Duration { log.options.settle }

    /// The route's stream of this run: where new messages are appended.
    public var stream: LogStream { current.stream }

    public init(
        name: String, evictionClass: EvictionClass, storesQoS0: Bool, ttl: Int64?, budgetBytes: Int64?, log: Log,
        state: StoredState, policy: RoutePolicy = RoutePolicy()
    ) {
        self.name = name
        self.evictionClass = evictionClass
        self.storesQoS0 = storesQoS0
        self.policy = policy
        blockBytes = policy.blockBytes
        storedWindow = Self.storedWindow(name, in: state)
        self.log = log
        let stored = log.streams.values.filter {
            if case .route(name) = $0.record.kind { return $0.numbering.run < log.run.ordinal }
            return false
        }
        lanes = stored.sorted { ($0.numbering.run, $0.numbering.lane) < ($1.numbering.run, $1.numbering.lane) }
            .map(QueueLane.init)
        let stream = log.makeStream(
            .route(name), evictionClass: evictionClass, ttl: ttl ?? log.options.ttl, budgetBytes: budgetBytes ?? .max)
        current = QueueLane(stream)
        for lane in lanes { bringUpToDate(lane.stream, as: stream.record) }
        lanes.append(current)
        stream.unsettleable = 1
        stream.onAppend = { [unowned self] number, message in appended(number, message) }
        for lane in lanes { log.routeQueues[ObjectIdentifier(lane.stream)] = self }
        loadNews(state)
        retireDrained()
        if policy.keepsLatest { beginReadingTopics() }
        log.loop.atTickEnd { [unowned self] in notify() }
    }

    /// The route may have been edited since: what it left behind is kept by today's rules.
    private func bringUpToDate(_ stream: LogStream, as record: StreamRecord) {
        var changed = stream.record
        changed.evictionClass = record.evictionClass
        changed.ttl = record.ttl
        changed.budgetBytes = record.budgetBytes
        guard changed != stream.record else { return }
        stream.record = changed
        log.lazily(.stream(changed))
    }

    // MARK: Sending

    /// The next message to be sent; it isn't passed over until `advance`.
    public func peek() -> Peek {
        guard unread.isEmpty else { return .loading }
        let found = policy.sendsNewestFirst ? peekNewest() : peekOldest()
        if case .message(let queued) = found, let lane = lane(queued.numbering) { peeked = (lane, queued.number) }
        return found
    }

    private func peekOldest() -> Peek {
        for lane in lanes {
            var found = look(lane, at: lane.lowestUnsent)
            while case .again = found { found = look(lane, at: lane.lowestUnsent) }
            switch found {
            case .message(let queued): return .message(queued)
            case .loading: return .loading
            case .end, .again: continue
            }
        }
        return .empty
    }

    enum Look {
        case message(QueuedMessage)
        case loading
        case end
        /// The number is done with: look at another.
        case again
    }

    func look(_ lane: QueueLane, at number: UInt64) -> Look {
        switch lane.stream.read(at: number, for: self) {
        case .end: return .end
        case .loading: return .loading
        case .missing(let next):
            finish(lane, number...max(number, min(next, lane.stream.next) - 1))
            return .again
        case .message(let message):
            if message.expiresAt <= log.clock.now || message.receivedAt + lane.stream.record.ttl <= log.clock.now {
                lose(lane, number...number, .expired, from: message.receivedAt, to: message.receivedAt)
                return .again
            }
            return .message(QueuedMessage(numbering: lane.stream.numbering, number: number, message: message))
        }
    }

    /// Past the peeked message: it is on its way.
    public func advance() {
        guard let (lane, number) = peeked else { return }
        peeked = nil
        lane.send(number)
        if !waits.isEmpty, lane === current { waits[number]?.wasSent = true }
    }

    /// What is unacknowledged is to be sent again.
    public func rewind() {
        for lane in lanes { lane.rewind() }
        block = nil
        peeked = nil
        dropReplaced()
        isNotified = true
    }

    /// The far end has everything through `number`, cumulatively.
    public func acknowledge(_ numbering: Numbering, through number: UInt64) {
        guard let lane = lane(numbering), number > 0 else { return }
        // Who waits may do so for what was lost behind its sending, and is behind the cursor.
        if lane === current { answerWaits(1...number, .success) }
        if number > lane.cursor { acknowledge(numbering, lane.cursor + 1...number) }
    }

    /// The far end has these.
    public func acknowledge(_ numbering: Numbering, _ numbers: ClosedRange<UInt64>) {
        guard let lane = lane(numbering) else { return }
        if lane === current { answerWaits(numbers, .success) }
        finish(lane, numbers)
    }

    func lane(_ numbering: Numbering) -> QueueLane? { lanes.last { $0.stream.numbering == numbering } }

    func finish(_ lane: QueueLane, _ numbers: ClosedRange<UInt64>) {
        lane.finish(numbers)
        noteLessWaits()
        // What is in memory alone needs no position on disk.
        if lane.hasNews, lane.stream.isOnDisk { log.routeChanged(self) }
        if lane !== current, lane.isDrained { retireDrained() }
    }

    private func retireDrained() {
        lanes.removeAll { lane in
            guard lane !== current, lane.isDrained else { return false }
            log.routeQueues[ObjectIdentifier(lane.stream)] = nil
            log.retire(lane.stream)
            return true
        }
    }

    /// For the log: positions and news that the disk doesn't have.
    func takeChanges() -> [Change] {
        isDirty = false
        return lanes.flatMap { $0.takeChanges() } + takeUnreportedChanges()
    }

    // MARK: Being told

    private func appended(_ number: UInt64, _ message: Message) {
        isNotified = true
        if policy.keepsLatest { takePlace(number, message) }
    }

    public func streamIsReadable(_ stream: LogStream) {
        isNotified = true
        takeHeldBack()
        if !unread.isEmpty { readTopics() }
    }

    func notifySoon() { isNotified = true }

    private func notify() {
        guard isNotified else { return }
        isNotified = false
        if link.state != .down { refillNews() }
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
        if old.state == .down, link.state != .down { isNotified = true }
        if old.state != .down, link.state == .down { withdrawUnsent() }
        // What was sent and is not acknowledged goes to the disk at the first doubt.
        guard old.state == .healthy, link.state != .healthy else { return }
        for lane in lanes where lane.stream.hasUnsubmitted { log.commitSoon(lane.stream) }
    }
}
