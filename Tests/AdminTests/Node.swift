import Broker
import EventLoop
import Glibc
import MQTT
import Store
import Testing

@testable import Admin

/// An uplink that is what a test makes it.
final class FakeUplink: AdministeredUplink {
    var report: UplinkReport
    private(set) var told: [String] = []

    init(_ name: String, _ state: UplinkReport.State, since: Instant) {
        report = UplinkReport(name: name, state: state, since: since, url: "mqtt://cloud.example:1883")
    }

    func pause() {
        told.append("pause")
        report.state = .paused
    }

    func resume() { told.append("resume") }
    func flush() { told.append("flush") }
}

/// A node with a real broker and store, its writer in steps, and its admin interface, all on virtual time.
final class Node {
    let bench: Bench
    let log: Log
    let broker: Broker
    let admin: Admin
    let queues: [RouteQueue]
    var writtenBytes: UInt64? = 0
    private(set) var lines: [String] = []
    private let store: StoreStep
    private let listener: any Listener
    private static let place = Endpoint.tcp(host: "127.0.0.1", port: 1883)

    /// - Parameters:
    ///   - routes: UPLINK/ROUTE and filter.
    ///   - routeBudget: of each.
    init(
        _ path: String, routes: [(name: String, filter: String)] = [("cloud/plant", "plant/#")],
        options: LogOptions = LogOptions(), limits: BrokerLimits = BrokerLimits(), clock: VirtualClock = VirtualClock(),
        access: HTTPAccess = .loopback(host: "127.0.0.1"), routeBudget: Int64? = nil
    ) throws {
        let loop = EventLoop(clock: clock, poller: VirtualPoller())
        let database = try Database.open(path: path)
        let state = try database.load()
        final class Box { weak var log: Log? }
        let box = Box()
        let store = StoreStep(database: database) { box.log?.handle($0) }
        let log = Log(loop: loop, engine: store, options: options, state: state)
        box.log = log
        let broker = Broker(log: log, state: state, limits: limits, access: BelievingAccess())
        queues = routes.map { route in
            RouteQueue(
                name: route.name, evictionClass: .high, storesQoS0: true, ttl: nil, budgetBytes: routeBudget, log: log,
                state: state)
        }
        for (route, queue) in zip(routes, queues) {
            let uplink = String(route.name.prefix { $0 != "/" })
            broker.add(Route(uplink: uplink, filter: Array(route.filter.utf8), queue: queue))
        }
        final class Links {
            var written: () -> UInt64? = { nil }
            var log: (String) -> Void = { _ in }
        }
        let links = Links()
        var actions = Admin.Actions()
        actions.log = { links.log("\($0): \($1)") }
        actions.setLogLevel = { links.log("level \($0)") }
        actions.reload = { $0(nil) }
        let disk = DiskMeter(clock: clock) { links.written() }
        admin = Admin(broker: broker, node: "edge-1", version: "9.9", disk: disk, actions: actions)
        bench = try Bench(admin.router, access: access, on: loop, clock)
        listener = try bench.network.listen(Self.place) { broker.accept($0, listener: ListenerOptions(limits: limits)) }
        self.store = store
        self.log = log
        self.broker = broker
        bench.others = { store.step() }
        links.written = { [unowned self] in writtenBytes }
        links.log = { [unowned self] in lines.append($0) }
        bench.pass()
    }

    func pass(_ time: Duration = .zero) { bench.pass(time) }

    /// Stops in good order; the directory can be opened again.
    func stop() {
        log.close([]) {}
        bench.pass(.seconds(1))
    }

    func publish(_ topic: String, _ payload: [UInt8], qos: QoS = .atLeastOnce, retain: Bool = false) {
        Array(topic.utf8).withUnsafeBytes { topic in
            payload.withUnsafeBytes { payload in
                let view = PublishView(topic: topic, payload: payload, qos: qos, retain: retain)
                _ = broker.route(view, from: .node, waiter: nil, ticket: 0)
            }
        }
        pass()
    }

    func publish(_ topic: String, _ payload: String) { publish(topic, Array(payload.utf8)) }

    /// A client that has connected and subscribed.
    func client(
        _ identifier: String, filter: String, sessionExpiry: UInt32 = 3600, version: ProtocolVersion = .v5
    ) throws -> Browser {
        var client: Browser?
        bench.network.connect(to: Self.place, timeout: .seconds(1)) { client = (try? $0.get()).map(Browser.init) }
        pass()
        let connected = try #require(client)
        let connect = Connect(
            version: version, clientIdentifier: Array(identifier.utf8), cleanStart: false, keepAlive: 0,
            username: Array("operator".utf8), sessionExpiryInterval: version == .v5 ? sessionExpiry : nil)
        connected.stream.write(connect.encode())
        pass()
        let subscription = Subscription(filter: Array(filter.utf8), qos: .atLeastOnce)
        connected.stream.write(Subscribe(packetIdentifier: 1, filters: [subscription]).encode(version: version))
        pass()
        return connected
    }

    func get(_ target: String) throws -> String {
        let answer = try bench.ask("GET", target)
        #expect(answer.status == 200, "\(target): \(answer.body)")
        return answer.body
    }
}

/// A directory that goes with the value.
final class TemporaryDirectory {
    let path: String

    init() {
        var template = Array("/tmp/roost-admin-XXXXXX".utf8CString)
        _ = mkdtemp(&template)
        path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
    }

    deinit {
        for name in ["roost.db", "roost.db-wal", "roost.db-shm", "ballast", "lock"] { unlink("\(path)/\(name)") }
        rmdir(path)
    }
}

/// Takes everybody for whom they say they are.
private final class BelievingAccess: AccessControl {
    func admit(_ candidate: Candidate, then: @escaping (Admission) -> Void) {
        then(
            .admitted(
                ClientIdentity(clientIdentifier: candidate.clientIdentifier, userName: candidate.userName ?? [])))
    }

    func review(_ identity: ClientIdentity) -> ClientIdentity? { identity }

    func restored(clientIdentifier: [UInt8], userName: [UInt8]) -> ClientIdentity {
        ClientIdentity(clientIdentifier: clientIdentifier, userName: userName)
    }
}
