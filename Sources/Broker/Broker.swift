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
    public var figures = BrokerFigures()
    /// Takes lines for the log.
    public var logger: ((Severity, String) -> Void)?
    /// Gets the PUBLISH packets that carry batches, if this node receives any.
    public weak var receiver: (any BatchReceiver)?

    public internal(set) var sessions: [[UInt8]: Session] = [:]
    private var connections: [ObjectIdentifier: Connection] = [:]
    public var connectionCount: Int { connections.count }
    let tree = SubscriptionTree()
    let retained = RetainedMessages()
    private var refusedConnections = Episode()
    private var retainedLimit = Episode()
    private var refusedMessages = Episode()
    /// By reason and whose messages they are.
    var removals: [String: Episode] = [:]
    public internal(set) var routes: [Route] = []
    private var cache = DestinationCache()
    private var routesGeneration: UInt64 = 0
    private var template = PublishTemplate()
    private var waitingConnections: [ObjectIdentifier: Connection] = [:]
    public let startedAt: Instant
    /// `shutDown` was called.
    private(set) var isStopping = false
    /// Messages that wait in memory for sessions that end with their connection: their own limits bound them, and nobody
    /// else waits for them.
    let waitingMeter = MemoryMeter()
    /// Closes connections that have waited too long for a store that takes nothing.
    private var refusalTimer: Timer?

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

    /// Sessions leave the streams of sets that exist no more, so that they don't pile up where subscriptions change.
    private func scheduleTidying() {
        tidyingTimer = loop.schedule(after: Self.tidyingInterval) { [unowned self] in
            let idle = loop.now - Self.tidyingInterval
            for session in sessions.values { session.queue?.leaveFinishedStreams(idleSince: idle) }
            scheduleTidying()
        }
    }

    deinit { loop.cancel(tidyingTimer) }

    private var tidyingTimer = Timer.none
    private static let tidyingInterval = Duration.seconds(60)

    public var subscriptionCount: Int { tree.count }
    /// Without our own in `$SYS`; the bytes are with them.
    public var retainedCount: Int { max(retained.count - systemTopics.count, 0) }
    public var retainedBytes: Int { retained.bytes }
    public let systemTopics = SystemTopics()

    /// Messages that sessions lost to their limits, or to eviction.
    public var lostBySessions: UInt64 { sessions.values.reduce(figures.lostByEndedSessions) { $0 + $1.lostMessages } }

    func logLine(_ level: Severity, _ line: @autoclosure () -> String) { logger?(level, line()) }

    // MARK: Connections

    /// A client has connected.
    public func accept(_ stream: ByteStream, listener: ListenerOptions) {
        guard listener.connectionCount < listener.maximumConnections,
            limits.connections == 0 || connections.count < limits.connections
        else {
            if refusedConnections.begins(at: loop.now) {
                logLine(.warning, "\(stream.peer): refused, max_connections reached")
            }
            stream.close()
            return
        }
        let connection = Connection(stream, listener: listener, broker: self)
        connections[ObjectIdentifier(connection)] = connection
        listener.connectionCount += 1
        figures.connectionsAccepted += 1
        figures.maximumConnections = max(figures.maximumConnections, connections.count)
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
        for connection in Array(connections.values) {
            connection.disconnect(with: .serverShuttingDown)
        }
    }

    // MARK: Waiting for the store

    /// The store can't take this PUBLISH now: its connection holds it.
    func mustWait(_ packet: RawPacket, from connection: Connection) -> Bool {
        guard log.isRefusing else { return log.isFull }
        return connection.version != .v5 && (packet.flags >> 1) & 3 > 0 && needsStore(packet, from: connection)
    }

    /// The message can't be acknowledged without being kept. What isn't valid is found out when it is taken.
    private func needsStore(_ packet: RawPacket, from connection: Connection) -> Bool {
        guard let session = connection.session, let publish = try? PublishView(packet, version: connection.version),
            let destinations = destinations(of: publish.topic, .client(session))
        else { return false }
        return publish.retain || !destinations.durable.isEmpty || !destinations.routes.isEmpty
            || (publish.qos == .exactlyOnce && session.isDurable)
    }

    func waits(_ connection: Connection) {
        waitingConnections[ObjectIdentifier(connection)] = connection
        log.isRoomAwaited = true
        startRefusing()
    }

    private func replayWaiting() {
        let waiting = waitingConnections
        waitingConnections = [:]
        for connection in waiting.values {
            connection.replayHeld()
            if !connection.held.isEmpty, connection.state == .accepted {
                waitingConnections[ObjectIdentifier(connection)] = connection
                log.isRoomAwaited = true
            }
        }
    }

    /// Never silence: who has waited ten seconds for an acknowledgement that the store can't give is closed, so that it
    /// sends again when it comes back.
    private func startRefusing() {
        guard refusalTimer == nil else { return }
        refusalTimer = loop.schedule(after: .seconds(1)) { [unowned self] in
            refusalTimer = nil
            if !log.isRefusing, !log.isFull { replayWaiting() }
            for connection in Array(waitingConnections.values) {
                guard let since = connection.held.since, loop.now - since >= .seconds(10) else { continue }
                logLine(.warning, "\(connection.name): closed, the store has not taken its messages for 10 s")
                connection.disconnect(with: .quotaExceeded)
            }
            if log.failure != nil { closeUnanswered() }
            if !waitingConnections.isEmpty || log.failure != nil { startRefusing() }
        }
    }

    private var failingSince: Instant?

    /// The store fails, or has recovered.
    public func storeHealthChanged(_ error: StoreError?) {
        failingSince = error == nil ? nil : loop.now
        if error == nil { replayWaiting() } else { startRefusing() }
    }

    private func closeUnanswered() {
        guard let failingSince, loop.now - failingSince >= .seconds(10) else { return }
        for connection in Array(connections.values) where connection.owesAnswers {
            connection.disconnect(with: .quotaExceeded)
        }
    }

    // MARK: Routing

    /// Takes a message to everybody who wants it.
    ///
    /// - Parameters:
    ///   - waiter: told when the message is safe, if the outcome is `pending`; nil at QoS 0.
    ///   - ticket: what the waiter knows it by.
    public func route(
        _ publish: PublishView, from origin: Origin, waiter: (any SafetyWaiter)?, ticket: UInt64
    ) -> Outcome {
        if let receiver, receiver.wants(publish.topic) { return receive(publish, receiver, origin, waiter, ticket) }
        guard let destinations = destinations(of: publish.topic, origin) else { return .done(.topicNameInvalid) }
        if case .client(let session) = origin, !access.mayPublish(session.identity, topic: publish.topic) {
            if session.refusedPublishes.begins(at: loop.now) {
                logLine(.notice, "\(text(session.clientIdentifier)) may not publish to \(text(publish.topic))")
            }
            return .done(.notAuthorized)
        }
        let streams = durableStreams(destinations, publish.qos, origin)
        let setsRetained = publish.retain && mayRetain(publish)
        var inbound: Change?
        if publish.qos == .exactlyOnce, case .client(let session) = origin, let id = session.id {
            inbound = .inbound(id, UInt16(truncatingIfNeeded: ticket))
        }
        let isDurable = !streams.isEmpty || setsRetained || inbound != nil
        guard isDurable else {
            deliver(publish, destinations, message: nil)
            return .done(destinations.isEmpty ? .noMatchingSubscribers : .success)
        }
        guard !log.isRefusing else {
            if refusedMessages.begins(at: loop.now) {
                logLine(.warning, "the store takes nothing now: messages that must be kept are refused")
            }
            guard publish.qos == .atMostOnce else { return .done(.quotaExceeded) }
            figures.dropped += 1
            deliver(publish, destinations, message: nil)
            return .done(.success)
        }
        let message = Message(
            publish, laneSequence: log.takeLaneSequence(), receivedAt: log.clock.time(at: loop.now), meter: log.meter)
        if let inbound {
            hold(message, destinations, streams, setsRetained, [inbound], waiter, ticket)
            return .pending
        }
        deliver(publish, destinations, message: message)
        if setsRetained { setRetained(message) }
        append(message, streams, retained: setsRetained, waiter: waiter, ticket: ticket)
        // Whoever was waited for may have answered already: then the waiter was told, and takes its place too late.
        return waiter == nil ? .done(.success) : .pending
    }

    /// The bytes of a QoS 2 message and its identifier are on disk before any destination has it: a publisher that sends
    /// it again after a crash then finds it known.
    private func hold(
        _ message: Message, _ destinations: Destinations, _ streams: [LogStream], _ setsRetained: Bool,
        _ changes: [Change], _ waiter: (any SafetyWaiter)?, _ ticket: UInt64
    ) {
        log.append(
            message, to: streams, retained: setsRetained, changes: changes, isHeld: true, waiter: waiter,
            ticket: ticket
        ) { [unowned self] in
            if setsRetained { setRetained(message) }
            deliver(message.view(at: log.clock.now), destinations, message: message)
        }
        for stream in streams {
            for membership in stream.memberships { membership.queue.onHold?() }
        }
    }

    /// A message out of a batch, whose commit the batch waits for.
    func hold(_ publish: PublishView) {
        guard let destinations = destinations(of: publish.topic, .node) else {
            figures.dropped += 1
            return
        }
        let streams = durableStreams(destinations, publish.qos, .node)
        let setsRetained = publish.retain && mayRetain(publish)
        let message = Message(
            publish, laneSequence: log.takeLaneSequence(), receivedAt: log.clock.time(at: loop.now), meter: log.meter)
        hold(message, destinations, streams, setsRetained, [], nil, 0)
    }

    private func append(
        _ message: Message, _ streams: [LogStream], retained: Bool, waiter: (any SafetyWaiter)?, ticket: UInt64
    ) {
        log.append(message, to: streams, retained: retained, waiter: waiter, ticket: ticket)
        for stream in streams {
            let number = stream.next - 1
            for membership in stream.memberships { membership.queue.onAppend?(membership, number, message) }
        }
    }

    private func durableStreams(_ destinations: Destinations, _ qos: QoS, _ origin: Origin) -> [LogStream] {
        guard !destinations.routes.isEmpty || (qos != .atMostOnce && !destinations.durable.isEmpty) else { return [] }
        var streams: [LogStream] = []
        for route in destinations.routes {
            if case .uplink(route.uplink) = origin { continue }
            if qos == .atMostOnce, !route.queue.storesQoS0, route.queue.link.state == .down {
                figures.dropped += 1
                continue
            }
            streams.append(route.queue.stream)
        }
        guard qos != .atMostOnce, !destinations.durable.isEmpty else { return streams }
        if destinations.stream == nil || destinations.topology != log.topology {
            destinations.stream = log.sessionStream(
                for: destinations.durable.compactMap { delivery in
                    guard let queue = delivery.session.queue else { return nil }
                    return (
                        queue,
                        StreamMember(
                            session: queue.session, qos: delivery.qos.rawValue,
                            retainAsPublished: delivery.retainAsPublished,
                            subscriptionIdentifiers: delivery.subscriptionIdentifiers)
                    )
                })
            destinations.topology = log.topology
        }
        if let stream = destinations.stream { streams.append(stream) }
        return streams
    }

    /// To those who are reached only while they are connected.
    private func deliver(_ publish: PublishView, _ destinations: Destinations, message: Message?) {
        let sendsDurable = publish.qos == .atMostOnce && !destinations.durable.isEmpty
        guard !destinations.direct.isEmpty || sendsDurable else { return }
        var made = message
        withLastingProperties(publish) { properties in
            template.reset(
                topic: publish.topic, properties: properties, payload: publish.payload,
                messageExpiryInterval: publish.messageExpiryInterval)
            for delivery in destinations.direct {
                delivery.session.offer(&template, publish, delivery, &made)
            }
            if sendsDurable {
                for delivery in destinations.durable {
                    delivery.session.offer(&template, publish, delivery, &made)
                }
            }
        }
    }

    /// The message as an object of its own, for whoever must keep it.
    func message(_ publish: PublishView, _ made: inout Message?) -> Message {
        if let made { return made }
        let message = Message(
            publish, laneSequence: log.takeLaneSequence(), receivedAt: log.clock.time(at: loop.now), meter: log.meter)
        made = message
        return message
    }

    private func withLastingProperties(_ publish: PublishView, _ body: (UnsafeRawBufferPointer) -> Void) {
        if publish.propertiesCanBeCopied {
            body(publish.properties)
            return
        }
        withUnsafeTemporaryAllocation(byteCount: max(publish.properties.count, 1), alignment: 1) { memory in
            guard let base = memory.baseAddress else { return }
            let count = publish.copyProperties(into: base)
            body(UnsafeRawBufferPointer(start: base, count: count))
        }
    }

    // MARK: Destinations

    /// Adds a route; of one uplink's, the first that matches takes a message.
    public func add(_ route: Route) {
        routes.append(route)
        routesGeneration += 1
    }

    /// nil: the topic has too many levels.
    private func destinations(of topic: UnsafeRawBufferPointer, _ origin: Origin) -> Destinations? {
        let generation = tree.generation &+ routesGeneration << 32
        let hash = cache.hash(topic)
        let found: Destinations
        if let known = cache.find(topic, hash: hash, generation: generation) {
            found = known
        } else {
            guard TopicName.levels(topic) <= limits.topicLevels else { return nil }
            found = work(out: topic, without: nil)
            cache.insert(topic, hash: hash, found)
        }
        if found.hasNoLocal, case .client(let session) = origin { return work(out: topic, without: session) }
        return found
    }

    private func work(out topic: UnsafeRawBufferPointer, without publisher: Session?) -> Destinations {
        let destinations = Destinations()
        var deliveries: [ObjectIdentifier: Destinations.Delivery] = [:]
        tree.match(topic) { interest in
            let subscription = interest.subscription
            if subscription.noLocal {
                destinations.hasNoLocal = true
                if interest.session === publisher { return }
            }
            let key = ObjectIdentifier(interest.session)
            var delivery =
                deliveries[key]
                ?? Destinations.Delivery(
                    session: interest.session, qos: subscription.qos, retainAsPublished: false,
                    subscriptionIdentifiers: [], noLocal: subscription.noLocal)
            delivery.qos = max(delivery.qos, subscription.qos)
            delivery.retainAsPublished = delivery.retainAsPublished || subscription.retainAsPublished
            if subscription.identifier != 0 { delivery.subscriptionIdentifiers.append(subscription.identifier) }
            deliveries[key] = delivery
        }
        for delivery in deliveries.values {
            if delivery.session.isDurable, delivery.qos != .atMostOnce {
                destinations.durable.append(delivery)
            } else {
                destinations.direct.append(delivery)
            }
        }
        var uplinks: Set<String> = []
        for route in routes where !uplinks.contains(route.uplink) {
            guard route.filter.withUnsafeBytes({ TopicFilter.matches(filter: $0, topic: topic) }) else { continue }
            uplinks.insert(route.uplink)
            destinations.routes.append(route)
        }
        return destinations
    }

    // MARK: Retained messages

    private func setRetained(_ message: Message) {
        retained.set(message.topic, message.payload.isEmpty ? nil : message)
    }

    private func mayRetain(_ publish: PublishView) -> Bool {
        guard limits.retainAvailable else { return false }
        guard !publish.payload.isEmpty, retainedCount >= limits.retained, !retained.contains(publish.topic) else {
            return true
        }
        if retainedLimit.begins(at: loop.now) {
            logLine(.warning, "retained limit of \(limits.retained) reached: \(text(publish.topic)) is not kept")
        }
        return false
    }

    /// Keeps a message of our own ($SYS) as retained in memory, and routes it.
    func publishOwn(_ topic: [UInt8], _ payload: [UInt8]) {
        topic.withUnsafeBytes { topic in
            payload.withUnsafeBytes { payload in
                let view = PublishView(topic: topic, payload: payload)
                retained.set(
                    topic,
                    Message(
                        view, retain: true, laneSequence: 0, receivedAt: log.clock.time(at: loop.now),
                        meter: log.meter))
                guard let destinations = destinations(of: topic, .node) else { return }
                deliver(view, destinations, message: nil)
            }
        }
    }

    /// What is retained goes to a new subscriber [MQTT-3.3.1-9], through the log if its session is durable.
    func sendRetained(to session: Session, _ subscription: SubscriptionState) {
        guard let connection = session.connection else { return }
        let now = log.clock.now
        let identifiers = subscription.identifier == 0 ? [] : [subscription.identifier]
        retained.match(subscription.filter) { message in
            guard !message.isExpired(at: now) else { return }
            let qos = min(message.qos, subscription.qos)
            let direct = StreamMember(
                session: SessionID(rawValue: 0), qos: 0, retainAsPublished: true, subscriptionIdentifiers: identifiers)
            if qos != .atMostOnce, let queue = session.queue {
                let member = StreamMember(
                    session: queue.session, qos: qos.rawValue, retainAsPublished: true,
                    subscriptionIdentifiers: identifiers)
                let copy = Message(
                    message.view(at: now), retain: true, laneSequence: log.takeLaneSequence(), receivedAt: now,
                    meter: log.meter)
                append(copy, [log.sessionStream(for: [(queue, member)])], retained: false, waiter: nil, ticket: 0)
            } else if qos != .atMostOnce {
                session.enqueue(
                    Session.Waiting(message: message, qos: qos, retain: true, subscriptionIdentifiers: identifiers))
            } else if !connection.isOverflowing, connection.canSend(message, qos: .atMostOnce, member: direct) {
                connection.send(message, qos: .atMostOnce, member: direct, identifier: 0, isDuplicate: false, now: now)
            } else {
                figures.dropped += 1
            }
        }
        if session.isBehind { session.pump() }
    }

    func restoreRetained(_ topic: [UInt8], _ record: RetainedRecord) {
        record.packet.withUnsafeBytes { bytes in
            guard let raw = try? readFrame(bytes, maximum: bytes.count), let view = try? PublishView(raw, version: .v5)
            else { return }
            let message = Message(
                view, retain: true, laneSequence: 0, receivedAt: record.receivedAt, meter: log.meter)
            retained.set(view.topic, message)
        }
    }
}
