/// What the broker is told: the `[limits]` of docs/configuration.md in its own types. Bytes, seconds and counts.
public struct BrokerLimits: Sendable, Equatable {
    public var packetBytes = 1 << 20
    public var connectTimeout: Duration = .seconds(10)
    /// Receive Maximum that we announce.
    public var inflight: UInt16 = 100
    public var sessionMessages = 100_000
    public var sessionBytes = 64 << 20
    /// Unsent bytes for one connection; QoS 0 beyond it is dropped and counted.
    public var outputBytes = 4 << 20
    /// Seconds: the longest Session Expiry Interval granted, and what 3.1.1 sessions get.
    public var sessionExpiry: UInt32 = 7 * 86_400
    /// Messages a second of one client, 0: no limit.
    public var publishRate = 0
    public var topicLevels = 32
    public var topicAliases: UInt16 = 10
    public var maximumQoS: UInt8 = 2
    public var subscriptions = 1000
    public var retained = 100_000
    /// Connections a second from one address to one listener, 0: no limit.
    public var connectRate = 0
    public var sessionFullLosesNewest = false
    /// Refuse payloads that claim to be UTF-8 and are not.
    public var checksUTF8 = false
    public var retainAvailable = true
    /// 0: only `packetBytes` limits it.
    public var payloadBytes = 0
    /// Seconds; the longest Keep Alive accepted, 0: any.
    public var keepAlive: UInt16 = 0
    public var acceptsEmptyClientIdentifier = true
    public var clientIdentifierPrefix = "auto-"
    /// What a client that asks for Response Information is told, with its identifier for `{client}`; empty: nothing.
    public var responseInformation = ""
    /// 0: no limit.
    public var connections = 0
    public var sessions = 0

    public init() {}
}

public enum AnonymousPolicy: Sendable { case loopback, always, never }

/// What names a client without a login.
public enum NameSource: Sendable {
    case none
    /// Of its certificate: the subject's Common Name, the whole subject, the first alternative name.
    case commonName, subject, alternativeName
    /// On a Unix socket, the user of the system at the other end.
    case peer
}

/// Limits as connections share them: a listener's, or those of a user that has its own.
public final class SharedLimits {
    public let limits: BrokerLimits

    public init(_ limits: BrokerLimits) { self.limits = limits }
}

/// One listener's, shared by all its connections, which count themselves here.
public final class ListenerOptions {
    var connectionCount = 0
    /// Streams that the listener still looks at, and will accept or close.
    var undecidedCount = 0
    /// nil: no `connect_rate`.
    var connectRates: ConnectRates?
    var overRate = Episode()
    /// Connections whose own layer (PROXY, TLS, WebSocket) could not be agreed on.
    var strangers = Episode()
    public let anonymous: AnonymousPolicy
    public let maximumConnections: Int
    let sharedLimits: SharedLimits
    public let namesClients: NameSource
    /// It is this node's own parts that come here: they are not counted against `connections`, and reading them never stops.
    public let isInternal: Bool
    /// Told who comes and goes here.
    public weak var attendance: (any Attendance)?
    /// By user name: those with limits of their own.
    public var userLimits: [[UInt8]: SharedLimits] = [:]
    public var limits: BrokerLimits { sharedLimits.limits }

    public init(
        anonymous: AnonymousPolicy = .loopback, maximumConnections: Int = 10_000, limits: BrokerLimits = BrokerLimits(),
        namesClients: NameSource = .none, isInternal: Bool = false
    ) {
        self.anonymous = anonymous
        self.maximumConnections = maximumConnections
        sharedLimits = SharedLimits(limits)
        connectRates = limits.connectRate > 0 ? ConnectRates(perSecond: limits.connectRate) : nil
        self.namesClients = namesClients
        self.isInternal = isInternal
    }

    func limits(of userName: [UInt8]) -> SharedLimits {
        userLimits.isEmpty ? sharedLimits : userLimits[userName] ?? sharedLimits
    }
}

/// What the broker counts, for `$SYS`, metrics and `roost status`.
public struct BrokerFigures: Sendable {
    public var messagesReceived: UInt64 = 0
    public var messagesSent: UInt64 = 0
    public var publishesReceived: UInt64 = 0
    public var publishesSent: UInt64 = 0
    /// Messages that nobody will get: no room for QoS 0, a session's limit, a full store.
    public var dropped: UInt64 = 0
    /// What sessions that are over had lost.
    public var lostByEndedSessions: UInt64 = 0
    public var bytesReceived: UInt64 = 0
    public var bytesSent: UInt64 = 0
    public var connectionsAccepted: UInt64 = 0
    public var connectionsFailed: UInt64 = 0
    /// CONNECTs that were accepted.
    public var connectsAccepted: UInt64 = 0
    /// CONNECTs of clients that could not show who they are, or may not come in.
    public var authenticationFailures: UInt64 = 0
    /// PUBLISHes and Wills of clients without the right to the topic.
    public var deniedPublishes: UInt64 = 0
    /// Filters of SUBSCRIBEs without the right to anything that they match.
    public var deniedSubscriptions: UInt64 = 0
    /// Messages that had waited for a client that may not receive them any more.
    public var withheld: UInt64 = 0
    /// Connections that were closed for `connect_rate`.
    public var connectionsOverRate: UInt64 = 0
    /// PUBLISH packets that had to wait for `publish_rate`.
    public var publishesOverRate: UInt64 = 0
    public var maximumConnections = 0

    public init() {}
}

/// One line to the log. The daemon gives the broker its logger; tests give none.
public enum Severity: Int, Sendable, Comparable {
    case trace, debug, info, notice, warning, error

    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}
