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
    private(set) var uplink: Uplink?
    private(set) var ingest: Ingest?
    private(set) var queues: [RouteQueue] = []
    private var tap: ReceiverTap?
    private var sink: SinkTap?
    private var mailbox: Mailbox<StoreReport>?
    private(set) var epoch: UInt64 = 0
    private var isDead = false
    private(set) var isServing = false

    private final class Reports { weak var log: Log? }

    init(_ machine: Machine) {
        self.machine = machine
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
        uplink = nil
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
        let writer = SteppedWriter(StoreStep(database: database) { mailbox.post($0) }, self)
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
            broker.storeHealthChanged(error)
        }
        broker.logger = { [unowned self] severity, line in
            if severity >= .notice { machine.world.trace.note("\(name): \(line)") }
        }
        switch machine.role {
        case .node: startUplink(log, broker, state)
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

    private func startUplink(_ log: Log, _ broker: Broker, _ state: StoredState) {
        let scenario = machine.world.scenario
        let options = scenario.uplinkOptions(start: machine.starts)
        for route in options.routes {
            let queue = RouteQueue(
                name: "cloud/\(route.name)", evictionClass: route.priority, storesQoS0: true, ttl: nil,
                budgetBytes: nil, log: log, state: state, policy: scenario.policy(route))
            broker.add(Route(uplink: "cloud", filter: Array("\(route.name)/#".utf8), queue: queue))
            queues.append(queue)
        }
        do throws(UplinkError) {
            let uplink = try Uplink(
                options: options, loop: loop, network: hostNetwork, queues: queues, sink: broker,
                storeTime: { [unowned log] in log.clock.now }, random: { [unowned self] in machine.jitter() })
            uplink.onNotice = { [unowned self] in machine.world.trace.note("\(name): uplink \($0)") }
            uplink.onState = { [unowned self] in machine.world.trace.note("\(name): uplink is \($0.rawValue)") }
            self.uplink = uplink
            uplink.start()
        } catch { machine.world.fail(.simulation, "\(name): \(error)") }
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
            broker.receiver = tap
        } catch { machine.world.fail(.simulation, "\(name): \(error)") }
    }

    /// SIGTERM, as the daemon takes it.
    func stop(then: @escaping () -> Void) {
        guard let broker, let log else { return }
        isServing = false
        machine.world.trace.note("\(name) is told to stop")
        machine.world.network.forgetListeners(of: self)
        uplink?.stop()
        broker.shutDown()
        log.close(broker.routes.flatMap { $0.queue.endOfRun() }, then: then)
    }
}
