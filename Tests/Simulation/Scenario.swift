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
    /// Route `bulk` has `keep = "latest"`: of each topic the newest acknowledged message, or a newer one, arrives, and what it
    /// took the place of is in a gap.
    var keepsLatest = false
    /// Route `bulk` keeps nothing at QoS 0 while its link is down: each such message is in a gap.
    var dropsQoS0 = false
    /// Milliseconds: route `bulk` has a `ttl`. What is older has come, or is in a gap that calls it expired.
    var bulkTTL: Int64?
    /// Route `alarm` has `ack = "upstream"`: an acknowledgement means that the far end has the message.
    var acknowledgesUpstream = false
    /// Route `bulk` has a `window`, outside which it sends nothing; the node's clock begins near one of its edges.
    var window: Window?
    /// 8: beside the first uplink, seven whose routes overlap with its own and each other's. Each brings every message that
    /// its routes take, in order and once.
    var uplinks = 1
    /// What becomes of the routes in the configuration from one start to the next. The last start finds all that there ever
    /// were, so that what was left behind comes too.
    var edit = Edit.none
    /// A crowd of persistent sessions, every combination of which gets messages of its own: far more sets than there are
    /// streams for. Each session gets what it subscribed to, and nothing else, once at QoS 2.
    var hasCrowd = false
    /// Two clients share subscriptions.
    var hasGroup = false
    /// Now and then a message of 20 to 60 KB: it arrives as it was, like any other, and memory stays within its bounds.
    var hasLargeMessages = false
    /// More goes to the node while its link is cut than its budget holds: what did not come is in gaps, number by number.
    var overflows = false
    /// Stores fail, and are opened again on a full disk, by the same process and by the next: nothing that was acknowledged
    /// is lost for it.
    var fillsWhileDown = false
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
        drawFeatures(&random)
        switch kind {
        case .calm:
            settleMilliseconds = 20
            memoryBytes = 32 << 20
            uplinkDelayMilliseconds = random.pick([1, 2])
            eager = true
            inflight = 100
            uplinkInflight = 100
            // A route that is closed, a node that starts anew, and QoS 2 write.
            window = nil
            edit = .none
            overflows = false
            fillsWhileDown = false
            hasCrowd = false
        case .narrow:
            budgetBytes = random.pick([80 << 10, 110 << 10, 1 << 30])
            sessionMessages = random.pick([5, 20, 100_000])
            refusesWhenFull = random.oneIn(4)
            if random.oneIn(4) { bulkTTL = 3000 }
            overflows = random.oneIn(3)
            if overflows {
                budgetBytes = 80 << 10
                refusesWhenFull = false
            }
        default: break
        }
        maximumSessionStreams = random.pick([256, 2, 0])
        if hasCrowd { maximumSessionStreams = 256 }
    }

    private mutating func drawFeatures(_ random: inout SimulationRandom) {
        func isDrawn(_ percent: Int) -> Bool { random.below(100) < percent }
        keepsLatest = isDrawn(15)
        dropsQoS0 = isDrawn(20)
        acknowledgesUpstream = isDrawn(15)
        if isDrawn(12) { window = random.pick(Window.allCases) }
        if isDrawn(6) { uplinks = 8 }
        if isDrawn(30) { edit = random.pick(Edit.allCases) }
        hasCrowd = isDrawn(3)
        hasLargeMessages = isDrawn(12)
        fillsWhileDown = isDrawn(6)
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
}
