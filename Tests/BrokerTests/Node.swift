import EventLoop
import MQTT
import Store
import Testing

@testable import Broker

/// A broker with its log on a real database, on virtual time: everything of a daemon but sockets, threads and waiting.
///
/// `run()` turns loop and store until nothing is left to do; `store.hold` keeps commits from happening meanwhile. `kill()`
/// is a SIGKILL: what was not committed is gone, and the next `start()` finds what was.
final class Node {
    let directory = TemporaryDirectory()
    let clock = VirtualClock()
    var limits = BrokerLimits()
    var logOptions = LogOptions()
    var databaseOptions = DatabaseOptions()
    /// Routes that every start makes, by name and filter.
    var routes: [(name: String, filter: String)] = []

    /// ... and what is special about them.
    var policies: [String: RoutePolicy] = [:]
    /// Makes the routes of every start, instead of `routes`: each takes everything.
    var makeRoutes: ((Log, StoredState) -> [RouteQueue])?
    var routeBudget: Int64?
    /// Of every start.
    var access: any AccessControl = OpenAccess()
    var listener: ListenerOptions?
    /// Connections are subject to `connect_rate`, as behind a daemon's listener.
    var asksForRate = false

    /// Told of each start, before the first client.
    var prepare: ((Broker, StoredState) -> Void)?

    private(set) var loop: EventLoop
    private(set) var network: MemoryNetwork
    private var parts: Parts?
    private(set) var queues: [String: RouteQueue] = [:]
    private(set) var lines: [String] = []

    private final class Parts {
        let store: StoreStep
        let disk: FailingDisk
        let log: Log
        let broker: Broker
        init(store: StoreStep, disk: FailingDisk, log: Log, broker: Broker) {
            self.store = store
            self.disk = disk
            self.log = log
            self.broker = broker
        }
    }

    private final class Reports { weak var log: Log? }

    init(
        limits: BrokerLimits = BrokerLimits(), log: LogOptions = LogOptions(),
        routes: [(name: String, filter: String)] = [], starts: Bool = true
    ) throws {
        self.limits = limits
        self.routes = routes
        logOptions = log
        loop = EventLoop(clock: clock, poller: VirtualPoller())
        network = MemoryNetwork(loop: loop)
        if starts { try start() }
    }

    deinit { kill() }

    var store: StoreStep { running.store }
    /// Stands between log and store, and fails like a disk.
    var disk: FailingDisk { running.disk }
    var log: Log { running.log }
    var broker: Broker { running.broker }
    private var running: Parts {
        guard let parts else { preconditionFailure("the node is not running") }
        return parts
    }

    func start() throws {
        databaseOptions.budgetBytes = logOptions.budgetBytes
        loop = EventLoop(clock: clock, poller: VirtualPoller())
        network = MemoryNetwork(loop: loop)
        let database = try Database.open(path: directory.path, options: databaseOptions)
        let state = try database.load()
        let reports = Reports()
        let store = StoreStep(database: database) { reports.log?.handle($0) }
        let disk = FailingDisk(store) { reports.log?.handle($0) }
        let log = Log(loop: loop, engine: disk, options: logOptions, state: state)
        reports.log = log
        let broker = Broker(log: log, state: state, limits: limits, access: access)
        broker.logger = { [unowned self] _, line in lines.append(line) }
        log.onHealth = { [unowned self, unowned broker] error in
            lines.append("the store: \(error.map { "\($0)" } ?? "recovered")")
            broker.storeHealthChanged(error)
        }
        parts = Parts(store: store, disk: disk, log: log, broker: broker)
        for (name, filter) in routes {
            let queue = RouteQueue(
                name: name, evictionClass: .normal, storesQoS0: true, ttl: nil, budgetBytes: nil, log: log,
                state: state,
                policy: policies[name] ?? RoutePolicy())
            queues[name] = queue
            broker.add(Route(uplink: name, filter: [UInt8](filter.utf8), queue: queue))
        }
        for queue in makeRoutes?(log, state) ?? [] {
            queues[queue.name] = queue
            broker.add(Route(uplink: queue.name, filter: [UInt8]("#".utf8), queue: queue))
        }
        prepare?(broker, state)
        let listener = listener ?? ListenerOptions(limits: limits)
        _ = try network.listen(Self.endpoint) { [unowned broker, asksForRate] in
            if asksForRate, !broker.mayConnect($0, at: listener) { return }
            broker.accept($0, listener: listener)
        }
        run()
    }

    /// The process is gone at once.
    func kill() {
        queues = [:]
        loop.tearDown()
        parts = nil
    }

    func restart() throws {
        kill()
        try start()
    }

    static let endpoint = Endpoint.tcp(host: "127.0.0.1", port: 1883)

    // MARK: Turning

    /// Turns loop and store until neither has anything to do.
    func run() {
        guard let store = parts?.store else { return }
        var rounds = 0
        repeat {
            loop.tick(wait: .zero)
            rounds += 1
            precondition(rounds < 1_000_000, "the node never comes to rest")
        } while store.step() || loop.hasWork
    }

    /// Virtual time passes, with everything that is due meanwhile.
    func advance(by duration: Duration) {
        let end = clock.now + duration
        run()
        while let next = loop.nextDeadline, next <= end {
            clock.advance(to: next)
            run()
        }
        clock.advance(to: end)
        run()
    }

    // MARK: Clients

    /// A client whose CONNECT was answered.
    func client(
        _ identifier: String, _ version: ProtocolVersion = .v5, clean: Bool = true, expiry: UInt32? = nil,
        keepAlive: UInt16 = 0, will: Will? = nil, receiveMaximum: UInt16 = 65_535, maximumPacketSize: UInt32? = nil,
        acknowledges: Bool = false, user: String? = nil
    ) throws -> TestClient {
        let client = try open(version)
        client.acknowledges = acknowledges
        client.connect(
            identifier, clean: clean, expiry: expiry, keepAlive: keepAlive, will: will, receiveMaximum: receiveMaximum,
            maximumPacketSize: maximumPacketSize, user: user)
        run()
        client.takeConnack()
        return client
    }

    /// A connection without CONNECT.
    func open(_ version: ProtocolVersion = .v5) throws -> TestClient {
        var opened: ByteStream?
        network.connect(to: Self.endpoint, timeout: .seconds(1)) { result in
            if case .success(let stream) = result {
                opened = stream
                stream.pauseReading()
            }
        }
        run()
        return TestClient(try #require(opened), version, node: self)
    }
}
