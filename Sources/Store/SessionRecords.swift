// Sessions, retained messages and runs as the database keeps them. Times are store time, milliseconds (`StoreClock`).

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
    /// The share group whose message it is; nil: the session's own.
    public var share: SessionID?

    public init(identifier: UInt16, stream: StreamID, number: UInt64, released: Bool, share: SessionID? = nil) {
        self.identifier = identifier
        self.stream = stream
        self.number = number
        self.released = released
        self.share = share
    }
}

/// A share group with a queue of its own: it takes part in streams as a session does, under an identifier of the same kind,
/// and is kept among the sessions.
public struct ShareRecord: Sendable, Equatable {
    public var id: SessionID
    /// `$share/{ShareName}/{filter}`.
    public var filter: [UInt8]

    public init(id: SessionID, filter: [UInt8]) {
        self.id = id
        self.filter = filter
    }

    /// What stands for the Client Identifier. None has U+0000 [MQTT-1.5.4-2].
    var name: [UInt8] { [0] + filter }

    /// nil: it names a Client.
    static func filter(ofName name: [UInt8]) -> [UInt8]? { name.first == 0 ? Array(name.dropFirst()) : nil }
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
