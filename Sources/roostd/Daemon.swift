import Access
import Broker
import Configuration
import EventLoop
import Glibc
import Modules
import Store
import Twin
import Uplink

/// One running roostd: the loop, the store, the broker and all around it, put together from the settings.
final class Daemon {
    /// What keeps it from starting, with the exit code that docs/running.md gives it.
    struct Failure: Error {
        var exitCode: Int32
        var message: String
    }

    let settings: Settings
    let loop: EventLoop
    let network: SocketNetwork
    let logger: Logger
    let log: Log
    let broker: Broker
    let access: RuledAccess
    /// In front of `access`.
    let moduleAccess: ModuleAccess
    private(set) lazy var modules = makeModules()
    /// The modules' settings in force.
    var moduleSettings: [ModuleSettings] = []
    let reread: Rereading
    /// Reloads that wait for one that is under way.
    var waitingReloads: [(String?) -> Void] = []
    var isReloading = false
    var uplinks: [Uplink] = []
    var ingest: Ingest?
    var twins: DeviceTwins?
    private let writer: StoreWriter
    /// What the database held, until everybody has taken their part of it.
    private var stored: StoredState
    private var listeners: [any Listener] = []
    private(set) var doors: [ListenerDoor] = []
    private var signals: SignalSource?
    private var admin: AdminWiring?
    private(set) var isStopping = false
    /// What became of a damaged database at the start.
    private let salvage: SalvageReport?

    /// Reads the configuration again, as it was read at the start.
    typealias Rereading = (Settings.Inspection?) throws(ConfigurationError) -> Settings

    init(_ settings: Settings, reread: @escaping Rereading) throws(Failure) {
        self.settings = settings
        self.reread = reread
        do throws(SystemError) {
            loop = try EventLoop()
        } catch {
            throw Failure(exitCode: 2, message: "no event loop: \(error)")
        }
        let loop = loop
        network = SocketNetwork(loop: loop)
        logger = Logger(settings.log, clock: loop.clock)
        // The signals are blocked in this thread before there is another that would inherit them unblocked.
        let received = SignalBox()
        signals = try? SignalSource(loop: loop, signals: [SIGTERM, SIGINT, SIGHUP]) { received.handler?($0) }
        do throws(StoreError) {
            let logger = logger
            let opening = try Database.openSalvaging(
                path: settings.node.data, options: DatabaseOptions(settings.store)
            ) { logger.log(.error, "\($0); saving what is readable") }
            let state = opening.state
            salvage = opening.salvage
            let reports = ReportBox()
            let mailbox = Mailbox<StoreReport>(loop: loop) { reports.log?.handle($0) }
            writer = StoreWriter(database: opening.database, rest: loop.rest) { mailbox.post($0) }
            log = Log(loop: loop, engine: writer, options: LogOptions(settings.store), state: state)
            reports.log = log
            stored = state
        } catch {
            throw Failure(exitCode: error.exitCode, message: error.explanation)
        }
        do throws(AccessProblems) {
            let rules = try AccessRules(AccessSource(settings.access))
            access = RuledAccess(rules, loop: loop, secret: Self.loginSecret(stored, log)) { [log] in
                log.clock.isSet ? log.clock.now + log.clock.wallOffset : nil
            }
        } catch {
            throw Failure(
                exitCode: 1, message: error.problems.map { "access.\($0.setting): \($0.text)" }.joined(separator: "\n"))
        }
        moduleAccess = ModuleAccess(access, modules: settings.modules)
        broker = Broker(log: log, state: stored, limits: BrokerLimits(settings.limits), access: moduleAccess)
        broker.logger = { [logger] level, line in logger.log(level, line) }
        access.logger = broker.logger
        log.onHealth = { [unowned self] error in storeHealthChanged(error) }
        let damage = DamageEpisodes(logger, loop: loop)
        log.onDamage = { damage.note($0) }
        if let salvage { log.noteSalvage(salvage) }
        received.handler = { [unowned self] signal in take(signal) }
    }

    /// Random, made at the first start and kept: what a user that isn't known is shown must not change by a restart.
    private static func loginSecret(_ stored: StoredState, _ log: Log) -> [UInt8] {
        let key = Array("login".utf8)
        let known = stored.states.first { $0.kind == .node && $0.key == key }?.value
        if let known, known.count == 32 { return known }
        var generator = SystemRandomNumberGenerator()
        let made = (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) }
        log.lazily(.state(.node, key: key, value: made))
        return made
    }

    private final class SignalBox {
        var handler: ((Int32) -> Void)?
    }

    /// Reports of the writer come in the loop's mailbox, which is made before the log that takes them.
    private final class ReportBox {
        weak var log: Log?
    }

    /// Listens, says so, and serves until it is told to stop. Returns the exit code.
    func run() throws(Failure) -> Int32 {
        log.lazily(.state(.node, key: [], value: Array(settings.node.id.utf8)))
        startTwins(stored)
        try startIngest(stored)
        try startUplinks(stored)
        stored = StoredState()
        try listen()
        startModules()
        scheduleChores()
        scheduleExpiry()
        logger.log(.notice, "roostd \(Version.text) serves node \(settings.node.id), data in \(settings.node.data)")
        ServiceManager.notify("READY=1")
        loop.schedule(after: .milliseconds(100)) { StartUpMemory.release() }
        loop.run()
        writer.join()
        return 0
    }

    private func listen() throws(Failure) {
        let admin = AdminWiring(settings, broker: broker, logger: logger) { [unowned self] in reload(then: $0) }
        self.admin = admin
        admin.watch(uplinks)
        admin.admin.ingest = ingest
        admin.admin.modules = modules
        admin.admin.twins = twins
        try admin.listen(on: network)
        for listener in settings.listeners {
            let door = try ListenerDoor(listener, settings, broker)
            doors.append(door)
            do throws(NetworkError) {
                let opened = try network.listen(NetworkEndpoint(listener.bind), options: ListenOptions()) {
                    door.accept($0)
                }
                listeners.append(opened)
                logger.log(.info, "listening on \(opened.endpoint)\(door.words)")
            } catch {
                throw Failure(exitCode: 2, message: error.listening("listener.bind"))
            }
        }
        admin.becomeReady()
        broker.publishSystemTopics()
    }

    private func storeHealthChanged(_ error: StoreError?) {
        if let error {
            logger.log(.error, "the store fails: \(error.explanation); what can't be kept is not acknowledged")
        } else {
            logger.log(.notice, "the store has recovered")
        }
        broker.storeHealthChanged(error)
    }

    // MARK: Chores

    private func scheduleChores() {
        loop.schedule(after: .seconds(10)) { [unowned self] in
            broker.publishSystemTopics()
            scheduleChores()
        }
    }

    private func scheduleExpiry() {
        loop.schedule(after: .seconds(60)) { [unowned self] in
            log.expire()
            forgetReceived()
            scheduleExpiry()
        }
    }

    // MARK: Stopping

    private func take(_ signal: Int32) {
        if signal == SIGHUP {
            reload { _ in }
        } else if isStopping {
            exit(0)
        } else {
            stop()
        }
    }

    /// Tells everybody, commits what waits and closes the store; at most `shutdown_seconds`.
    private func stop() {
        isStopping = true
        ServiceManager.notify("STOPPING=1")
        logger.log(.notice, "stopping")
        for listener in listeners { listener.close() }
        admin?.close()
        loop.schedule(after: settings.shutdown) { exit(0) }
        // They publish what is due, while it can still be taken.
        modules.stop(within: min(.seconds(5), settings.shutdown / 2)) { [unowned self] in stopServing() }
    }

    private func stopServing() {
        broker.shutDown()
        // What the far end is about to acknowledge need not be sent again.
        var open = uplinks.count + 1
        let closed = { [unowned self] in
            open -= 1
            guard open == 0 else { return }
            log.close(broker.routes.flatMap { $0.queue.endOfRun() }) { [loop] in loop.stop() }
        }
        // That they close now is no news of the links.
        for uplink in uplinks { uplink.onState = nil }
        for uplink in uplinks { uplink.stop(within: min(.seconds(2), settings.shutdown / 2), then: closed) }
        closed()
    }
}

extension StoreError {
    /// Exit code for a store that can't be opened: 2 where the place is wrong, 3 where the store is.
    var exitCode: Int32 {
        switch self {
        case .locked, .notWritable: 2
        case .notADatabase, .newerSchema, .corrupt, .full, .failed: 3
        }
    }

    /// What happened, to what, and what to do.
    var explanation: String {
        switch self {
        case .locked(let path):
            "\(path) is in use by another roostd; stop it, or give this one its own node.data"
        case .notWritable(let path, let errno):
            "\(path) can't be written: \(String(cString: strerror(errno))); give roostd's user the directory, or set node.data"
        case .notADatabase(let path):
            "\(path) is not a Roost database; nothing was changed. Move it away, or set node.data to another directory"
        case .newerSchema(let path, let found, let known):
            "\(path) was written by a newer Roost (schema \(found), this one knows \(known)); nothing was changed. Run that version"
        case .corrupt(let path, let detail):
            "\(path) is damaged: \(detail). `roost store check` says what, `roost store repair` saves what is readable"
        case .full(let path):
            "no space left for \(path); free some, or lower store.budget"
        case .failed(let path, let code, let detail):
            "\(path): \(detail) (SQLite \(code))"
        }
    }
}
