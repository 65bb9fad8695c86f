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
    /// The node's id, under an empty key: for those who read the database without its configuration. Under `login` a secret
    /// of the node's own.
    case node
    /// Packet Identifiers that a route's messages have at its upstream at QoS 2, by the route's name. An older Roost leaves
    /// it alone.
    case window
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
    /// Every destination has passed these numbers, out of their order: segments that lie wholly in one of the ranges go.
    case passed(StreamID, [ClosedRange<UInt64>])
    /// How far a session (or `SessionID.route`, the stream's own route) has come.
    case position(StreamID, SessionID, Position)
    case session(SessionRecord)
    /// `sessionRemoved` removes it.
    case share(ShareRecord)
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

    /// How many messages it has.
    var messages: Int { segments.reduce(0) { $0 + $1.count } }

    public init(number: UInt64, segments: [SegmentWrite], changes: [Change]) {
        self.number = number
        self.segments = segments
        self.changes = changes
    }
}
