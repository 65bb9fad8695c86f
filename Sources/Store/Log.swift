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
    /// Streams of one set of sessions each, earlier runs' included, beyond which new sets go to the mixed stream.
    public var maximumSessionStreams: Int

    public init(
        settle: Duration = .milliseconds(20), commit: Duration = .seconds(1), memoryBytes: Int = 32 << 20,
        budgetBytes: Int = 1 << 30, refusesWhenFull: Bool = false, isRelaxed: Bool = false,
        ttl: Int64 = 30 * 86_400_000,
        maximumSessionStreams: Int = 256
    ) {
        self.settle = settle
        self.commit = commit
        self.memoryBytes = memoryBytes
        self.budgetBytes = budgetBytes
        self.refusesWhenFull = refusesWhenFull
        self.isRelaxed = isRelaxed
        self.ttl = ttl
        self.maximumSessionStreams = maximumSessionStreams
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
    let engine: any StoreEngine
    private(set) var runs: [Int64: RunRecord]
    /// This run as the database has it, or will with the next group.
    var recordedRun: RunRecord

    var nextLaneSequence: UInt64
    var nextStreamID: Int64
    var nextSessionID: Int64
    var streams: [StreamID: LogStream] = [:]
    var routeQueues: [ObjectIdentifier: RouteQueue] = [:]
    var sessionStreams: [[StreamMember]: LogStream] = [:]
    /// ... and those of earlier runs.
    var sessionStreamCount = 0
    /// This run's, once it is needed.
    var mixedStream: LogStream?
    var earlierMixed: [LogStream] = []
    var messageSets = MessageSets()
    /// Counts changes to what `sessionStream(for:)` gives: who caches its answers compares.
    public internal(set) var topology: UInt64 = 0

    // The group being gathered in this tick.
    var dueStreams: [LogStream] = []
    var dueChanges: [Change] = []
    var dueParts: [Message] = []
    var dueActions: [() -> Void] = []
    /// What was put off goes with the next group.
    var takesPutOff = false
    var dueRetained: [[UInt8]: RetainedRecord?] = [:]
    var dueHeld: [Message] = []
    /// Retained messages nobody waits for go with the next group; without one, by the commit timer.
    var hasDueRetained = false
    var isGroupAsked = false
    // What waits for the commit timer.
    var lazyChanges: [Change] = []
    var lazyStreams: [LogStream] = []
    var lazyPositions: [SessionQueue.Membership] = []
    var lazyRoutes: [RouteQueue] = []
    var lazyMixed: [LogStream] = []
    /// Go with the next group, whatever it is of.
    var tiedStreams: [LogStream] = []
    var lazyTimer: Timer?
    // What waits for its destinations.
    var settling: Deque<(deadline: Instant, message: Message, streams: [LogStream])> = []
    var settleTimer: Timer?

    struct Group {
        var number: UInt64
        var streams: [(stream: LogStream, below: UInt64)]
        var parts: [Message]
        var held: [Message]
        var actions: [() -> Void]
    }
    var groups: Deque<Group> = []
    var lastGroup: UInt64 = 0
    var reads: [UInt64: (stream: LogStream, from: UInt64)] = [:]
    var lastRead: UInt64 = 0
    /// Reads whose messages are in memory, over all streams.
    var loadedRuns = 0
    /// The last read that was answered.
    var lastDone: UInt64 = 0

    /// The writer was asked for what it has not written; nothing is submitted before it answers.
    var isWithdrawing = false
    /// Messages that were taken, and refused since the disk didn't take them.
    public internal(set) var withdrawnMessages: UInt64 = 0
    /// ... and acknowledged before they were written (`relaxed`).
    public internal(set) var acknowledgedInMemory: UInt64 = 0
    /// Bytes in use on disk, as of the last commit.
    public internal(set) var usedBytes: Int
    /// Why nothing can be kept now; nil while all is well.
    public internal(set) var failure: StoreError?
    /// Bytes handed to the writer, before compression.
    public internal(set) var submittedBytes: UInt64 = 0
    public internal(set) var submittedGroups: UInt64 = 0
    public internal(set) var evictedMessages: UInt64 = 0
    public internal(set) var expiredMessages: UInt64 = 0
    /// Messages that were damaged on disk and are lost.
    public internal(set) var corruptMessages: UInt64 = 0
    /// Damaged databases that were replaced by what could be saved of them.
    public internal(set) var salvages: UInt64 = 0
    /// The last of them; nil: the database has been whole since the start.
    public internal(set) var lastSalvage: SalvageReport?
    var isSalvaging = false
    /// Told of damage on the disk that something was lost to, or nearly.
    public var onDamage: ((StoreDamage) -> Void)?
    var closed: (() -> Void)?
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
        clock = StoreClock(clock: loop.clock, last: last, newest: state.streams.map(\.newest).max() ?? 0)
        // A run whose record the disk has lost may have left streams: their numbers are not this run's.
        let ordinal = max(last?.ordinal ?? 0, state.streams.map(\.record.run).max() ?? 0) + 1
        run = RunRecord(
            ordinal: ordinal, epoch: epoch, bootID: clock.bootID, bootMilliseconds: clock.bootMilliseconds,
            storeMilliseconds: clock.now, wallOffset: clock.wallOffset, clockSet: clock.isSet,
            synchronised: clock.isSynchronised, endedCleanly: false)
        recordedRun = run
        // 2^44 messages a run, 2^19 runs: lane sequences rise over restarts.
        nextLaneSequence = UInt64(ordinal) << 44
        nextStreamID = state.highestStream + 1
        nextSessionID = state.highestSession + 1
        usedBytes = state.usedBytes
        runs = Dictionary(uniqueKeysWithValues: state.runs.map { ($0.ordinal, $0) })
        nameLostRuns(of: state.streams)
        for stored in state.streams {
            let numbering = Numbering(
                run: stored.record.run, epoch: runs[stored.record.run]?.epoch ?? 0, lane: stored.record.lane)
            let stream = LogStream(stored: stored, numbering: numbering, log: self)
            streams[stored.record.id] = stream
            switch stored.record.kind {
            case .route: break
            case .sessions: sessionStreamCount += 1
            case .mixed: earlierMixed.append(stream)
            }
        }
        dueChanges.append(.run(run))
        loop.atTickEnd { [unowned self] in tickEnd() }
    }

    /// Only a damaged or lying disk loses a run's record and keeps its streams. The epoch under which the far end may have some of
    /// their numbers is gone: they go under another one of their own, since two runs under one would pass for each other.
    private func nameLostRuns(of stored: [StoredState.Stream]) {
        for ordinal in Set(stored.map(\.record.run)).subtracting(runs.keys).sorted() {
            let lost = RunRecord(
                ordinal: ordinal, epoch: run.epoch &- UInt64(bitPattern: run.ordinal - ordinal), bootID: "",
                bootMilliseconds: 0, storeMilliseconds: clock.now, wallOffset: clock.wallOffset, clockSet: false,
                synchronised: false, endedCleanly: false)
            runs[ordinal] = lost
            dueChanges.append(.run(lost))
        }
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
}
