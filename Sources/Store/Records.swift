/// What the loop hands to the store's writer, and what it gets back: values that cross between threads.
///
/// Times are *store time*: milliseconds on the boot clock, accumulated in the store over restarts (`StoreClock`).

/// Names one stream of the log. Stream and number make a segment's key, so it stays below 2^22.
public struct StreamID: Hashable, Sendable, RawRepresentable {
    public let rawValue: Int64
    public init(rawValue: Int64) { self.rawValue = rawValue }
}

/// Names one session in the store, for as long as the session lives.
public struct SessionID: Hashable, Sendable, RawRepresentable {
    public let rawValue: Int64
    public init(rawValue: Int64) { self.rawValue = rawValue }
}

/// How much a message matters, in the words of `priority =`. Eviction starts below: sessions, then `bulk`.
public enum EvictionClass: Int, Sendable, Comparable {
    case session = 0
    case bulk, normal, high, critical

    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}

/// One session's share in a stream: enough to make its deliveries again after the subscription has changed.
public struct StreamMember: Hashable, Sendable {
    public var session: SessionID
    /// The granted QoS, 1 or 2.
    public var qos: UInt8
    public var retainAsPublished: Bool
    public var subscriptionIdentifiers: [UInt32]

    public init(session: SessionID, qos: UInt8, retainAsPublished: Bool, subscriptionIdentifiers: [UInt32]) {
        self.session = session
        self.qos = qos
        self.retainAsPublished = retainAsPublished
        self.subscriptionIdentifiers = subscriptionIdentifiers
    }
}

/// A stream as the database keeps it. Streams are numbered 1, 2, ... without holes, by one lane of one run.
public struct StreamRecord: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// `UPLINK/ROUTE`, the names in the configuration.
        case route(String)
        case sessions([StreamMember])
    }

    public var id: StreamID
    public var kind: Kind
    /// `RunRecord.ordinal` of the run that numbered its messages.
    public var run: Int64
    public var lane: UInt16
    public var evictionClass: EvictionClass
    /// Milliseconds that a message may wait in it.
    public var ttl: Int64
    /// Bytes that this stream's route may hold, over all its runs; `Int64.max`: no limit of its own.
    public var budgetBytes: Int64

    public init(
        id: StreamID, kind: Kind, run: Int64, lane: UInt16, evictionClass: EvictionClass, ttl: Int64,
        budgetBytes: Int64 = .max
    ) {
        self.id = id
        self.kind = kind
        self.run = run
        self.lane = lane
        self.evictionClass = evictionClass
        self.ttl = ttl
        self.budgetBytes = budgetBytes
    }
}

/// How far one session has come in one stream: everything to `cursor`, and what it finished above.
public struct Position: Sendable, Equatable {
    public var cursor: UInt64
    /// Ascending, disjoint, all above `cursor`.
    public var finished: [ClosedRange<UInt64>]

    public init(cursor: UInt64, finished: [ClosedRange<UInt64>] = []) {
        self.cursor = cursor
        self.finished = finished
    }
}

/// A part of a stream that goes to the disk as one row.
public struct SegmentWrite: Sendable {
    public var stream: StreamID
    public var first: UInt64
    public var count: Int
    /// Concatenated MQTT 5 PUBLISH packets as published: no Topic Alias, Packet Identifier 1 where QoS > 0.
    public var packets: [UInt8]
    /// For each packet: lane sequence and time of receipt (`SegmentIndex`).
    public var index: [UInt8]
    /// Store time of the first message's receipt.
    public var receivedAt: Int64
    /// Store time at which the first of its messages expires by its own Message Expiry Interval; `.max`: none does.
    public var oldestExpiry: Int64

    public init(
        stream: StreamID, first: UInt64, count: Int, packets: [UInt8], index: [UInt8], receivedAt: Int64,
        oldestExpiry: Int64
    ) {
        self.stream = stream
        self.first = first
        self.count = count
        self.packets = packets
        self.index = index
        self.receivedAt = receivedAt
        self.oldestExpiry = oldestExpiry
    }
}

public struct SessionRecord: Sendable, Equatable {
    public var id: SessionID
    public var clientIdentifier: [UInt8]
    public var userName: [UInt8]
    /// Session Expiry Interval in seconds; `UInt32.max`: never.
    public var expiryInterval: UInt32
    /// Store time of the end of its last connection; nil while connected (and after a stop that found it connected).
    public var disconnectedAt: Int64?

    public init(
        id: SessionID, clientIdentifier: [UInt8], userName: [UInt8], expiryInterval: UInt32, disconnectedAt: Int64?
    ) {
        self.id = id
        self.clientIdentifier = clientIdentifier
        self.userName = userName
        self.expiryInterval = expiryInterval
        self.disconnectedAt = disconnectedAt
    }
}

public struct SubscriptionRecord: Sendable, Equatable {
    public var filter: [UInt8]
    public var qos: UInt8
    public var noLocal: Bool
    public var retainAsPublished: Bool
    public var retainHandling: UInt8
    /// 0: none.
    public var subscriptionIdentifier: UInt32

    public init(
        filter: [UInt8], qos: UInt8, noLocal: Bool, retainAsPublished: Bool, retainHandling: UInt8,
        subscriptionIdentifier: UInt32
    ) {
        self.filter = filter
        self.qos = qos
        self.noLocal = noLocal
        self.retainAsPublished = retainAsPublished
        self.retainHandling = retainHandling
        self.subscriptionIdentifier = subscriptionIdentifier
    }
}

/// A Packet Identifier that a session's QoS 2 delivery has taken.
public struct OutboundRecord: Sendable, Equatable {
    public var identifier: UInt16
    public var stream: StreamID
    public var number: UInt64
    /// PUBREC came: PUBREL is what is owed, and the message itself is finished.
    public var released: Bool

    public init(identifier: UInt16, stream: StreamID, number: UInt64, released: Bool) {
        self.identifier = identifier
        self.stream = stream
        self.number = number
        self.released = released
    }
}

public struct RetainedRecord: Sendable, Equatable {
    /// The MQTT 5 PUBLISH packet, as in a segment.
    public var packet: [UInt8]
    public var receivedAt: Int64
    /// Store time; `.max`: none.
    public var expiresAt: Int64

    public init(packet: [UInt8], receivedAt: Int64, expiresAt: Int64) {
        self.packet = packet
        self.receivedAt = receivedAt
        self.expiresAt = expiresAt
    }
}

/// One start of the daemon: whose numbers are whose, and how store time turns into dates.
public struct RunRecord: Sendable, Equatable {
    /// 1, 2, ...: one a start.
    public var ordinal: Int64
    /// Random; names the run on the wire.
    public var epoch: UInt64
    public var bootID: String
    /// Boot clock at the start, milliseconds, and the store time that it stands for.
    public var bootMilliseconds: Int64
    public var storeMilliseconds: Int64
    /// Wall clock minus store time, milliseconds, as last known.
    public var wallOffset: Int64
    /// The clock was set (synchronised, or plausibly kept) when `wallOffset` was read.
    public var clockSet: Bool
    /// The clock was synchronised when `wallOffset` was read.
    public var synchronised: Bool
    public var endedCleanly: Bool

    public init(
        ordinal: Int64, epoch: UInt64, bootID: String, bootMilliseconds: Int64, storeMilliseconds: Int64,
        wallOffset: Int64, clockSet: Bool, synchronised: Bool, endedCleanly: Bool
    ) {
        self.ordinal = ordinal
        self.epoch = epoch
        self.bootID = bootID
        self.bootMilliseconds = bootMilliseconds
        self.storeMilliseconds = storeMilliseconds
        self.wallOffset = wallOffset
        self.clockSet = clockSet
        self.synchronised = synchronised
        self.endedCleanly = endedCleanly
    }
}

/// Small state that its owner encodes itself.
public enum StateKind: Int, Sendable, CaseIterable {
    /// Will Messages of connected clients, by Client Identifier.
    case will = 1
    /// What a receiver has of each (node, route, epoch, lane).
    case receiver
    /// Gaps of a route that no batch has carried yet.
    case gap
    /// Runs of a route that ended, until a batch has carried the news.
    case ended
    case twin
}

/// A change to an ordinary table, made in the same transaction as the segments of its group, in the order given.
public enum Change: Sendable {
    case run(RunRecord)
    case stream(StreamRecord)
    /// The stream, its members' positions and its segments go.
    case streamRemoved(StreamID)
    /// Every destination has passed the numbers below: segments that lie wholly below go. For a route this is also its
    /// cursor.
    case trim(StreamID, below: UInt64)
    case position(StreamID, SessionID, Position)
    case session(SessionRecord)
    /// The session, its subscriptions, identifiers and positions go.
    case sessionRemoved(SessionID)
    case subscription(SessionID, SubscriptionRecord)
    case subscriptionRemoved(SessionID, filter: [UInt8])
    /// Packet Identifiers of inbound QoS 2 messages whose PUBREL is awaited.
    case inbound(SessionID, UInt16)
    case inboundRemoved(SessionID, UInt16)
    case outbound(SessionID, OutboundRecord)
    case outboundRemoved(SessionID, UInt16)
    /// nil removes it.
    case retained(topic: [UInt8], RetainedRecord?)
    case state(StateKind, key: [UInt8], value: [UInt8]?)
}

/// One transaction.
public struct CommitGroup: Sendable {
    /// 1, 2, ... in the order in which they must be committed.
    public var number: UInt64
    public var segments: [SegmentWrite]
    public var changes: [Change]

    public init(number: UInt64, segments: [SegmentWrite], changes: [Change]) {
        self.number = number
        self.segments = segments
        self.changes = changes
    }
}

/// Segments that left the log before their destinations had them.
public struct Removal: Sendable, Equatable {
    public enum Reason: String, Sendable { case evicted, expired, corrupt }

    public var stream: StreamID
    public var first: UInt64
    public var last: UInt64
    public var bytes: Int
    public var reason: Reason
    /// Store time of receipt of the first segment's first message, and of the last segment's.
    public var from: Int64
    public var to: Int64

    public init(
        stream: StreamID, first: UInt64, last: UInt64, bytes: Int, reason: Reason, from: Int64, to: Int64
    ) {
        self.stream = stream
        self.first = first
        self.last = last
        self.bytes = bytes
        self.reason = reason
        self.from = from
        self.to = to
    }
}

/// A segment read back.
public struct StoredSegment: Sendable {
    public var stream: StreamID
    public var first: UInt64
    public var count: Int
    public var packets: [UInt8]
    public var index: [UInt8]
    public var receivedAt: Int64

    public init(
        stream: StreamID, first: UInt64, count: Int, packets: [UInt8], index: [UInt8], receivedAt: Int64
    ) {
        self.stream = stream
        self.first = first
        self.count = count
        self.packets = packets
        self.index = index
        self.receivedAt = receivedAt
    }
}

/// What the loop asks of the writer.
public enum StoreJob: Sendable {
    case commit(CommitGroup)
    /// Segments of a stream from the one that holds `from` (or, if none does, the first above), until `maximumBytes` of
    /// packets are read, at least one. `tag` comes back with the answer.
    case read(tag: UInt64, stream: StreamID, from: UInt64, maximumBytes: Int)
    /// Removes segments all of whose messages are older than their stream's TTL at `now` (store time).
    case expire(now: Int64)
    /// Commits what is pending, checkpoints the WAL and closes.
    case close
}

/// What the writer answers, in order.
public enum StoreReport: Sendable {
    /// `usedBytes` counts used pages and the WAL. `removed` went in the same transaction, to keep the budget.
    case committed(number: UInt64, usedBytes: Int, removed: [Removal])
    case read(tag: UInt64, segments: [StoredSegment], removed: [Removal])
    case expired([Removal], usedBytes: Int)
    /// A write or sync failed. Nothing pending counts as kept; the writer reopens the database and writes it again until
    /// it succeeds, then reports `recovered` and the commit.
    case failing(StoreError)
    case recovered
    case closed
}

/// What the database held when it was opened.
public struct StoredState: Sendable {
    public struct Stream: Sendable {
        public var record: StreamRecord
        /// Every destination has passed the numbers below.
        public var trimmedBelow: UInt64
        /// First and last number on disk; nil: nothing is.
        public var numbers: ClosedRange<UInt64>?
        public var messages: Int
        /// Of packets, before compression.
        public var bytes: Int
        /// Store time of receipt of the oldest message on disk.
        public var oldest: Int64
        /// By session, for session streams.
        public var positions: [SessionID: Position]

        public init(
            record: StreamRecord, trimmedBelow: UInt64, numbers: ClosedRange<UInt64>?, messages: Int, bytes: Int,
            oldest: Int64, positions: [SessionID: Position]
        ) {
            self.record = record
            self.trimmedBelow = trimmedBelow
            self.numbers = numbers
            self.messages = messages
            self.bytes = bytes
            self.oldest = oldest
            self.positions = positions
        }
    }

    public struct Session: Sendable {
        public var record: SessionRecord
        public var subscriptions: [SubscriptionRecord]
        public var inbound: [UInt16]
        public var outbound: [OutboundRecord]

        public init(
            record: SessionRecord, subscriptions: [SubscriptionRecord], inbound: [UInt16], outbound: [OutboundRecord]
        ) {
            self.record = record
            self.subscriptions = subscriptions
            self.inbound = inbound
            self.outbound = outbound
        }
    }

    public var runs: [RunRecord] = []
    public var streams: [Stream] = []
    public var sessions: [Session] = []
    public var retained: [(topic: [UInt8], record: RetainedRecord)] = []
    public var states: [(kind: StateKind, key: [UInt8], value: [UInt8])] = []
    public var usedBytes = 0

    public init() {}
}

/// The writer as the loop sees it: a thread in the daemon, a step of the schedule in tests and simulation. Reports go to
/// the handler given at its start, on the loop.
public protocol StoreEngine: AnyObject {
    func submit(_ job: StoreJob)
}

/// What went wrong with the store, with what a person needs to act.
public enum StoreError: Error, Equatable, Sendable {
    /// Another process has the data directory.
    case locked(path: String)
    case notWritable(path: String, errno: Int32)
    case notADatabase(path: String)
    /// Written by a newer Roost.
    case newerSchema(path: String, found: Int, known: Int)
    case corrupt(path: String, detail: String)
    case full(path: String)
    case failed(path: String, code: Int32, detail: String)
}
