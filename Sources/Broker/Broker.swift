import EventLoop
import MQTT
import Store

/// The MQTT Server of one loop: its sessions, who subscribes to what, and the way of each message from its publisher to its
/// destinations. It knows connections as byte streams and the disk as the log.
public final class Broker {
    /// Who publishes.
    public enum Origin {
        case client(Session)
        /// An upstream broker; its messages don't go back to it.
        case uplink(String)
        /// Roost itself, or the batch of another node.
        case node
    }

    /// What became of a message.
    public enum Outcome: Equatable {
        /// The waiter will be told.
        case pending
        /// Nobody needs to be waited for, or (an error) the message was refused and nobody gets it.
        case done(ReasonCode)
    }

    public let loop: EventLoop
    public let log: Log
    public let access: any AccessControl
    let limits: BrokerLimits
    /// Clients have been here whose `topic_levels` are not everybody's: the topics that are known may be too deep for some.
    var hasSeveralTopicLevels = false
    public var figures = BrokerFigures()
    /// Takes lines for the log.
    public var logger: ((Severity, String) -> Void)?
    /// Gets the PUBLISH packets that carry batches, if this node receives any.
    public weak var receiver: (any BatchReceiver)?
    /// Answers on the topics of device twins, if this node keeps any.
    public weak var twins: (any TwinKeeper)?
    /// Told to clients in CONNACK (User Property `roost-node`, MQTT 5): an uplink sends no message here that has been here.
    public var announcedNode: String?

    public internal(set) var sessions: [[UInt8]: Session] = [:]
    var connections: [ObjectIdentifier: Connection] = [:]
    public var connectionCount: Int { connections.count }
    let tree = SubscriptionTree()
    /// Shared Subscriptions by their whole filter, `$share` and all.
    public internal(set) var shares: [[UInt8]: ShareGroup] = [:]
    let retained = RetainedMessages()
    var refusedConnections = Episode()
    var retainedLimit = Episode()
    var failingSince: Instant?
    var refusedMessages = Episode()
    var refusedUpstream = Episode()
    /// Of the last rights that a session was given.
    var lastRightsSerial: UInt64 = 0
    /// By reason and whose messages they are.
    var removals: [String: Episode] = [:]
    public internal(set) var routes: [Route] = []
    var cache = DestinationCache()
    var routesGeneration: UInt64 = 0
    var template = PublishTemplate()
    var waitingConnections: [ObjectIdentifier: Connection] = [:]
    public let startedAt: Instant
    /// `shutDown` was called.
    var isStopping = false
    /// Messages that wait in memory for sessions that end with their connection: each has its own limits, and all together
    /// have as much as the log (`store.memory`).
    public let waitingMeter = MemoryMeter()
    var waitingLimit = Episode()
    /// Closes connections that have waited too long for a store that takes nothing.
    var refusalTimer: Timer?

    public init(
        log: Log, state: StoredState, limits: BrokerLimits = BrokerLimits(), access: any AccessControl = OpenAccess()
    ) {
        loop = log.loop
        self.log = log
        self.limits = limits
        self.access = access
        startedAt = log.loop.now
        log.onRoom = { [unowned self] in replayWaiting() }
        log.onRemoval = { [unowned self] stream, removal in messagesLeft(stream, removal) }
        restore(state)
        scheduleTidying()
    }

    /// Retained messages that have expired go; sessions leave the streams of sets that exist no more, so that they don't pile up where subscriptions change.
    private func scheduleTidying() {
        tidyingTimer = loop.schedule(after: Self.tidyingInterval) { [unowned self] in
            let idle = loop.now - Self.tidyingInterval
            let queues = sessions.values.compactMap(\.queue) + shares.values.compactMap(\.queue)
            for queue in queues.sorted(by: { $0.session.rawValue < $1.session.rawValue }) {
                queue.leaveFinishedStreams(idleSince: idle)
            }
            for group in sharesInOrder { group.endIfDone() }
            retained.removeExpired(at: log.clock.now) { log.forgetRetained($0) }
            scheduleTidying()
        }
    }

    deinit { loop.cancel(tidyingTimer) }

    var tidyingTimer = Timer.none
    private static let tidyingInterval = Duration.seconds(60)

    public var subscriptionCount: Int { tree.count + shares.values.reduce(0) { $0 + $1.extraMembers } }
    /// Without our own in `$SYS`; the bytes are with them.
    public var retainedCount: Int { max(retained.count - systemTopics.count, 0) }
    public var retainedBytes: Int { retained.bytes }
    public let systemTopics = SystemTopics()

    /// Messages that sessions and share groups lost to their limits, or to eviction.
    public var lostBySessions: UInt64 {
        shares.values.reduce(sessions.values.reduce(figures.lostByEndedSessions) { $0 + $1.lostMessages }) {
            $0 + $1.lostMessages
        }
    }

    /// Streams that listeners still look at.
    private var undecidedCount = 0

    /// Milliseconds since 1970 UTC, as far as the date is known.
    public var wallTime: Int64 { log.clock.now + log.clock.wallOffset }

    func logLine(_ level: Severity, _ line: @autoclosure () -> String) { logger?(level, line()) }

    // MARK: Connections

    /// A client has connected.
    ///
    /// - Parameter begun: when it did, where its listener has looked at it since; the connect timeout counts from then.
    public func accept(_ stream: ByteStream, listener: ListenerOptions, begun: Instant? = nil) {
        guard admits(stream, at: listener) else { return }
        let connection = Connection(stream, listener: listener, broker: self, begun: begun ?? loop.now)
        connections[ObjectIdentifier(connection)] = connection
        listener.connectionCount += 1
        figures.connectionsAccepted += 1
        figures.maximumConnections = max(figures.maximumConnections, connections.count)
    }

    /// Whether there is room for one more connection; the stream is closed if not.
    public func admits(_ stream: ByteStream, at listener: ListenerOptions) -> Bool {
        // One that was on its way when we were told to stop: nothing is taken any more, since each route's last number is told.
        guard !isStopping else {
            stream.close()
            return false
        }
        guard listener.connectionCount + listener.undecidedCount < listener.maximumConnections,
            limits.connections == 0 || listener.isInternal || connections.count + undecidedCount < limits.connections
        else {
            if refusedConnections.begins(at: loop.now) {
                logLine(.warning, "\(stream.peer): refused, max_connections reached")
            }
            stream.close()
            return false
        }
        return true
    }

    /// A stream at this listener is looked at before it is accepted, and counts as a connection meanwhile.
    public func beginsDeciding(at listener: ListenerOptions) {
        listener.undecidedCount += 1
        undecidedCount += 1
    }

    public func endsDeciding(at listener: ListenerOptions) {
        listener.undecidedCount -= 1
        undecidedCount -= 1
    }

    func forget(_ connection: Connection) {
        if connections.removeValue(forKey: ObjectIdentifier(connection)) != nil {
            connection.listener.connectionCount -= 1
        }
        waitingConnections[ObjectIdentifier(connection)] = nil
    }

    func hasRoom(for clientIdentifier: [UInt8], limits: BrokerLimits) -> Bool {
        limits.sessions == 0 || sessions[clientIdentifier] != nil || sessions.count < limits.sessions
    }

    /// Tells every client that the server goes, and closes. No Will is published for it.
    public func shutDown() {
        isStopping = true
        for connection in connections.inOrder {
            connection.disconnect(with: .serverShuttingDown)
        }
    }
}
