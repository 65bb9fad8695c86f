/// The header of a batch (docs/formats.md): whose messages these are, which numbers they carry, and the news about numbers
/// that will never come. `BatchHeader+Codec.swift` turns it into MQTT 5 User Properties and back.
public struct BatchHeader: Equatable, Sendable {
    /// The node's id; equals the last level of the topic that the batch is published to.
    public var node: String
    /// `UPLINK/ROUTE`, the names in the sender's configuration.
    public var route: String
    /// The run and lane that numbered the packets inside.
    public var run: BatchRun
    /// Number of the first packet inside, at least 1. A batch without packets has the next number.
    public var sequence: UInt64
    /// When the batch was made.
    public var madeAt: WallTime
    public var gaps: [BatchGap]
    public var ended: [BatchEnded]
    /// The node's labels, in the order given.
    public var labels: [Label]

    public struct Label: Equatable, Sendable {
        public var name: String
        public var value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    public init(
        node: String, route: String, run: BatchRun, sequence: UInt64, madeAt: WallTime, gaps: [BatchGap] = [],
        ended: [BatchEnded] = [], labels: [Label] = []
    ) {
        self.node = node
        self.route = route
        self.run = run
        self.sequence = sequence
        self.madeAt = madeAt
        self.gaps = gaps
        self.ended = ended
        self.labels = labels
    }
}

/// Milliseconds since 1970 UTC, and whether the clock that said so was ever set. On the wire an unset time has a `?` behind.
public struct WallTime: Hashable, Sendable {
    public var milliseconds: Int64
    public var isSet: Bool

    public init(milliseconds: Int64, isSet: Bool = true) {
        self.milliseconds = milliseconds
        self.isSet = isSet
    }
}

/// One run of the daemon and one of its loops: within it a route counts its messages from 1.
public struct BatchRun: Hashable, Sendable {
    /// Random, made at every start of the daemon.
    public var epoch: UInt64
    public var lane: UInt16

    public init(epoch: UInt64, lane: UInt16 = 0) {
        self.epoch = epoch
        self.lane = lane
    }
}

/// Messages of a run that will never come.
public struct BatchGap: Hashable, Sendable {
    public var run: BatchRun
    public var first: UInt64
    /// At least `first`.
    public var last: UInt64
    /// `evicted`, `expired`, `superseded`, `refused`, `dropped`, `unstored`, `corrupt`, or a word of a newer node. Without
    /// spaces.
    public var reason: String
    /// Times of receipt of the first and the last message.
    public var from: WallTime
    public var to: WallTime

    public init(run: BatchRun, first: UInt64, last: UInt64, reason: String, from: WallTime, to: WallTime) {
        self.run = run
        self.first = first
        self.last = last
        self.reason = reason
        self.from = from
        self.to = to
    }
}

/// An earlier run that stopped.
public struct BatchEnded: Hashable, Sendable {
    public var run: BatchRun
    /// Its highest number; nil after a stop without warning, when messages that nobody had acknowledged may be missing
    /// from its last moments.
    public var last: UInt64?
    public var at: WallTime

    public init(run: BatchRun, last: UInt64?, at: WallTime) {
        self.run = run
        self.last = last
        self.at = at
    }
}
