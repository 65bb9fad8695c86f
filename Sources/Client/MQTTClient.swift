import EventLoop
import MQTT

/// An MQTT Client, 3.1.1 and 5, on one event loop: one connection at a time, QoS 0 to 2 both ways, and the Client's half of
/// the Session state, which outlives connections for as long as the object lives. It never connects again by itself:
/// whoever owns it knows when. It keeps no copy of what it publishes either: after a lost connection the owner publishes
/// again what wasn't acknowledged, under the same identifiers. PUBRELs are sent again by the client.
///
/// Owned by its loop; nothing here may be called from another thread.
public final class MQTTClient {
    public let loop: EventLoop
    /// Takes effect at the next `connect`.
    public var options: Options
    public weak var delegate: (any MQTTClientDelegate)?
    /// Holds the connections made from now on to its rates; nil: nothing does.
    public var pacer: StreamPacer?

    enum State {
        case idle, connecting, handshake, connected, closing
    }

    let network: any Network
    var state = State.idle
    var stream: ByteStream?
    var version = ProtocolVersion.v5
    var window = OutboundWindow()
    /// PUBACKs and PUBRECs that we owe.
    var pubacks = InboundQueue()
    var pubrecs = InboundQueue()
    var exactlyOnce: [UInt16: ExactlyOnce] = [:]
    /// Inbound PUBLISHes that count against our Receive Maximum.
    var receiving = 0
    var aliases: [UInt16: [UInt8]] = [:]
    var outboundAliases = OutboundAliases()
    /// A Server that announced Topic Aliases closed the connection over them: it gets no more.
    private var refusesAliases = false
    var liveness = Liveness()
    private var connecting: (any Connecting)?
    /// Of CONNACK, then of the close.
    private var deadline = Timer.none
    private var connectStarted = Instant(nanoseconds: 0)
    /// When CONNECT was sent.
    private var asked = Instant(nanoseconds: 0)
    private var earlierBytesSent: UInt64 = 0
    private var earlierBytesReceived: UInt64 = 0

    /// The CONNACK of the present connection: the Server's limits. Nil while not connected.
    public internal(set) var server: Connack?
    /// Where the Server last said, with a refusal or a DISCONNECT, that we should go (Server Reference); nil: nowhere.
    public internal(set) var serverReference: String?
    /// Counts `connect`s. Kept beside an inbound PUBLISH's identifier it tells `acknowledge` which PUBLISH is meant.
    public private(set) var connectionNumber = 0
    /// The latest time from a question to its answer: CONNECT, PINGREQ, or a sample of PUBLISHes with QoS 1.
    public internal(set) var lastRoundTrip: Duration?

    public init(loop: EventLoop, network: any Network, options: Options = Options()) {
        self.loop = loop
        self.network = network
        self.options = options
    }

    deinit {
        loop.cancel(deadline)
        loop.cancel(liveness.timer)
        connecting?.cancel()
        stream?.delegate = nil
        stream?.close()
    }

    public var isConnected: Bool { state == .connected }
    /// True from `connect` until `didClose`.
    public var isActive: Bool { state != .idle }

    /// Bytes over all connections.
    public var bytesSent: UInt64 { earlierBytesSent + (stream?.bytesWritten ?? 0) }
    public var bytesReceived: UInt64 { earlierBytesReceived + (stream?.bytesRead ?? 0) }
    /// Bytes that wait here for the network to take them.
    public var unsentBytes: Int { stream?.unsentBytes ?? 0 }
    /// Bytes of PUBLISHes with QoS above 0 that the Server has not acknowledged on this connection.
    public var unacknowledgedBytes: Int { window.inFlightBytes }
    /// Of the PUBLISH that `publish` sent last: shorter with a Topic Alias than by itself.
    public internal(set) var publishedBytes = 0
    /// Of the PUBLISH that `didAcknowledge` is telling of.
    public internal(set) var acknowledgedBytes = 0
    /// What the network has lately carried up, by the acknowledgements, at most: bytes a second. Nil: not known.
    public var deliveryRate: Double? { window.rate.bytesPerSecond }
    /// The shortest time from a PUBLISH's leaving to its acknowledgement on this connection.
    public var shortestRoundTrip: Duration? { window.rate.shortest }
    /// When `more` bytes written now would have left, by the pacer's rate.
    public func departure(of more: Int = 0) -> Instant {
        pacer?.departure(of: unsentBytes + more, loop.now) ?? loop.now
    }
    /// The network takes no more for now; `clientDidDrain` tells when it has taken all.
    public var isBlocked: Bool { stream?.isBlocked ?? false }

    // MARK: - Life of a connection

    /// Opens a connection and sends CONNECT; `didConnect` or `didClose` tells the rest. Ignored while active.
    public func connect(to endpoint: Endpoint, through layers: StreamLayers = .none) {
        guard state == .idle else { return }
        begin()
        let number = connectionNumber
        connecting = network.connect(to: endpoint, timeout: options.connectTimeout, pacer: pacer) {
            [weak self] result in
            guard let self, self.state == .connecting, self.connectionNumber == number else { return }
            self.connecting = nil
            switch result {
            case .success(let stream): self.handshake(over: stream, through: layers)
            case .failure(let error): self.finish(.cannotConnect("\(error)"))
            }
        }
    }

    /// As `connect(to:)`, over a stream that is already open: an inherited descriptor, say.
    public func connect(over stream: ByteStream) {
        guard state == .idle else { return }
        begin()
        handshake(over: stream)
    }

    /// Sends DISCONNECT behind all that waits, and closes when the Server does, or after `closeDeadline`: a socket closed
    /// before that may be reset, and the last packets be lost. `didClose(.disconnected)` follows, at once when nothing was
    /// connected yet.
    ///
    /// - Parameters:
    ///   - reason: on MQTT 5; `.disconnectWithWill` has the Server publish the Will Message.
    ///   - sessionExpiryInterval: seconds, in place of CONNECT's; may not turn a 0 into more [MQTT-3.14.2-2].
    public func disconnect(reason: ReasonCode = .normalDisconnection, sessionExpiryInterval: UInt32? = nil) {
        switch state {
        case .idle, .closing: return
        case .connecting: finish(.disconnected)
        case .handshake, .connected:
            var packet = Disconnect(reason: reason)
            packet.sessionExpiryInterval = sessionExpiryInterval
            write(packet.encode(version: version))
            state = .closing
            liveness.stop(loop)
            loop.cancel(deadline)
            deadline = loop.schedule(after: options.closeDeadline) { [weak self] in self?.finish(.disconnected) }
        }
    }

    /// Closes without DISCONNECT, as if the link had been cut: the Server publishes the Will Message.
    public func abort() {
        guard state != .idle else { return }
        finish(.disconnected)
    }

    private func begin() {
        state = .connecting
        connectionNumber += 1
        serverReference = nil
        version = options.version
        connectStarted = loop.now
    }

    private func handshake(over stream: ByteStream, through layers: StreamLayers) {
        do throws(TLSError) {
            handshake(over: try layers.wrap(stream))
        } catch {
            stream.close()
            finish(.cannotConnect("TLS: \(error)"))
        }
    }

    private func handshake(over stream: ByteStream) {
        self.stream = stream
        stream.delegate = self
        if let pacer { stream.pace(by: pacer) }
        state = .handshake
        deadline = loop.schedule(at: connectStarted + options.connectTimeout) { [weak self] in
            self?.finish(.connectTimeout)
        }
        asked = loop.now
        write(connectPacket().encode())
    }

    private func connectPacket() -> Connect {
        var connect = Connect(version: version, clientIdentifier: options.clientIdentifier)
        connect.cleanStart = options.cleanStart
        connect.keepAlive = options.keepAlive
        connect.username = options.username
        connect.password = options.password
        connect.will = options.will
        if options.sessionExpiryInterval > 0 { connect.sessionExpiryInterval = options.sessionExpiryInterval }
        connect.receiveMaximum = options.receiveMaximum
        if options.maximumPacketSize < Options.largestPacket {
            connect.maximumPacketSize = UInt32(clamping: options.maximumPacketSize)
        }
        connect.topicAliasMaximum = options.topicAliasMaximum
        connect.requestResponseInformation = options.requestResponseInformation
        connect.userProperties = options.userProperties
        connect.authenticationMethod = options.authenticationMethod
        connect.authenticationData = options.authenticationMethod == nil ? nil : options.authenticationData
        return connect
    }

    func accepted(_ connack: Connack) {
        loop.cancel(deadline)
        server = connack
        state = .connected
        lastRoundTrip = loop.now - asked
        window.limit = min(Int(connack.receiveMaximum), Int(options.sendMaximum))
        let aliases = version == .v5 && !refusesAliases ? options.outboundTopicAliases : 0
        outboundAliases.reset(maximum: Int(min(connack.topicAliasMaximum, aliases)))
        startLiveness(keepAlive: connack.serverKeepAlive ?? options.keepAlive)
        let number = connectionNumber
        var received: [UInt16] = []
        if connack.sessionPresent {
            for identifier in window.resumeReleases() { writeAcknowledgement(.pubrel, identifier) }
        } else {
            received = window.forgetSession(everything: !options.automaticRelease)
            exactlyOnce.removeAll()
        }
        let delegate = delegate
        delegate?.client(self, didConnect: connack)
        // The Server had answered PUBREC for these: they are its own, and there is no PUBCOMP to wait for.
        for identifier in received where number == connectionNumber {
            window.finish(identifier, loop.now)
            delegate?.client(self, didAcknowledge: identifier, reason: .success)
        }
    }

    /// Sends DISCONNECT with the reason, on MQTT 5, and gives the connection up.
    func fail(_ error: MQTTError) {
        if version == .v5, state == .connected { write(Disconnect(reason: error.reason).encode(version: version)) }
        finish(.protocolError(error), flushing: true)
    }

    func finish(_ error: MQTTClientError, flushing: Bool = false) {
        guard state != .idle else { return }
        state = .idle
        loop.cancel(deadline)
        liveness.stop(loop)
        connecting?.cancel()
        connecting = nil
        if let stream {
            stream.delegate = nil
            if flushing { stream.closeAfterFlush(deadline: .seconds(1)) } else { stream.close() }
            earlierBytesSent += stream.bytesWritten
            earlierBytesReceived += stream.bytesRead
        }
        stream = nil
        server = nil
        window.connectionLost()
        pubacks.removeAll()
        pubrecs.removeAll()
        receiving = 0
        aliases.removeAll()
        if outboundAliases.areUsed, case .serverDisconnected(let reason, _) = error,
            reason == .topicAliasInvalid || reason == .protocolError
        {
            refusesAliases = true
        }
        outboundAliases.reset(maximum: 0)
        delegate?.client(self, didClose: error)
    }
}
