import Broker
import EventLoop
import MQTT
import Store
import Uplink

/// One run of roostd: the real loop, store, broker, and uplink or receiver, put together as the daemon does it, but for the
/// writer's thread, which is a step of the agenda.
final class RoostProcess: Host {
    unowned let machine: Machine
    let loop: EventLoop
    private lazy var hostNetwork = HostNetwork(machine.world.network, host: self, loop: loop) { [unowned self] _ in
        machine.world.uplinkLink
    }
    private let reports = Reports()
    private(set) var writer: SteppedWriter?
    private(set) var log: Log?
    private(set) var broker: Broker?
    private(set) var uplinks: [Uplink] = []
    private(set) var ingest: Ingest?
    private(set) var queues: [RouteQueue] = []
    private var tap: ReceiverTap?
    private var sink: SinkTap?
    private var mailbox: Mailbox<StoreReport>?
    private(set) var epoch: UInt64 = 0
    private var isDead = false
    private(set) var isServing = false

    private final class Reports { weak var log: Log? }

    /// Which start of its machine's this is, from 1.
    let start: Int

    init(_ machine: Machine) {
        self.machine = machine
        start = machine.starts
        loop = EventLoop(clock: machine.clock, poller: VirtualPoller())
        super.init(machine.name)
    }

    override var isAlive: Bool { !isDead }
    override var isPowered: Bool { machine.isPowered }
    override func mayAct() -> Bool { !isDead && machine.spendFuse() }

    func die() {
        isDead = true
        isServing = false
    }

    func tearDown() {
        hostNetwork.tearDown()
        loop.tearDown()
        queues = []
        uplinks = []
        broker = nil
        ingest = nil
        log = nil
        writer = nil
        mailbox = nil
        tap = nil
        sink = nil
    }

    // MARK: Start and stop

    func start(epoch: UInt64) throws(StoreError) {
        let scenario = machine.world.scenario
        let database = try Database.open(path: "/data", options: scenario.databaseOptions(machine))
        let state = try database.load()
        guard isAlive else { return }
        let mailbox = Mailbox<StoreReport>(loop: loop) { [reports] in reports.log?.handle($0) }
        let tap = StoreTap(machine.world, machine.role, epoch: epoch)
        let writer = SteppedWriter(StoreStep(database: database) { mailbox.post($0) }, tap, self)
        let log = Log(
            loop: loop, engine: writer, options: scenario.logOptions(machine.role), state: state, epoch: epoch)
        let broker = Broker(log: log, state: state, limits: scenario.limits(machine.role))
        self.mailbox = mailbox
        self.writer = writer
        self.log = log
        self.broker = broker
        self.epoch = log.run.epoch
        reports.log = log
        log.onHealth = { [unowned self, unowned broker] error in
            machine.world.trace.note("\(name): the store \(error.map { "fails: \($0)" } ?? "has recovered")")
            if error != nil {
                machine.hasFailed = true
                machine.world.tally.add(.failures)
            }
            broker.storeHealthChanged(error)
        }
        broker.logger = { [unowned self] severity, line in
            if severity >= .notice { machine.world.trace.note("\(name): \(line)") }
        }
        switch machine.role {
        case .node:
            machine.world.model.numbers.begin(log.run.epoch, state)
            startUplinks(log, broker, state)
        case .cloud: startIngest(log, broker, state)
        }
        let options = ListenerOptions(anonymous: .always, limits: scenario.limits(machine.role))
        do throws(NetworkError) {
            _ = try hostNetwork.listen(machine.role.endpoint) { [unowned broker] stream in
                broker.accept(stream, listener: options)
            }
        } catch { machine.world.fail(.simulation, "\(name): \(error)") }
        isServing = true
        scheduleExpiry()
        machine.world.trace.note("\(name) serves")
    }

    private func scheduleExpiry() {
        loop.schedule(after: .seconds(60)) { [unowned self] in
            log?.expire()
            scheduleExpiry()
        }
    }

    private func startUplinks(_ log: Log, _ broker: Broker, _ state: StoredState) {
        let world = machine.world
        for (way, entries) in world.plan(start).uplinks.enumerated() {
            let queues = entries.map { entry in
                let queue = RouteQueue(
                    name: entry.name, evictionClass: entry.options.priority, storesQoS0: entry.options.storesQoS0,
                    ttl: entry.ttl, budgetBytes: nil, log: log, state: state, policy: entry.policy)
                broker.add(Route(uplink: RoutePlan.uplink(way), filter: Array(entry.filter.utf8), queue: queue))
                return queue
            }
            self.queues += queues
            do throws(UplinkError) {
                let uplink = try Uplink(
                    options: world.scenario.uplinkOptions(way, entries.map(\.options)), loop: loop,
                    network: hostNetwork, queues: queues, sink: broker, storeTime: { [unowned log] in log.clock.now },
                    random: { [unowned self] in machine.jitter() }, localOffset: { _ in 0 })
                let name = "\(name): uplink\(way > 0 ? " \(way)" : "")"
                uplink.onNotice = { [unowned world] in world.trace.note("\(name) \($0)") }
                uplink.onState = { [unowned world] in world.trace.note("\(name) is \($0.rawValue)") }
                uplinks.append(uplink)
                uplink.start()
            } catch { world.fail(.simulation, "\(name): \(error)") }
        }
        world.tally.add(.orphans, log.orphanedRoutes.count)
    }

    /// Uplinks that are not connected.
    var unfinishedUplinks: [String] { uplinks.filter { $0.state != .connected }.map(\.options.name) }

    func isConnected(_ queue: RouteQueue) -> Bool {
        uplinks.contains { $0.state == .connected && queue.name.hasPrefix($0.options.name + "/") }
    }

    private func startIngest(_ log: Log, _ broker: Broker, _ state: StoredState) {
        let stored = state.states.filter { $0.kind == .receiver }.map { (key: $0.key, value: $0.value) }
        let sink = SinkTap(broker, machine.world.model)
        self.sink = sink
        do throws(TopicMapping.PatternError) {
            let ingest = try Ingest(
                options: IngestOptions(node: "cloud"), sink: sink, stored: stored,
                storeTime: { [unowned log] in log.clock.now })
            ingest.onNotice = { [unowned self] in
                machine.world.trace.note("\(name): ingest \($0)")
                if !$0.contains("store") { machine.world.fail(.integrity, "\(name): \($0)") }
            }
            self.ingest = ingest
            let tap = ReceiverTap(ingest, machine.world.model)
            self.tap = tap
            sink.receiver = tap
            broker.receiver = tap
        } catch { machine.world.fail(.simulation, "\(name): \(error)") }
    }

    /// SIGTERM, as the daemon takes it.
    func stop(then: @escaping () -> Void) {
        guard let broker, let log else { return }
        isServing = false
        machine.world.trace.note("\(name) is told to stop")
        machine.world.network.forgetListeners(of: self)
        broker.shutDown()
        let queues = queues
        let epoch = epoch
        let numbers = machine.world.model.numbers
        // What the far end is about to acknowledge need not be sent again.
        var open = uplinks.count + 1
        let closed = { [weak broker] in
            open -= 1
            guard open == 0, let broker else { return }
            log.close(broker.routes.flatMap { $0.queue.endOfRun() }) { [weak self] in
                // A store that fails to the end has not ended in good order.
                if self?.writer?.isFailing == false { numbers.account(queues, epoch) }
                then()
            }
        }
        for uplink in uplinks { uplink.stop(within: .seconds(2), then: closed) }
        closed()
    }
}
