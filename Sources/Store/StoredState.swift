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
        /// ... and of the first message of the newest segment.
        public var newest: Int64
        /// By session, for session streams.
        public var positions: [SessionID: Position]
        /// What a mixed stream's segments say of whom their messages are for.
        public var mixed: Mixed?

        public init(
            record: StreamRecord, trimmedBelow: UInt64, numbers: ClosedRange<UInt64>?, messages: Int, bytes: Int,
            oldest: Int64, newest: Int64 = 0, positions: [SessionID: Position]
        ) {
            self.record = record
            self.trimmedBelow = trimmedBelow
            self.numbers = numbers
            self.messages = messages
            self.bytes = bytes
            self.oldest = oldest
            self.newest = newest
            self.positions = positions
        }
    }

    /// A mixed stream's messages by those who wait for them.
    public struct Mixed: Sendable {
        /// First and last number of each segment, from where every destination has passed them on.
        public var segments: [ClosedRange<UInt64>] = []
        /// The numbers that each session has not finished, ascending.
        public var waiting: [SessionID: [UInt64]] = [:]
        /// The highest that any message names, also of those that are gone.
        public var highestSession: Int64 = 0
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

    public struct Share: Sendable {
        public var record: ShareRecord
        /// What went at QoS 2 to members whose sessions end with their connections: nobody else may have it
        /// [MQTT-4.8.2-5]. The identifiers are the group's own.
        public var outbound: [OutboundRecord]

        public init(record: ShareRecord, outbound: [OutboundRecord]) {
            self.record = record
            self.outbound = outbound
        }
    }

    /// A session's place in one stream, or a share group's.
    public struct Place: Sendable {
        public var stream: StreamID
        public var member: StreamMember
        public var position: Position
    }

    /// Every session's places.
    public var places: [SessionID: [Place]] {
        var places: [SessionID: [Place]] = [:]
        for stream in streams {
            guard case .sessions(let members) = stream.record.kind else { continue }
            for member in members {
                let position = stream.positions[member.session] ?? Position(cursor: max(stream.trimmedBelow, 1) - 1)
                places[member.session, default: []].append(
                    Place(stream: stream.record.id, member: member, position: position))
            }
        }
        return places
    }

    public var runs: [RunRecord] = []
    public var streams: [Stream] = []
    public var sessions: [Session] = []
    public var shares: [Share] = []
    public var retained: [(topic: [UInt8], record: RetainedRecord)] = []
    public var states: [(kind: StateKind, key: [UInt8], value: [UInt8])] = []
    public var usedBytes = 0
    /// Of streams that were removed and whose segments have yet to go; 0: there is none.
    public var highestRemovedStream: Int64 = 0

    public init() {}
}
