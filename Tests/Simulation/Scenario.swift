import Broker
import MQTT
import Store
import Uplink

/// What a seed draws before anything happens: how the two brokers are configured and who their clients are.
public struct Scenario: Sendable {
    /// What kind of history this is to be; each checks what can be promised in it.
    public enum Kind: String, Sendable, CaseIterable {
        /// Every fault, with room for everything: nothing acknowledged is lost.
        case faults
        /// Nothing fails: and so the node writes nothing.
        case calm
        /// Little room: what is lost for it is reported.
        case narrow
        /// A disk whose syncs lie: what was acknowledged may be lost, and nothing else goes wrong.
        case lying
    }

    public var kind = Kind.faults
    var settleMilliseconds = 20
    var commitMilliseconds = 1000
    var memoryBytes = 32 << 20
    var budgetBytes = 1 << 30
    var refusesWhenFull = false
    var sessionMessages = 100_000
    var inflight: UInt16 = 100
    var uplinkVersion = ProtocolVersion.v5
    var uplinkInflight: UInt16 = 100
    var batchBytes = 256 << 10
    var batchDelayMilliseconds = 1000
    var eager = true
    var commandQoS = QoS.atLeastOnce
    var keepAlive: UInt16 = 5
    /// Route `bulk` has `send = "newest"`.
    var sendsNewest = false
    /// Each start finds the routes in another order.
    var reordersRoutes = false
    /// One way, to the cloud; clients are nearer.
    var uplinkDelayMilliseconds = 2
    /// Beyond these sets of sessions, new ones go to the mixed stream.
    var maximumSessionStreams = 256

    init(_ random: inout SimulationRandom) {
        let dice = random.below(100)
        kind = dice < 62 ? .faults : dice < 72 ? .calm : dice < 88 ? .narrow : .lying
        settleMilliseconds = random.pick([20, 20, 20, 0, 100])
        commitMilliseconds = random.pick([1000, 200])
        if random.oneIn(3) { memoryBytes = random.pick([6000, 20_000]) }
        inflight = random.pick([100, 100, 10, 3])
        uplinkVersion = random.oneIn(4) ? .v311 : .v5
        uplinkInflight = random.pick([100, 4, 1])
        batchBytes = random.pick([256 << 10, 2000, 600])
        batchDelayMilliseconds = random.pick([1000, 100])
        eager = !random.oneIn(4)
        commandQoS = random.oneIn(2) ? .atLeastOnce : .exactlyOnce
        uplinkDelayMilliseconds = random.pick([1, 2, 8, 40, 300])
        sendsNewest = random.oneIn(4)
        reordersRoutes = random.oneIn(4)
        switch kind {
        case .calm:
            settleMilliseconds = 20
            memoryBytes = 32 << 20
            uplinkDelayMilliseconds = random.pick([1, 2])
            eager = true
            inflight = 100
            uplinkInflight = 100
        case .narrow:
            budgetBytes = random.pick([80 << 10, 110 << 10, 1 << 30])
            sessionMessages = random.pick([5, 20, 100_000])
            refusesWhenFull = random.oneIn(4)
        default: break
        }
        maximumSessionStreams = random.pick([256, 2, 0])
    }

    func logOptions(_ role: Role) -> LogOptions {
        LogOptions(
            settle: .milliseconds(settleMilliseconds), commit: .milliseconds(commitMilliseconds),
            memoryBytes: memoryBytes, budgetBytes: role == .node ? budgetBytes : 1 << 30,
            refusesWhenFull: refusesWhenFull && role == .node, maximumSessionStreams: maximumSessionStreams)
    }

    func databaseOptions(_ machine: Machine) -> DatabaseOptions {
        var options = DatabaseOptions()
        options.vfs = machine.disk.vfsName
        if machine.role == .node {
            options.budgetBytes = budgetBytes
            options.whenFull = refusesWhenFull ? .refuse : .evict
        } else {
            // Often, so that checkpoints are met with.
            options.budgetBytes = 2 << 20
        }
        return options
    }

    func limits(_ role: Role) -> BrokerLimits {
        var limits = BrokerLimits()
        limits.inflight = inflight
        if role == .node { limits.sessionMessages = sessionMessages }
        return limits
    }

    func policy(_ route: RouteOptions) -> RoutePolicy {
        RoutePolicy(
            sendsNewestFirst: sendsNewest && route.name == "bulk", reportsGaps: route.mode == .batch,
            blockBytes: route.mode == .batch ? route.batchBytes : 0)
    }

    /// - Parameter start: which start of the daemon this is, from 1.
    func uplinkOptions(start: Int) -> UplinkOptions {
        func route(_ name: String, _ priority: EvictionClass, _ mode: RouteOptions.Mode = .batch) -> RouteOptions {
            RouteOptions(
                name: name, priority: priority, mode: mode, batchBytes: batchBytes,
                batchDelay: .milliseconds(batchDelayMilliseconds), level: .fast, eager: eager)
        }
        let routes = [
            route("alarm", .critical), route("plant", .normal), route("bulk", .bulk), route("plain", .normal, .each),
        ]
        let turn = reordersRoutes ? (start - 1) % routes.count : 0
        return UplinkOptions(
            name: "cloud", node: "pump", urls: ["mqtt://cloud"], clientIdentifier: "pump-cloud",
            version: uplinkVersion, keepAlive: keepAlive, heartbeat: .seconds(20), reconnectMin: .milliseconds(500),
            reconnectMax: .seconds(4),
            routes: Array(routes[turn...] + routes[..<turn]),
            subscriptions: [SubscribeOptions(filter: "cmd/#", qos: commandQoS)], inflight: uplinkInflight)
    }
}
