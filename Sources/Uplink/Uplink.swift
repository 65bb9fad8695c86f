import Client
import EventLoop
import MQTT
import Store

/// One `[[uplink]]`: keeps a connection to the upstream, sends the routes' messages over it, and hands what comes from the
/// cloud to the broker.
///
/// It owns the connection's life (`Uplink+Connection.swift`), shares the link between the routes
/// (`Uplink+Sending.swift`) and takes what the upstream publishes (`Uplink+Receiving.swift`). Runs on its loop alone.
public final class Uplink {
    /// In the words of `roost uplink`.
    public enum State: String, Sendable {
        case connected
        case connecting
        /// Between two attempts.
        case waiting
        case paused
        /// Connected, but nobody subscribes to batches.
        case noReceiver = "no receiver"
    }

    public struct Figures: Sendable, Equatable {
        public var sentMessages: UInt64
        /// All bytes on the link, upwards.
        public var sentBytes: UInt64
        public var receivedBytes: UInt64
        public var acknowledgedMessages: UInt64
        /// Messages of QoS 2 that went at QoS 1, again or for the first time (mode `each`).
        public var downgradedMessages: UInt64
        /// Connections after the first.
        public var reconnects: UInt64
        /// Smoothed, from sending to acknowledgement; 0 before the first.
        public var roundTripMilliseconds: Double
    }

    public let options: UplinkOptions
    public let loop: EventLoop
    let network: any Network
    let client: MQTTClient
    let context: SendingContext
    let addresses: [UplinkAddress]
    private let tls: TLSClientContext?
    let senders: [any RouteSender]
    let sink: any MessageSink
    let mappings: [(filter: [UInt8], mapping: TopicMapping)]
    let via: [UInt8]

    /// What keeps it from turning: paused, or not started.
    var isPaused = true
    var reconnection: Reconnection
    var retry = Timer.none
    var isWaiting = false
    var connectedAt: Instant?
    var connections: UInt64 = 0
    /// When the upstream said that another client took the session over.
    var takeovers: [Instant] = []
    /// It was taken over twice in a short time.
    var isContested = false
    /// The upstream has taken something on this connection.
    var isUseful = false
    /// When an acknowledgement came last, or what was sent was still leaving.
    var lastProgress = Instant(nanoseconds: 0)
    /// Why we end the connection ourselves.
    var goodbye: Goodbye?
    /// Nothing more is sent: what is in flight is waited for, and then the connection is left.
    var isSettling = false
    var settlingTimer = Timer.none
    var stopped: (() -> Void)?
    /// Looks at earlier addresses while a later one is connected.
    var failback = Timer.none
    var failbackRounds = 0
    var looking: (any Connecting)?
    /// SUBSCRIBEs that are not answered.
    var requests: [UInt16: [SubscribeOptions]] = [:]
    /// All were granted, in this run.
    var isSubscribed = false
    var refusedSubscriptions: [String] = []
    var health = LinkHealth()
    let lanes: [RouteLane]
    var fairShare: FairShare
    var flightWindow = FlightWindow()
    /// How long a PUBLISH waits here for `egress_rate`.
    var pacing = SmoothedTime()
    var isPumpDue = false
    var wake = Timer.none
    var wakeAt: Instant?
    var inboundTopic = RawBytes()
    /// The connection on which the store did not take a message.
    var refusedConnection: Int?
    /// Told of each connection, and whether the upstream still had our Session.
    public var onConnect: ((_ sessionPresent: Bool) -> Void)?

    /// When `state` became what it is.
    public internal(set) var since: Instant
    /// What went wrong with the connection last; nil: nothing since it was made.
    var failure: String?
    /// Which of `addresses` that was.
    var failedAddress = 0
    /// Told when `state` has changed.
    public var onState: ((State) -> Void)?
    /// One line for the log.
    public var onNotice: ((String) -> Void)? {
        didSet { context.onNotice = onNotice }
    }
    var lastState = State.paused
    /// A try that is running.
    var trial: UplinkTrial?

    /// - Parameters:
    ///   - queues: one for each of `options.routes`, in their order.
    ///   - storeTime: store time, milliseconds.
    ///   - random: 0..<1, for jitter.
    ///   - localOffset: local time minus UTC at a time in seconds since 1970, in seconds.
    ///   - cpuTime: nanoseconds of CPU that the loop's thread has used; nil: the core never counts as busy.
    public init(
        options: UplinkOptions, loop: EventLoop, network: any Network, queues: [RouteQueue], sink: any MessageSink,
        tls: TLSClientContext? = nil, storeTime: @escaping () -> Int64,
        random: @escaping () -> Double = { Double.random(in: 0..<1) },
        localOffset: @escaping (Int64) -> Int = LocalClock.offset, cpuTime: (() -> Int64)? = nil
    ) throws(UplinkError) {
        precondition(queues.count == options.routes.count, "a queue for each route")
        guard !options.urls.isEmpty else { throw .noAddress(uplink: options.name) }
        var addresses: [UplinkAddress] = []
        for url in options.urls {
            let address = try UplinkAddress(url)
            guard tls != nil || !address.usesTLS else { throw .noTLS(url) }
            addresses.append(address)
        }
        var mappings: [(filter: [UInt8], mapping: TopicMapping)] = []
        for subscription in options.subscriptions { mappings.append(try Self.mapping(subscription, options)) }
        let client = MQTTClient(loop: loop, network: network, options: Self.clientOptions(options))
        client.pacer = Self.pacer(options, now: loop.now)
        let context = SendingContext(client: client, options: options, random: random, cpuTime: cpuTime)
        var senders: [any RouteSender] = []
        for (route, queue) in zip(options.routes, queues) {
            switch route.mode {
            case .batch:
                senders.append(
                    try BatchSender(queue: queue, options: route, context: context, storeTime: storeTime))
            case .each:
                senders.append(
                    route.qos == .exactlyOnce
                        ? try ExactlyOnceSender(queue: queue, options: route, context: context, storeTime: storeTime)
                        : try EachSender(queue: queue, options: route, context: context, storeTime: storeTime))
            }
        }
        self.options = options
        self.loop = loop
        self.network = network
        self.client = client
        self.context = context
        self.addresses = addresses
        self.tls = tls
        self.mappings = mappings
        self.senders = senders
        self.sink = sink
        via = Array(options.node.utf8)
        reconnection = Reconnection(
            addresses: addresses.count, backoff: Backoff(min: options.reconnectMin, max: options.reconnectMax))
        let top = senders.map(\.priority).max()
        let pace = client.pacer?.egress?.bytesPerSecond
        lanes = zip(senders, options.routes).map { sender, route in
            RouteLane(
                sender, route, isTop: sender.priority == top, linkPace: pace, now: loop.now, storeTime: storeTime,
                localOffset: localOffset)
        }
        fairShare = FairShare(senders.map(\.priority))
        since = loop.now
        client.delegate = self
        context.wake = { [weak self] in self?.pumpSoon() }
        for sender in senders {
            sender.queue.onReadable = { [weak self, weak sender] in
                sender?.queueIsReadable()
                self?.pumpSoon()
            }
        }
    }

    /// What lies between the socket to `address` and MQTT.
    func layers(to address: UplinkAddress) -> StreamLayers {
        StreamLayers(tls: address.usesTLS ? tls : nil, host: address.host, webSocket: address.webSocket)
    }

    private static func pacer(_ options: UplinkOptions, now: Instant) -> StreamPacer {
        func bucket(_ rate: Int, _ burst: Int) -> TokenBucket? {
            rate > 0 ? TokenBucket(bitsPerSecond: rate, burstBits: burst, now: now) : nil
        }
        return StreamPacer(
            egress: bucket(options.egressBitsPerSecond, options.egressBurstBits),
            ingress: bucket(options.ingressBitsPerSecond, options.ingressBurstBits))
    }

    /// Topic Aliases that we use at most: a route in batches has one topic, one that sends each message has its devices'.
    private static let topicAliases: UInt16 = 64

    private static func clientOptions(_ options: UplinkOptions) -> MQTTClient.Options {
        var client = MQTTClient.Options()
        client.clientIdentifier = Array(options.clientIdentifier.utf8)
        client.version = options.version
        client.cleanStart = false
        client.sessionExpiryInterval = options.version == .v5 ? options.sessionExpiry : 0
        client.keepAlive = options.keepAlive
        client.username = options.username
        client.password = options.password
        client.sendMaximum = options.inflight
        client.outboundTopicAliases = topicAliases
        client.automaticAcknowledgement = false
        client.automaticRelease = false
        return client
    }

    private static func mapping(
        _ subscription: SubscribeOptions, _ options: UplinkOptions
    ) throws(UplinkError) -> (filter: [UInt8], mapping: TopicMapping) {
        let filter = Array(subscription.filter.utf8)
        guard filter.withUnsafeBytes({ TopicFilter.isValid($0) }) else { throw .badFilter(subscription.filter) }
        if let swap = subscription.swap { return (filter, TopicMapping(swap)) }
        do throws(TopicMapping.PatternError) {
            let mapping = try TopicMapping(subscription.topic, node: options.node, labels: options.labels)
            return (filter, mapping)
        } catch {
            throw .badTopic(pattern: subscription.topic, error)
        }
    }

    // MARK: - What people see

    public var state: State {
        if client.isConnected {
            return senders.contains { $0.holding?.reason == .noReceiver } ? .noReceiver : .connected
        }
        if isPaused { return .paused }
        return isWaiting ? .waiting : .connecting
    }

    /// Why it is not connected, or a route is held; nil: nothing is wrong.
    public var error: String? {
        failure ?? refusedSubscriptions.first ?? senders.lazy.compactMap { $0.holding?.text }.first
    }

    /// The address that is connected or tried; while something is wrong, the one that `error` is about.
    public var url: String {
        addresses[failure == nil || client.isConnected ? reconnection.address : failedAddress].url
    }

    public var figures: Figures {
        Figures(
            sentMessages: context.sentMessages, sentBytes: client.bytesSent, receivedBytes: client.bytesReceived,
            acknowledgedMessages: context.acknowledgedMessages, downgradedMessages: context.downgradedMessages,
            reconnects: connections > 0 ? connections - 1 : 0,
            roundTripMilliseconds: health.smoothedMilliseconds)
    }

    /// Why a route sends nothing; nil: nothing holds it back.
    public func holding(route index: Int) -> String? { lanes[index].holding(loop.now) }

    /// Tells of a new state, once.
    func noteState() {
        let now = state
        guard now != lastState else { return }
        lastState = now
        since = loop.now
        onState?(now)
    }
}
