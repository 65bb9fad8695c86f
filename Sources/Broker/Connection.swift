import EventLoop
import MQTT
import Store

/// One client's network connection: its packets in, its packets out, its limits and its Keep Alive. What outlives the
/// connection is the session's.
public final class Connection {
    enum State {
        case awaitingConnect
        /// CONNECT came; access control looks at it, or at the AUTH that came after it.
        case admitting
        /// The client has been asked to go on with AUTH.
        case authenticating
        /// CONNECT came; its session is on its way to the disk.
        case accepting
        case accepted
        case closed
    }

    unowned let broker: Broker
    /// Counts the broker's connections, so that those who wait are served in the order of their coming.
    public let number: UInt64
    let stream: ByteStream
    private var input: ConnectionInput?
    let listener: ListenerOptions
    var limits: BrokerLimits { sharedLimits.limits }
    /// The listener's, or the user's.
    var sharedLimits: SharedLimits
    var state = State.awaitingConnect
    public internal(set) var version = ProtocolVersion.v311
    public internal(set) var session: Session?
    public let connectedAt: Instant
    public var peer: String { stream.peer }

    /// Seconds; 0: none.
    public internal(set) var keepAlive: UInt16 = 0
    private var lastReceived: Instant
    private var timer: Timer
    private var validityTimer = Timer.none
    public internal(set) var cleanStart = true
    var maximumPacketSize = Int.max
    /// Inbound Topic Aliases, 1 first; empty: not set.
    var aliases: [[UInt8]] = []
    /// Outbound ones; nil: the client takes none.
    var subscriberAliases: SubscriberAliases?
    // Made when first needed: most idle connections never publish.
    private var acknowledgements: Acknowledgements?
    var pubacks: AcknowledgementQueue { opened().pubacks }
    var pubrecs: AcknowledgementQueue { opened().pubrecs }
    var pubcomps: AcknowledgementQueue { opened().pubcomps }
    /// Packet Identifiers of QoS 2 messages that came on this connection and whose PUBREL hasn't.
    var openExactlyOnce: Set<UInt16> = []
    /// Publishes that wait until they can be taken, and what for.
    var held: HeldPublishes?
    var heldFor = HoldCause.store
    /// nil: CONNECT named no Authentication Method.
    var authentication: EnhancedAuthentication?
    /// nil: no `publish_rate`.
    var pace: PublishPace?
    var isHolding: Bool { held.map { !$0.isEmpty } ?? false }
    var isDisconnectedCleanly = false
    /// Bytes of answers written while the output was over its limit: a client that asks on and on and reads nothing.
    private var unreadAnswers = 0
    private static let maximumUnreadAnswers = 1 << 20

    init(_ stream: ByteStream, listener: ListenerOptions, broker: Broker, begun: Instant) {
        self.stream = stream
        self.listener = listener
        sharedLimits = listener.sharedLimits
        self.broker = broker
        number = broker.figures.connectionsAccepted
        connectedAt = broker.loop.now
        lastReceived = broker.loop.now
        timer = .none
        input = ConnectionInput(self)
        stream.delegate = input
        expectPacket(by: begun + listener.limits.connectTimeout)
    }

    /// CONNECT, or an AUTH before CONNACK, comes by then, or the connection is closed.
    func expectPacket(by deadline: Instant) {
        broker.loop.cancel(timer)
        timer = broker.loop.schedule(at: deadline) { [unowned self] in
            guard state == .awaitingConnect || state == .authenticating else { return }
            let missing = state == .awaitingConnect ? "CONNECT" : "AUTH"
            broker.logLine(.info, "\(peer): no \(missing) within the connect timeout")
            close()
        }
    }

    private func opened() -> Acknowledgements {
        if let acknowledgements { return acknowledgements }
        let made = Acknowledgements(self)
        acknowledgements = made
        return made
    }

    /// Answers to SUBSCRIBE and UNSUBSCRIBE that wait for the store.
    var unanswered = 0
    /// Answers wait for the store.
    var owesAnswers: Bool {
        (acknowledgements?.count ?? 0) + unanswered > 0 || state == .accepting
    }
    var isAccepted: Bool { state == .accepted }
    /// More than enough waits to be sent: what can wait elsewhere does.
    var isCongested: Bool { isCongested(with: 0) }
    func isCongested(with more: Int) -> Bool { stream.unsentBytes + more > limits.outputBytes / 2 }
    var isOverflowing: Bool { stream.unsentBytes > limits.outputBytes }

    // MARK: Bytes in

    func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        var offset = 0
        lastReceived = broker.loop.now
        while offset < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            do throws(MQTTError) {
                guard let packet = try readFrame(rest, maximum: limits.packetBytes, version: version) else {
                    // What is no CONNECT need not be awaited to its end.
                    if state == .awaitingConnect, rest[0] >> 4 != PacketType.connect.rawValue { throw Self.noConnect }
                    break
                }
                guard try process(packet) else { break }
                offset += packet.length
                guard unreadAnswers <= Self.maximumUnreadAnswers else {
                    throw MQTTError(.quotaExceeded, "it sends, and does not read the answers")
                }
            } catch {
                fail(state == .awaitingConnect ? Self.explain(error, rest) : error)
            }
            if state == .closed { return bytes.count }
        }
        broker.figures.bytesReceived += UInt64(offset)
        return offset
    }

    /// False: the packet can't be taken yet, and reading is paused.
    private func process(_ packet: RawPacket) throws(MQTTError) -> Bool {
        switch state {
        case .awaitingConnect:
            guard packet.type == .connect else {
                throw Self.noConnect
            }
            broker.figures.messagesReceived += 1
            try connect(packet)
            return true
        case .admitting, .accepting:
            stream.pauseReading()
            return false
        case .authenticating:
            broker.figures.messagesReceived += 1
            switch packet.type {
            case .auth: try authenticate(packet)
            case .disconnect: close()
            default: throw MQTTError(.protocolError, "[MQTT-3.1.2-30] \(packet.type) where AUTH is awaited")
            }
            return true
        case .closed:
            return true
        case .accepted:
            break
        }
        if packet.type == .publish { return try publish(packet) }
        broker.figures.messagesReceived += 1
        switch packet.type {
        case .puback, .pubrec, .pubcomp:
            try session?.received(try Acknowledgement(packet, version: version))
        case .pubrel:
            pubrel(try Acknowledgement(packet, version: version))
        case .subscribe:
            try subscribe(try Subscribe(packet, version: version))
        case .unsubscribe:
            unsubscribe(try Unsubscribe(packet, version: version))
        case .pingreq:
            guard packet.body.isEmpty else { throw MQTTError(.malformedPacket, "[MQTT-3.12] a PINGREQ with a body") }
            write(Ping.response)
        case .disconnect:
            try disconnect(try Disconnect(packet, version: version, from: .client))
        case .auth where version == .v5:
            try authenticate(packet)
        default:
            throw MQTTError(.protocolError, "a packet that only the Server sends, or a second CONNECT [MQTT-3.1.0-2]")
        }
        return true
    }

    func didDrain() {
        if session?.isBehind == true { session?.pump() }
    }

    // MARK: Bytes out

    /// What the client's Maximum Packet Size doesn't allow is left out [MQTT-3.1.2-24].
    func write(_ bytes: [UInt8]) {
        guard bytes.count <= maximumPacketSize else { return }
        noteAnswer(bytes.count)
        broker.figures.messagesSent += 1
        broker.figures.bytesSent += UInt64(bytes.count)
        stream.write(bytes)
    }

    /// PUBACK, PUBREC, PUBREL or PUBCOMP.
    func sendAcknowledgement(_ type: PacketType, _ identifier: UInt16, _ reason: ReasonCode) {
        guard version == .v5 || !reason.isRefusal(of: type) else {
            fail(MQTTError(reason, "a message was refused, for which MQTT 3.1.1 has no words"))
            return
        }
        let room = stream.output.reserve(Acknowledgement.maximumEncodedLength)
        let count = Acknowledgement.encode(type, identifier: identifier, reason: reason, version: version, into: room)
        guard count <= maximumPacketSize else { return }
        stream.output.commit(count)
        noteAnswer(count)
        broker.figures.messagesSent += 1
        broker.figures.bytesSent += UInt64(count)
        broker.loop.touch(stream)
    }

    private func noteAnswer(_ count: Int) { unreadAnswers = isOverflowing ? unreadAnswers + count : 0 }

    // MARK: Keep Alive and the end

    func startKeepAlive(_ seconds: UInt16) {
        broker.loop.cancel(timer)
        keepAlive = seconds
        guard seconds > 0 else { return }
        watchKeepAlive(after: .milliseconds(Int(seconds) * 1500))
    }

    /// One and a half times the Keep Alive without a packet ends the connection [MQTT-3.1.2-22].
    private func watchKeepAlive(after wait: Duration) {
        timer = broker.loop.schedule(after: wait) { [unowned self] in
            guard state == .accepted else { return }
            // While we don't read, nothing can come.
            if stream.isPaused { lastReceived = broker.loop.now }
            let allowed = Duration.milliseconds(Int(keepAlive) * 1500)
            let silent = broker.loop.now - lastReceived
            guard silent >= allowed else {
                watchKeepAlive(after: allowed - silent)
                return
            }
            broker.logLine(.notice, "\(name): nothing for 1.5 times its Keep Alive of \(keepAlive) s")
            disconnect(with: .keepAliveTimeout)
        }
    }

    /// Ends the connection at a date: when what has let it in is no longer valid. Dates move, so it looks again now and then.
    func watchValidity(until end: Int64?) {
        broker.loop.cancel(validityTimer)
        guard let end else { return }
        let left = end - broker.wallTime
        guard left > 0 else {
            broker.logLine(.notice, "\(name): its login has expired")
            return disconnect(with: .notAuthorized)
        }
        validityTimer = broker.loop.schedule(after: min(.milliseconds(left), Self.validityLook)) { [unowned self] in
            guard state == .accepted else { return }
            watchValidity(until: end)
        }
    }

    private static let validityLook = Duration.seconds(60)

    /// The client's identifier and address, for log lines.
    var name: String { session.map { "\(text($0.clientIdentifier)) (\(peer))" } ?? peer }

    /// What can't be forgiven: the reason goes to the client where its version has words for it, and one line to the log.
    func fail(_ error: MQTTError) {
        broker.figures.connectionsFailed += 1
        broker.logLine(.notice, "\(name): \(error)")
        if state == .awaitingConnect || state == .admitting || state == .authenticating {
            // Of what comes after CONNECT the version is known.
            let known = state == .authenticating ? MQTTError(error.reason, error.detail, version: version) : error
            if let refusal = Connack.refusal(of: known) { write(refusal) }
            closeGently()
        } else {
            disconnect(with: error.reason)
        }
    }

    /// Ends the connection from our side; on MQTT 5 the client is told why.
    func disconnect(with reason: ReasonCode) {
        if version == .v5, state == .accepted { write(Disconnect(reason: reason).encode(version: .v5)) }
        // CONNACK has no word of its own for a server that stops.
        let said = reason == .serverShuttingDown ? .serverUnavailable : reason
        if state == .accepting || state == .admitting || state == .authenticating,
            let refusal = Connack.refusal(of: MQTTError(said, "", version: version))
        {
            write(refusal)
        }
        closeGently()
    }

    func closeGently() {
        stream.closeAfterFlush()
        end()
    }

    func close() {
        stream.close()
        end()
    }

    /// The connection is over, whoever ended it.
    func end() {
        guard state != .closed else { return }
        let hadArrived = state == .accepted
        state = .closed
        if hadArrived, let identity = session?.identity { listener.attendance?.clientDidLeave(identity) }
        broker.loop.cancel(timer)
        broker.loop.cancel(validityTimer)
        acknowledgements?.close()
        pace?.stop(on: broker.loop)
        authentication = nil
        dropHeld()
        broker.connectionEnded(self)
    }
}

extension ReasonCode {
    /// A message that could not be taken. Who may not publish is acknowledged all the same, as MQTT 3.1.1 lets a Server do
    /// [MQTT-3.3.5-2]: closing would only make the client come back and try again.
    fileprivate func isRefusal(of type: PacketType) -> Bool {
        isError && self != .notAuthorized && (type == .puback || type == .pubrec)
    }
}
