import DequeModule
import EventLoop
import MQTT

/// What the log is told at its start.
public struct LogOptions: Sendable {
    /// `store.settle`, `store.commit`.
    public var settle: Duration
    public var commit: Duration
    /// Bytes: `store.memory`, `store.budget`.
    public var memoryBytes: Int
    public var budgetBytes: Int
    /// `store.when_full = "refuse"`.
    public var refusesWhenFull: Bool
    /// `store.durability = "relaxed"`.
    public var isRelaxed: Bool
    /// Milliseconds: `store.ttl`.
    public var ttl: Int64

    public init(
        settle: Duration = .milliseconds(20), commit: Duration = .seconds(1), memoryBytes: Int = 32 << 20,
        budgetBytes: Int = 1 << 30, refusesWhenFull: Bool = false, isRelaxed: Bool = false, ttl: Int64 = 30 * 86_400_000
    ) {
        self.settle = settle
        self.commit = commit
        self.memoryBytes = memoryBytes
        self.budgetBytes = budgetBytes
        self.refusesWhenFull = refusesWhenFull
        self.isRelaxed = isRelaxed
        self.ttl = ttl
    }
}

/// The loop's side of the store: who still has to get which message, and when what is handed to the writer.
///
/// A message is *safe* when each of its parts (one a stream it goes to, one for the retained store, one for changes that
/// belong with it) is on disk or passed by its destinations; then its waiter is told, which is what lets an acknowledgement
/// go. Messages whose destinations usually answer in time wait `settle` for that before they are written; the others go to
/// the writer at the end of the tick. All that comes while the writer syncs becomes its next group.
public final class Log {
    public let loop: EventLoop
    public let clock: StoreClock
    public let options: LogOptions
    public let meter = MemoryMeter()
    /// Messages read back from disk: half of `memoryBytes` at most, and the newest read in any case.
    let readMeter = MemoryMeter()
    public let run: RunRecord
    private let engine: any StoreEngine
    private let runs: [Int64: RunRecord]

    private var nextLaneSequence: UInt64
    private var nextStreamID: Int64
    private var nextSessionID: Int64
    private(set) var streams: [StreamID: LogStream] = [:]
    private var sessionStreams: [[StreamMember]: LogStream] = [:]
    /// Counts changes to what `sessionStream(for:)` gives: who caches its answers compares.
    public private(set) var topology: UInt64 = 0

    // The group being gathered in this tick.
    private var dueStreams: [LogStream] = []
    private var dueChanges: [Change] = []
    private var dueParts: [Message] = []
    private var dueActions: [() -> Void] = []
    private var dueRetained: [[UInt8]: RetainedRecord?] = [:]
    private var dueHeld: [Message] = []
    private var isGroupAsked = false
    // What waits for the commit timer.
    private var lazyChanges: [Change] = []
    private var lazyStreams: [LogStream] = []
    private var lazyPositions: [SessionQueue.Membership] = []
    private var lazyTimer: Timer?
    // What waits for its destinations.
    private var settling: Deque<(deadline: Instant, message: Message, streams: [LogStream])> = []
    private var settleTimer: Timer?

    private struct Group {
        var number: UInt64
        var streams: [(stream: LogStream, below: UInt64)]
        var parts: [Message]
        var held: [Message]
        var actions: [() -> Void]
    }
    private var groups: Deque<Group> = []
    private var lastGroup: UInt64 = 0
    private var reads: [UInt64: (stream: LogStream, from: UInt64)] = [:]
    private var lastRead: UInt64 = 0
    /// The last read that was answered.
    private var lastDone: UInt64 = 0

    /// Bytes in use on disk, as of the last commit.
    public private(set) var usedBytes: Int
    /// Why nothing can be kept now; nil while all is well.
    public private(set) var failure: StoreError?
    /// Bytes handed to the writer, before compression.
    public private(set) var submittedBytes: UInt64 = 0
    public private(set) var submittedGroups: UInt64 = 0
    public private(set) var evictedMessages: UInt64 = 0
    public private(set) var expiredMessages: UInt64 = 0
    private var closed: (() -> Void)?
    /// Told what left the log before its destinations had it.
    public var onRemoval: ((StreamRecord, Removal) -> Void)?
    /// Told when the store starts or stops failing.
    public var onHealth: ((StoreError?) -> Void)?
    /// Told at the end of the first tick that finds room, once for each time that `isRoomAwaited` was set.
    public var onRoom: (() -> Void)?
    /// Somebody waits until the log isn't full any more.
    public var isRoomAwaited = false

    public init(
        loop: EventLoop, engine: any StoreEngine, options: LogOptions, state: StoredState,
        epoch: UInt64 = .random(in: 1 ... .max)
    ) {
        self.loop = loop
        self.engine = engine
        self.options = options
        let last = state.runs.max { $0.ordinal < $1.ordinal }
        clock = StoreClock(clock: loop.clock, last: last, newest: state.streams.map(\.oldest).max() ?? 0)
        let ordinal = (last?.ordinal ?? 0) + 1
        run = RunRecord(
            ordinal: ordinal, epoch: epoch, bootID: clock.bootID, bootMilliseconds: clock.bootMilliseconds,
            storeMilliseconds: clock.now, wallOffset: clock.wallOffset, clockSet: clock.isSet,
            synchronised: clock.isSynchronised, endedCleanly: false)
        // 2^44 messages a run, 2^19 runs: lane sequences rise over restarts.
        nextLaneSequence = UInt64(ordinal) << 44
        nextStreamID = state.highestStream + 1
        nextSessionID = state.highestSession + 1
        usedBytes = state.usedBytes
        runs = Dictionary(uniqueKeysWithValues: state.runs.map { ($0.ordinal, $0) })
        for stored in state.streams {
            let numbering = Numbering(
                run: stored.record.run, epoch: runs[stored.record.run]?.epoch ?? 0, lane: stored.record.lane)
            streams[stored.record.id] = LogStream(stored: stored, numbering: numbering, log: self)
        }
        dueChanges.append(.run(run))
        loop.atTickEnd { [unowned self] in tickEnd() }
    }

    // MARK: What others ask

    /// The epoch that names a run on the wire, by its ordinal.
    public func epoch(ofRun ordinal: Int64) -> UInt64? {
        ordinal == run.ordinal ? run.epoch : runs[ordinal]?.epoch
    }

    /// A store time of one run as a date: ms since 1970 UTC, and whether the clock was set. What came in this boot is dated
    /// by the clock as it is now, also when it learnt the date since.
    public func wallTime(_ time: Int64, run ordinal: Int64) -> (milliseconds: Int64, isSet: Bool) {
        if ordinal != run.ordinal, let other = runs[ordinal], other.bootID != clock.bootID {
            return (time + other.wallOffset, other.clockSet)
        }
        return (time + clock.wallOffset, clock.isSet)
    }

    /// Nothing more can be kept for now: publishers must wait.
    public var isFull: Bool { meter.bytes > options.memoryBytes }

    /// Messages are refused with Quota exceeded: the disk fails, or is full and set to refuse.
    public var isRefusing: Bool {
        failure != nil || (options.refusesWhenFull && usedBytes >= options.budgetBytes)
    }

    public func takeLaneSequence() -> UInt64 {
        nextLaneSequence += 1
        return nextLaneSequence
    }

    public func takeSessionID() -> SessionID {
        defer { nextSessionID += 1 }
        return SessionID(rawValue: nextSessionID)
    }

    func makeStream(
        _ kind: StreamRecord.Kind, evictionClass: EvictionClass, ttl: Int64, budgetBytes: Int64 = .max
    ) -> LogStream {
        let record = StreamRecord(
            id: StreamID(rawValue: nextStreamID), kind: kind, run: run.ordinal, lane: UInt16(loop.index),
            evictionClass: evictionClass, ttl: ttl, budgetBytes: budgetBytes)
        nextStreamID += 1
        let stream = LogStream(
            record: record, numbering: Numbering(run: run.ordinal, epoch: run.epoch, lane: record.lane), log: self,
            isRecorded: false)
        streams[record.id] = stream
        return stream
    }

    /// The stream of this run for one set of members: it is made at the first message for the set.
    public func sessionStream(for members: [(queue: SessionQueue, member: StreamMember)]) -> LogStream {
        let key = members.map(\.member).sorted { $0.session.rawValue < $1.session.rawValue }
        if let stream = sessionStreams[key] { return stream }
        let stream = makeStream(.sessions(key), evictionClass: .session, ttl: options.ttl)
        sessionStreams[key] = stream
        for (queue, member) in members { queue.join(stream, as: member) }
        return stream
    }

    /// The set's next message goes to a new stream: a member is about to leave this one.
    func stopAppending(to stream: LogStream) {
        guard case .sessions(let key) = stream.record.kind, sessionStreams[key] === stream else { return }
        sessionStreams[key] = nil
        topology += 1
    }

    /// Streams of sessions that are all gone, as a stop between two commits leaves them; called once all are restored.
    public func retireOrphans() {
        for stream in Array(streams.values) where stream.memberships.isEmpty {
            if case .sessions = stream.record.kind { retire(stream) }
        }
    }

    /// Takes a stream that nobody waits for out of the log.
    func retire(_ stream: LogStream) {
        streams[stream.record.id] = nil
        stopAppending(to: stream)
        if stream.isRecorded { lazily(.streamRemoved(stream.record.id)) }
    }

    // MARK: Appending

    /// Takes a message for its durable destinations.
    ///
    /// - Parameters:
    ///   - streams: routes and session sets; each counts the message once.
    ///   - retained: the message also becomes (or, empty, removes) the retained message of its topic.
    ///   - changes: belong with the message and are committed with it.
    ///   - isHeld: no destination sees the message before its commit; `committed` is called then, before they do.
    ///   - waiter: told once when the message is safe.
    public func append(
        _ message: Message, to streams: [LogStream], retained: Bool = false, changes: [Change] = [],
        isHeld: Bool = false, waiter: (any SafetyWaiter)?, ticket: UInt64 = 0, committed: (() -> Void)? = nil
    ) {
        message.isHeld = isHeld
        message.waiter = waiter
        message.ticket = ticket
        for stream in streams { _ = stream.append(message, destinations: max(stream.memberships.count, 1)) }
        var mustCommit = isHeld || !changes.isEmpty
        if retained {
            retain(message)
            mustCommit = mustCommit || waiter != nil
        }
        if !changes.isEmpty || isHeld {
            dueChanges.append(contentsOf: changes)
            message.unsafeParts += 1
            dueParts.append(message)
        }
        if isHeld { dueHeld.append(message) }
        if let committed { dueActions.append(committed) }
        if mustCommit { askForGroup() }
        if mustCommit {
            for stream in streams { commitSoon(stream) }
        } else if options.isRelaxed {
            for stream in streams { commitLazily(stream) }
        } else if waiter != nil {
            settleOrCommit(message, streams)
        } else {
            for stream in streams where stream.keepsUnawaited { commitLazily(stream) }
        }
        if options.isRelaxed, !mustCommit { message.answer(.success) }
    }

    private func settleOrCommit(_ message: Message, _ streams: [LogStream]) {
        guard options.settle > .zero, streams.allSatisfy({ $0.unsettleable == 0 }) else {
            for stream in streams { commitSoon(stream) }
            return
        }
        settling.append((loop.now + options.settle, message, streams))
        if settleTimer == nil { armSettleTimer() }
    }

    private func retain(_ message: Message) {
        let topic = [UInt8](message.topic)
        let record =
            message.payload.isEmpty
            ? nil
            : RetainedRecord(
                packet: [UInt8](message.packet), receivedAt: message.receivedAt, expiresAt: message.expiresAt)
        dueRetained[topic] = .some(record)
        guard message.waiter != nil else {
            armLazyTimer()
            return
        }
        message.unsafeParts += 1
        dueParts.append(message)
    }

    /// The stream's unwritten messages go to the writer at the end of this tick.
    func commitSoon(_ stream: LogStream) {
        guard !stream.isDue else { return }
        stream.isDue = true
        dueStreams.append(stream)
        askForGroup()
    }

    /// ... by the commit timer.
    func commitLazily(_ stream: LogStream) {
        guard !stream.isLazilyDue, stream.hasUnsubmitted else { return }
        stream.isLazilyDue = true
        lazyStreams.append(stream)
        armLazyTimer()
    }

    // MARK: Changes

    /// Commits changes to the ordinary tables with this tick's group; `then` runs when they are on disk.
    public func commit(_ changes: [Change], then action: (() -> Void)? = nil) {
        dueChanges.append(contentsOf: changes)
        if let action { dueActions.append(action) }
        askForGroup()
    }

    /// What the stream holds unwritten goes to the writer with this tick's group.
    public func commitStream(_ stream: LogStream) { if stream.hasUnsubmitted { commitSoon(stream) } }

    /// A change nobody waits for: it is written with the next group that has changes, or by the commit timer.
    ///
    /// Where a group goes with this tick anyway, the change goes with it: put off, it would overtake the changes before it,
    /// and a session that was removed would leave rows behind.
    public func lazily(_ change: Change) {
        guard dueChanges.isEmpty else {
            dueChanges.append(change)
            return
        }
        lazyChanges.append(change)
        armLazyTimer()
    }

    func positionChanged(_ membership: SessionQueue.Membership) {
        guard !membership.isDirty else { return }
        membership.isDirty = true
        lazyPositions.append(membership)
        armLazyTimer()
    }

    /// Commits everything at the end of this tick, and calls back when it is on disk.
    public func commitAll(then action: @escaping () -> Void) {
        commitEverything()
        flushLazily()
        dueActions.append(action)
        askForGroup()
    }

    /// Commits everything that waits, notes a clean end, and closes the store.
    public func close(_ lastChanges: [Change], then action: @escaping () -> Void) {
        var ended = run
        ended.bootMilliseconds = clock.bootMilliseconds
        ended.storeMilliseconds = clock.now
        ended.wallOffset = clock.wallOffset
        ended.clockSet = clock.isSet
        ended.synchronised = clock.isSynchronised
        ended.endedCleanly = true
        commitEverything()
        flushLazily()
        dueChanges.append(contentsOf: lastChanges)
        dueChanges.append(.run(ended))
        closed = action
        submitGroup()
        engine.submit(.close)
    }

    // MARK: Timers

    /// Something became due, perhaps after this tick's hook has run or between two ticks: a group goes in any case.
    private func askForGroup() {
        guard !isGroupAsked else { return }
        isGroupAsked = true
        loop.onNextTickEnd { [unowned self] in
            isGroupAsked = false
            submitGroup()
        }
    }

    private func armLazyTimer() {
        guard lazyTimer == nil else { return }
        lazyTimer = loop.schedule(after: options.commit) { [unowned self] in
            lazyTimer = nil
            flushLazily()
            if !dueRetained.isEmpty { hasDueRetained = true }
        }
    }

    /// Retained messages nobody waits for go with the next group; without one, by the commit timer.
    private var hasDueRetained = false

    private func flushLazily() {
        for stream in lazyStreams {
            stream.isLazilyDue = false
            if stream.hasUnsubmitted { commitSoon(stream) }
        }
        lazyStreams = []
        takeLazyChanges()
        if !dueRetained.isEmpty { hasDueRetained = true }
    }

    private func takeLazyChanges() {
        for membership in lazyPositions {
            membership.isDirty = false
            membership.trimStream()
            guard membership.isJoined, membership.stream.isRecorded else { continue }
            dueChanges.append(
                .position(membership.stream.record.id, membership.member.session, membership.position))
        }
        lazyPositions = []
        dueChanges.append(contentsOf: lazyChanges)
        lazyChanges = []
    }

    private func armSettleTimer() {
        guard let first = settling.first else { return }
        let wait = first.deadline - loop.now
        settleTimer = loop.schedule(after: max(wait, .milliseconds(1))) { [unowned self] in
            settleTimer = nil
            endSettling()
        }
    }

    private func endSettling() {
        while let first = settling.first, first.message.isSafe || first.deadline <= loop.now {
            if !first.message.isSafe { for stream in first.streams { commitSoon(stream) } }
            settling.removeFirst()
        }
        if settleTimer == nil { armSettleTimer() }
    }

    // MARK: Groups

    private func tickEnd() {
        while let first = settling.first, first.message.isSafe { settling.removeFirst() }
        if meter.bytes > options.memoryBytes / 2 { commitEverything() }
        submitGroup()
        if meter.bytes > options.memoryBytes { unload() }
        guard isRoomAwaited, !isFull else { return }
        isRoomAwaited = false
        onRoom?()
    }

    /// Memory is getting short: what is on disk can leave it, so nothing waits for its destinations any longer.
    private func commitEverything() {
        for stream in streams.values where stream.hasUnsubmitted { commitSoon(stream) }
    }

    private func submitGroup() {
        let hasRetained = hasDueRetained || !dueParts.isEmpty
        guard !dueStreams.isEmpty || !dueChanges.isEmpty || !dueActions.isEmpty || hasRetained else { return }
        // A change never overtakes one that was put off.
        if !dueChanges.isEmpty {
            let now = dueChanges
            dueChanges = []
            takeLazyChanges()
            dueChanges.append(contentsOf: now)
        }
        lastGroup += 1
        var group = Group(number: lastGroup, streams: [], parts: dueParts, held: dueHeld, actions: dueActions)
        var records: [Change] = []
        var segments: [SegmentWrite] = []
        for stream in dueStreams {
            stream.isDue = false
            let taken = stream.takeUnsubmitted()
            group.streams.append((stream, stream.submittedBelow))
            guard let first = taken.first?.first else { continue }
            for membership in stream.memberships where membership.hasPassed(beyond: first) {
                positionChanged(membership)
            }
            if !stream.isRecorded {
                stream.isRecorded = true
                records.append(.stream(stream.record))
            }
            segments.append(contentsOf: taken)
            for segment in taken { submittedBytes += UInt64(segment.packets.count) }
        }
        var changes = records
        changes.append(contentsOf: dueChanges)
        for (topic, record) in dueRetained { changes.append(.retained(topic: topic, record)) }
        hasDueRetained = false
        dueRetained = [:]
        dueStreams = []
        dueChanges = []
        dueParts = []
        dueHeld = []
        dueActions = []
        submittedGroups += 1
        groups.append(group)
        engine.submit(.commit(CommitGroup(number: lastGroup, segments: segments, changes: changes)))
    }

    /// Gives back the memory of messages that are on disk: readers that come for them read them there.
    private func unload() {
        for stream in streams.values.sorted(by: { $0.tail.count > $1.tail.count }) {
            stream.unload()
            if meter.bytes <= options.memoryBytes * 3 / 4 { return }
        }
    }

    /// Drops the oldest reads while they take more than their share. The newest stays: its reader has yet to come for it.
    func trimReads() {
        while readMeter.bytes > options.memoryBytes / 2 {
            let oldest = streams.values.filter { $0.oldestRead != nil }.min {
                ($0.oldestRead ?? .max) < ($1.oldestRead ?? .max)
            }
            guard let oldest, oldest.oldestRead != lastDone else { return }
            oldest.dropOldestRead()
        }
    }

    func read(_ stream: LogStream, from: UInt64, maximumBytes: Int) {
        lastRead += 1
        reads[lastRead] = (stream, from)
        engine.submit(.read(tag: lastRead, stream: stream.record.id, from: from, maximumBytes: maximumBytes))
    }

    // MARK: The writer's answers

    /// Handles one report of the writer, on the loop.
    public func handle(_ report: StoreReport) {
        switch report {
        case .committed(let number, let used, let removed):
            usedBytes = used
            didCommit(number)
            take(removed)
        case .read(let tag, let segments, let removed):
            take(removed)
            guard let (stream, from) = reads.removeValue(forKey: tag) else { return }
            lastDone = tag
            stream.didRead(tag, from: from, segments)
        case .expired(let removed, let used):
            usedBytes = used
            take(removed)
        case .failing(let error):
            failure = error
            onHealth?(error)
        case .recovered:
            failure = nil
            onHealth?(nil)
        case .closed:
            closed?()
            closed = nil
        }
    }

    private func didCommit(_ number: UInt64) {
        while let group = groups.first, group.number <= number {
            groups.removeFirst()
            for message in group.held { message.isHeld = false }
            for action in group.actions { action() }
            for (stream, below) in group.streams { stream.committed(below: below) }
            for message in group.parts { message.partIsSafe() }
            if !group.held.isEmpty { for (stream, _) in group.streams { onReadable(stream) } }
        }
    }

    /// What was held may be read now.
    private func onReadable(_ stream: LogStream) {
        for membership in stream.memberships { membership.queue.streamIsReadable(stream) }
        if case .route = stream.record.kind { routeQueues[ObjectIdentifier(stream)]?.streamIsReadable(stream) }
    }

    var routeQueues: [ObjectIdentifier: RouteQueue] = [:]

    private func take(_ removed: [Removal]) {
        for removal in removed {
            switch removal.reason {
            case .evicted: evictedMessages += removal.last - removal.first + 1
            case .expired: expiredMessages += removal.last - removal.first + 1
            case .corrupt: break
            }
            guard let stream = streams[removal.stream] else { continue }
            onRemoval?(stream.record, removal)
            stream.removed(removal.first, through: removal.last)
            if let queue = routeQueues[ObjectIdentifier(stream)] { queue.removed(removal, from: stream) }
            for membership in stream.memberships { membership.removed(removal.first, through: removal.last) }
        }
    }

    /// Removes what is older than it may get; called now and then.
    public func expire() { engine.submit(.expire(now: clock.now)) }
}
