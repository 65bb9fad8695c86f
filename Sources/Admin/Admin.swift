import Broker
import EventLoop
import JSON
import MQTT
import Modules
import Store
import Twin
import Uplink

/// How the daemon is looked at and steered: the endpoints behind `roost status` and its like, health, readiness and metrics.
/// It owns nothing of what it shows; every answer is made from the broker, the log and the uplinks as they are then.
public final class Admin {
    /// What the daemon does when it is told to. An error's text goes to who asked.
    public struct Actions {
        /// Reads the configuration again, and tells the reason if it can't.
        public var reload: (@escaping (String?) -> Void) -> Void = { $0("reloading is not available") }
        public var setLogLevel: (Severity) -> Void = { _ in }
        /// A store's failure in a person's words.
        public var explain: (StoreError) -> String = { "\($0)" }
        /// One line to the log: who does what here.
        public var log: (Severity, String) -> Void = { _, _ in }

        public init() {}
    }

    public let broker: Broker
    var log: Log { broker.log }
    let node: String
    let version: String
    let disk: DiskMeter
    let actions: Actions
    /// In the order of the configuration.
    public var uplinks: [any AdministeredUplink] = [] {
        didSet { uplinkStateChanged() }
    }
    public weak var modules: (any AdministeredModules)?
    /// What receives batches here; nil: nothing does.
    public weak var ingest: Ingest?
    /// nil: this node keeps none.
    public weak var twins: DeviceTwins?
    /// The store is open and every listener listens: what `/ready` says.
    public var isReady = false
    /// Links that are down, and since when.
    private(set) var downSince: [String: Instant] = [:]

    public init(broker: Broker, node: String, version: String, disk: DiskMeter, actions: Actions = Actions()) {
        self.broker = broker
        self.node = node
        self.version = version
        self.disk = disk
        self.actions = actions
    }

    /// A link's state has changed: a link that tries again and again is down since the first time.
    public func uplinkStateChanged() {
        for report in uplinks.map(\.report) {
            if report.isUp || report.state == .paused {
                downSince[report.name] = nil
            } else if downSince[report.name] == nil {
                downSince[report.name] = report.since
            }
        }
    }

    /// Everything that is served.
    public var router: HTTPRouter {
        var router = HTTPRouter()
        router.add(.get, "/health", isOpen: true) { [unowned self] call in call.answer(health(call)) }
        router.add(.get, "/ready", isOpen: true) { [unowned self] call in call.answer(readiness(call)) }
        router.add(.get, "/status") { [unowned self] call in call.answer(status()) }
        router.add(.get, "/metrics") { [unowned self] call in call.answer(metrics()) }
        router.add(.get, "/queue") { [unowned self] call in call.answer(queues()) }
        router.add(.get, "/queue/*/peek") { [unowned self] call in peek(call) }
        router.add(.post, "/queue/*/drop") { [unowned self] call in call.answer(drop(call.name)) }
        router.add(.get, "/clients") { [unowned self] call in call.answer(clients()) }
        router.add(.get, "/clients/*") { [unowned self] call in call.answer(client(call.name)) }
        router.add(.post, "/clients/*/kick") { [unowned self] call in call.answer(kick(call.name)) }
        router.add(.delete, "/clients/*") { [unowned self] call in call.answer(discard(call.name)) }
        router.add(.get, "/uplink") { [unowned self] call in call.answer(uplinkList()) }
        for word in UplinkWord.allCases {
            router.add(.post, "/uplink/*/\(word.rawValue)") { [unowned self] call in
                call.answer(tell(call.name, word))
            }
        }
        router.add(.get, "/coverage") { [unowned self] call in coverage(call) }
        router.add(.post, "/uplink/*/test") { [unowned self] call in test(call) }
        router.add(.get, "/modules") { [unowned self] call in call.answer(moduleList()) }
        router.add(.post, "/modules/*/restart") { [unowned self] call in call.answer(restart(module: call.name)) }
        router.add(.get, "/twin") { [unowned self] call in call.answer(twinList(call)) }
        router.add(.get, "/twin/*") { [unowned self] call in call.answer(twin(call)) }
        router.add(.post, "/twin/*/update") { [unowned self] call in changeTwin(call) }
        router.add(.post, "/twin/*/add") { [unowned self] call in addTwin(call) }
        router.add(.delete, "/twin/*") { [unowned self] call in removeTwin(call) }
        router.add(.post, "/log/*") { [unowned self] call in call.answer(setLogLevel(call.name)) }
        router.add(.post, "/reload") { [unowned self] call in reload(call) }
        return router
    }

    /// Seconds since a store time, to the millisecond.
    func age(ofStoreTime time: Int64?) -> Double? { time.map { Double(max(log.clock.now - $0, 0)) / 1000 } }

    func age(of instant: Instant) -> Double {
        Double(max((broker.loop.now - instant).milliseconds, 0)) / 1000
    }
}
