import EventLoop
import MQTT

/// A client as the specifications want it: it keeps its side of the session, sends again what was not acknowledged, and
/// comes back when its connection is lost.
final class SimulatedClient {
    struct Manner {
        var version = ProtocolVersion.v5
        /// Its session outlives its connections.
        var isPersistent = true
        var filters: [(filter: String, qos: QoS)] = []
        var receiveMaximum: UInt16 = 65_535
        /// How long it takes to acknowledge what it got, in milliseconds.
        var thinkMilliseconds = 0...0
        var hasWill = false
    }

    private enum State { case away, connecting, accepting, connected }

    let name: String
    let role: Role
    unowned let world: World
    var manner: Manner
    var random: SimulationRandom
    private var state = State.away
    private var end: ClientEnd?
    private var input: [UInt8] = []
    /// Counts connections.
    private(set) var connection = 0
    private var lastHeard: Int64 = 0
    /// It connects again by itself.
    private(set) var wantsConnection = false
    /// Until then it reads nothing.
    private var stalledUntil: Int64 = 0
    private var unread: [[UInt8]] = []
    /// CONNACK was received once, so that there is a session.
    private(set) var hadSession = false
    private(set) var sessionLosses = 0

    // Publishing.
    var flights: [Flight] = []
    var waiting: [MessageRecord] = []
    var serverMaximum = 65_535
    /// The order in which acknowledgements must come, by type.
    var expectedPubacks: [UInt16] = []
    var expectedPubrecs: [UInt16] = []
    // Subscribing.
    /// When SUBACK came for each filter; nothing was lost since.
    var subscribedAt: [String: Int64] = [:]
    var openSubscribe: (identifier: UInt16, filters: [String])?
    var unreleased: Set<UInt16> = []
    var owed: [(type: PacketType, identifier: UInt16)] = []
    var isAnswering = false

    struct Flight {
        let identifier: UInt16
        let message: MessageRecord
        var isReleased = false
    }

    init(_ name: String, _ role: Role, _ world: World, _ manner: Manner, seed: UInt64) {
        self.name = name
        self.role = role
        self.world = world
        self.manner = manner
        random = SimulationRandom(seed: seed)
    }

    var isConnected: Bool { state == .connected }
    /// It is a member of Shared Subscriptions, and has no other.
    var isInGroups: Bool { manner.filters.contains { $0.filter.hasPrefix("$share/") } }
    var isDone: Bool { flights.isEmpty && waiting.isEmpty }
    /// Which start of the broker is at the other end.
    var serverStart: Int? { end.flatMap { ($0.connection?.peer(of: $0) as? RoostProcess)?.start } }

    // MARK: Coming and going

    func arrive() {
        wantsConnection = true
        if state == .away { connect() }
    }

    func leave(_ departure: SimulatedDeparture, staysAway: Bool) {
        guard departure != .takeOver else {
            guard state == .connected else { return }
            lose()
            return connect(keepsOld: true)
        }
        wantsConnection = !staysAway
        guard let end, state != .away else { return }
        if departure == .disconnect, state == .connected {
            world.wills.willLeave(self)
            send(Disconnect(reason: .normalDisconnection).encode(version: manner.version))
        }
        switch departure {
        case .disconnect: end.connection?.close(end)
        case .reset: end.connection?.close(end, reset: true)
        default: end.connection?.abandon(end, tells: false)
        }
        world.trace.note("\(name) leaves: \(departure.rawValue)")
        lose()
        comeBack()
    }

    func stall(milliseconds: Int) {
        stalledUntil = max(stalledUntil, world.now + Int64(milliseconds) * 1_000_000)
        world.plan(at: stalledUntil) { [self] in
            guard world.now >= stalledUntil else { return }
            let bytes = unread
            unread = []
            for part in bytes { received(part, connection) }
        }
    }

    private func connect(keepsOld: Bool = false) {
        connection += 1
        let attempt = connection
        world.trace.detail("\(name) tries to connect, \(attempt)")
        state = .connecting
        let end = ClientEnd(host: world.clients, client: self, connection: attempt)
        self.end = end
        world.network.connect(from: end, to: role.endpoint, over: world.link(of: self)) { [self] isOpen in
            guard attempt == connection, state == .connecting else {
                end.connection?.close(end)
                return
            }
            guard isOpen else { return ended(attempt) }
            state = .accepting
            lastHeard = world.now
            sendConnect()
        }
        // Where nothing answers, it tries again.
        world.plan(at: world.now + 4_000_000_000) { [self] in
            guard attempt == connection, state == .connecting || state == .accepting else { return }
            end.connection?.close(end, reset: true)
            ended(attempt)
        }
    }

    private func sendConnect() {
        let will = manner.hasWill ? world.wills.next(for: self) : nil
        send(
            Connect(
                version: manner.version, clientIdentifier: [UInt8](name.utf8), cleanStart: !manner.isPersistent,
                keepAlive: world.scenario.keepAlive, will: will,
                sessionExpiryInterval: manner.version == .v5 && manner.isPersistent ? 86_400 : nil,
                receiveMaximum: manner.receiveMaximum
            ).encode())
    }

    private func comeBack() {
        guard wantsConnection, state == .away else { return }
        let attempt = connection
        world.plan(at: world.now + Int64(20 + random.below(1500)) * 1_000_000) { [self] in
            guard attempt == connection, state == .away, wantsConnection else { return }
            connect()
        }
    }

    /// The connection is over, whoever ended it.
    func ended(_ attempt: Int) {
        guard attempt == connection, state != .away else { return }
        world.trace.detail("\(name) has lost its connection, \(attempt)")
        world.wills.wasLost(self, wasConnected: state == .connected)
        lose()
        comeBack()
    }

    private func lose() {
        state = .away
        end = nil
        input = []
        unread = []
        owed = []
        openSubscribe = nil
        expectedPubacks = []
        expectedPubrecs = []
        for message in waiting where message.qos == .atMostOnce { message.state = .abandoned }
        waiting.removeAll { $0.qos == .atMostOnce }
        guard !manner.isPersistent else { return }
        for flight in flights where !flight.message.isAcknowledged { flight.message.state = .abandoned }
        flights = []
        unreleased = []
        subscribedAt = [:]
    }

    // MARK: Bytes

    func send(_ bytes: [UInt8]) {
        guard let end else { return }
        end.connection?.send(bytes, from: end)
    }

    func received(_ bytes: [UInt8], _ attempt: Int) {
        guard attempt == connection, state != .away else { return }
        guard world.now >= stalledUntil else {
            unread.append(bytes)
            return
        }
        if let end { end.connection?.took(bytes.count, by: end) }
        lastHeard = world.now
        input += bytes
        let all = input
        var offset = 0
        all.withUnsafeBytes { buffer in
            while offset < buffer.count, attempt == connection, state != .away {
                let rest = UnsafeRawBufferPointer(rebasing: buffer[offset...])
                do {
                    guard let packet = try readFrame(rest, maximum: 1 << 28, version: manner.version) else { break }
                    try take(packet)
                    offset += packet.length
                } catch {
                    world.fail(.integrity, "\(name) was sent what is not MQTT: \(error)")
                    return
                }
            }
        }
        if attempt == connection, state != .away { input = Array(all[offset...]) }
    }

    private func take(_ packet: RawPacket) throws(MQTTError) {
        switch packet.type {
        case .connack: take(try Connack(packet, version: manner.version))
        case .publish: take(try PublishView(packet, version: manner.version, from: .server))
        case .puback, .pubrec, .pubrel, .pubcomp: take(try Acknowledgement(packet, version: manner.version))
        case .suback: take(try Suback(packet, version: manner.version))
        case .disconnect:
            let reason = try Disconnect(packet, version: manner.version).reason
            world.trace.note("\(name) is told to go: \(reason.name)")
        default: break
        }
    }

    private func take(_ connack: Connack) {
        guard connack.reason == .success else {
            world.trace.note("\(name) is refused: \(connack.reason.name)")
            return
        }
        state = .connected
        serverMaximum = manner.version == .v5 ? Int(connack.receiveMaximum) : 50
        world.trace.note("\(name) is connected\(connack.sessionPresent ? ", session present" : "")")
        world.wills.isConnected(self)
        if !connack.sessionPresent { noteLostSession() }
        hadSession = manner.isPersistent
        let missing = manner.filters.filter { subscribedAt[$0.filter] == nil }
        if !missing.isEmpty { subscribe(missing) }
        resend()
        ping(connection)
    }

    /// Nothing is left of an earlier session at the server, so that nothing is left at the client [MQTT-3.2.2-5].
    private func noteLostSession() {
        if hadSession {
            sessionLosses += 1
            if !world.isForgiven(role) {
                world.fail(.session, "\(name) had a session, and its CONNACK says Session Present 0")
            }
        }
        subscribedAt = [:]
        unreleased = []
        // What was not acknowledged is published anew.
        let again = flights.filter { !$0.isReleased }.map(\.message)
        flights = []
        waiting = again + waiting
    }

    private func ping(_ attempt: Int) {
        let interval = Int64(world.scenario.keepAlive) * 500_000_000
        world.plan(at: world.now + interval) { [self] in
            guard attempt == connection, state == .connected else { return }
            if world.now - lastHeard > interval * 3, world.now >= stalledUntil {
                world.trace.note("\(name) hears nothing and gives up")
                if let end { end.connection?.abandon(end, tells: true) }
                return ended(attempt)
            }
            send(Ping.request)
            ping(attempt)
        }
    }
}

/// The end that a client has.
final class ClientEnd: SimulatedEnd {
    private unowned let client: SimulatedClient
    private let attempt: Int

    init(host: Host, client: SimulatedClient, connection: Int) {
        self.client = client
        attempt = connection
        super.init(host: host)
    }

    override func received(_ bytes: [UInt8]) { client.received(bytes, attempt) }
    override func ended(reset: Bool) { client.ended(attempt) }
}
