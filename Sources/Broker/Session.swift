import DequeModule
import EventLoop
import MQTT
import Store

/// A Session: what the broker remembers of one Client Identifier, connected or not.
///
/// Durable sessions (Session Expiry Interval > 0) are in the store, and their messages with QoS > 0 go through the log.
/// Sessions that end with their connection keep what waits for them in memory.
public final class Session {
    /// A delivery that the client has yet to finish.
    struct Outbound {
        enum State {
            /// QoS 2 of a durable session: waiting until the identifier is on disk.
            case binding
            case published
            /// PUBREC came and is being recorded.
            case recording
            case released
        }

        var state: State
        var qos: QoS
        var membership: SessionQueue.Membership?
        var number: UInt64
        /// Its place in the order in which the session's deliveries were first sent; 0: an earlier run sent it, before
        /// anything of this one.
        var order: UInt64 = 0
        var sentAt: Instant
        /// It was sent, or may have been in an earlier run: the next time is with DUP [MQTT-3.3.1-1].
        var isSent = true
        /// A Shared Subscription's; nil: the session's own.
        var share: SharedDelivery?
    }

    /// A QoS 2 message whose PUBREL is awaited.
    struct Inbound {
        var isSafe: Bool
        /// Its place in the connection's PUBREC queue.
        var ticket: UInt64?
    }

    /// What waits in memory for a session that ends with its connection.
    struct Waiting {
        var message: Message
        var qos: QoS
        var retain: Bool
        var subscriptionIdentifiers: [UInt32]
    }

    public let clientIdentifier: [UInt8]
    /// Set by `adopt(_:)`.
    public internal(set) var identity: ClientIdentity
    /// The identity's, at hand for every message; nil: all that any client may.
    var rights: (any TopicRights)?
    /// Numbers the rights of all sessions.
    var rightsSerial: UInt64 = 0
    /// The lane sequence of the first message that is routed to it under these rights.
    var checkedFrom: UInt64 = 0
    public var userName: [UInt8] { identity.userName }
    unowned let broker: Broker
    /// nil: the session ends with its connection.
    var queue: SessionQueue?
    public internal(set) var connection: Connection?
    var subscriptions: [[UInt8]: SubscriptionState] = [:]
    /// The Shared Subscriptions that it is a member of.
    var shares: [ShareGroup.Member] = []
    /// Whose turn it is where the session's own messages and shared ones wait for its window.
    var sharesGoFirst = false
    /// `pump` comes at the end of the tick.
    var isPumpDue = false
    /// Seconds; `UInt32.max`: never.
    public internal(set) var expiryInterval: UInt32 = 0
    /// Store time at which the client left.
    public internal(set) var disconnectedAt: Int64?
    var expiryTimer: Timer?
    var will: PendingWill?

    var outbound: [UInt16: Outbound] = [:]
    private var lastIdentifier: UInt16 = 0
    private var lastOrder: UInt64 = 0
    /// Identifiers to be sent again on a new connection, in the order of the first sending.
    var resends: Deque<UInt16> = []
    /// Deliveries that the client may have open at once.
    var window = 0
    /// Something waits that could not be sent at once.
    var isBehind = false
    /// Bytes of messages whose identifiers are on their way to the disk.
    var bindingBytes = 0
    var inbound: [UInt16: Inbound] = [:]
    var waiting: Deque<Waiting> = []
    /// Retained messages at QoS 0 that go as the connection's output drains.
    var retainedBacklog: Deque<(message: Message, subscriptionIdentifiers: [UInt32])> = []
    var waitingBytes = 0
    /// From a delivery to its acknowledgement.
    var answers = SmoothedTime()
    var deniedPublishes = Episode()
    var deniedSubscriptions = Episode()
    private var slowness = Episode()

    init(clientIdentifier: [UInt8], broker: Broker) {
        self.clientIdentifier = clientIdentifier
        identity = ClientIdentity(clientIdentifier: clientIdentifier)
        self.broker = broker
    }

    var id: SessionID? { queue?.session }
    public var isDurable: Bool { queue != nil }
    public var isConnected: Bool { connection != nil }
    public var subscriptionCount: Int { subscriptions.count }
    public var queuedMessages: Int { queue?.waitingMessages ?? waiting.count }
    public var queuedBytes: Int { queue?.waitingBytes ?? waitingBytes }
    public var inflightCount: Int { outbound.count }
    /// Messages that the session lost to its limits, or to eviction.
    public var lostMessages: UInt64 { queue?.lost ?? 0 }
    /// The session is full and loses messages now.
    public var isLosing: Bool {
        guard let queue, queue.losesEpisode else { return false }
        // The episode is over for the queue only when the next message comes.
        return queue.waitingMessages * 2 >= queue.maximumMessages || queue.waitingBytes * 2 >= queue.maximumBytes
    }

    var hasRoom: Bool { outbound.count < window }

    /// The client reads more slowly than its messages come, and loses one for it.
    func loseToSlowness() {
        broker.figures.dropped += 1
        guard slowness.begins(at: broker.loop.now) else { return }
        broker.logLine(
            .warning,
            "\(text(clientIdentifier)) reads too slowly and loses messages (limits.output_buffer, limits.session_messages)"
        )
    }

    /// A Packet Identifier that no delivery has.
    func takeIdentifier() -> UInt16 {
        repeat {
            lastIdentifier = lastIdentifier == .max ? 1 : lastIdentifier + 1
        } while outbound[lastIdentifier] != nil
        return lastIdentifier
    }

    func takeOrder() -> UInt64 {
        lastOrder += 1
        return lastOrder
    }

    var record: SessionRecord? {
        guard let id else { return nil }
        return SessionRecord(
            id: id, clientIdentifier: clientIdentifier, userName: userName, expiryInterval: expiryInterval,
            disconnectedAt: disconnectedAt)
    }

    /// Makes an ephemeral session durable: its messages go through the log from now on.
    func makeDurable(_ id: SessionID, limits: BrokerLimits) {
        let queue = SessionQueue(
            session: id, log: broker.log, maximumMessages: limits.sessionMessages, maximumBytes: limits.sessionBytes)
        queue.onAppend = { [unowned self] membership, number, message in
            offer(membership, number, message)
            if isBehind { membership.queue.enforceLimits() }
        }
        queue.onHold = { [unowned self] in isBehind = true }
        queue.bound(by: limits)
        queue.onReadable = { [unowned self] in pump() }
        queue.onLoss = { [unowned self, unowned queue] in
            let which = queue.losesNewest ? "newest" : "oldest"
            broker.logLine(.warning, "session \(text(clientIdentifier)) is full: it loses its \(which)")
        }
        self.queue = queue
    }

    // MARK: Settling

    /// Says whether the log may wait for this session's acknowledgements before it writes.
    func updateSettling() {
        if !shares.isEmpty { for share in shares { share.group.updateSettling() } }
        guard let queue else { return }
        queue.setCanSettle(!isBehind && answersInTime)
    }

    /// The client is there, has room and usually answers within half of the settle window.
    var answersInTime: Bool {
        let settle = Double(broker.log.options.settle.milliseconds)
        return connection != nil && hasRoom && resends.isEmpty && answers.milliseconds * 2 < settle
    }

    func measured(_ delivery: Outbound) { answers.add(broker.loop.now - delivery.sentAt) }
}

/// Bytes as text for a log line: what isn't UTF-8 is replaced.
func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
func text(_ bytes: UnsafeRawBufferPointer) -> String { String(decoding: bytes, as: UTF8.self) }

extension SessionQueue {
    /// Its client has come with these limits; what is too much for them goes with the next message.
    func bound(by limits: BrokerLimits) {
        maximumMessages = limits.sessionMessages
        maximumBytes = limits.sessionBytes
        losesNewest = limits.sessionFullLosesNewest
    }
}
