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

    /// Whose position a route's own is: sessions are counted from 1.
    static let route = SessionID(rawValue: 0)
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
        /// Sessions of any set, which is stored with each message.
        case mixed
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
    /// Store time at which all of its messages have expired by their own Message Expiry Intervals; `.max`: one never does.
    public var expiry: Int64
    /// For each packet of a mixed stream, whom it is for; else empty. They join `index` when the segment is written.
    public var sets: [MessageSet]

    public init(
        stream: StreamID, first: UInt64, count: Int, packets: [UInt8], index: [UInt8], receivedAt: Int64,
        expiry: Int64, sets: [MessageSet] = []
    ) {
        self.stream = stream
        self.first = first
        self.count = count
        self.packets = packets
        self.index = index
        self.receivedAt = receivedAt
        self.expiry = expiry
        self.sets = sets
    }
}
