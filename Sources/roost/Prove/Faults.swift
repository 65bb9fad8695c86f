import EventLoop

/// Kills the node and the cloud at random instants, and cuts the link between them in turn silently, by refusing, and
/// flapping. Every other cut has a kill of the node in it, since what waits there has no second copy anywhere.
final class Faults {
    /// How often, on average.
    struct Pace {
        var killGap: Duration
        /// Until so many were killed: this instead, since they get little done between kills that come fast.
        var hurry: (kills: Int, gap: Duration)?
        var up: Duration
        var down: Duration
        /// Of all kills, those of the cloud.
        var cloudShare = 0.3
    }

    private enum Kind: CaseIterable {
        case silent, refusing, flapping
    }

    private static let longestPauseMilliseconds: Int64 = 300

    private let loop: EventLoop
    private let node: Node
    private let cloud: Node
    private let relay: Relay
    private let pace: Pace
    private let fail: (Failure) -> Void
    private var isActive = false
    private var kind = 0
    private var flaps = 0
    private var timers: [Timer] = []
    /// Dead ones, until they may live again.
    private var dead: [ObjectIdentifier: Instant] = [:]
    private(set) var nodeKills = 0
    private(set) var cloudKills = 0
    private(set) var cuts = 0
    var chronicle: Chronicle

    var kills: Int { nodeKills + cloudKills }

    init(
        node: Node, cloud: Node, relay: Relay, pace: Pace, chronicle: Chronicle, loop: EventLoop,
        fail: @escaping (Failure) -> Void
    ) {
        self.node = node
        self.cloud = cloud
        self.relay = relay
        self.pace = pace
        self.chronicle = chronicle
        self.loop = loop
        self.fail = fail
    }

    func start() {
        isActive = true
        waitForKill()
        waitForCut()
    }

    /// No more of it: the link is whole, and who is dead is started again.
    func stop() {
        isActive = false
        for timer in timers { loop.cancel(timer) }
        timers = []
        restore()
    }

    /// Collects the dead and starts them again when their time has come; anything else that ends has failed.
    func supervise() {
        for node in [node, cloud] {
            let wasAskedTo = node.isEnding
            if let end = node.collect(), !wasAskedTo { return fail(Self.failure(of: node, end)) }
            guard !node.isRunning, let due = dead[ObjectIdentifier(node)], loop.now >= due else { continue }
            dead[ObjectIdentifier(node)] = nil
            do { try node.start() } catch { return fail(error as? Failure ?? .refused("\(error)")) }
        }
    }

    static func failure(of node: Node, _ end: Node.End) -> Failure {
        let how =
            switch end {
            case .exited(let code): "ended with exit code \(code)"
            case .killed(let signal): "was killed by signal \(signal)"
            }
        let log = node.lastLines().map { "\n  \($0)" }.joined()
        return .refused("the \(node.name)'s roostd \(how). Its last words:\(log)")
    }

    // MARK: - Kills

    private func waitForKill() {
        let hurry = pace.hurry.flatMap { kills < $0.kills ? $0.gap : nil }
        after(hurry ?? pace.killGap) { faults in
            faults.kill(Double.random(in: 0..<1) < faults.pace.cloudShare ? faults.cloud : faults.node)
            faults.waitForKill()
        }
    }

    /// SIGKILL; it lives again after a pause, or almost at once, so that some die while they recover.
    func kill(_ node: Node) {
        guard node.isRunning, !node.isEnding else { return }
        node.kill()
        let pause = Bool.random() ? 0 : Int64.random(in: 0...Self.longestPauseMilliseconds)
        dead[ObjectIdentifier(node)] = loop.now + .milliseconds(pause)
        if node === cloud { cloudKills += 1 } else { nodeKills += 1 }
        chronicle.note("kill \(node === cloud ? cloudKills : nodeKills) of the \(node.name)", at: loop.now)
    }

    /// Somebody else has killed a node.
    func noteKill(_ name: String) {
        nodeKills += 1
        chronicle.note("kill \(nodeKills), of \(name),", at: loop.now)
    }

    // MARK: - Cuts

    private func waitForCut() {
        after(pace.up) { $0.cut() }
    }

    private func cut() {
        let kind = Kind.allCases[kind % Kind.allCases.count]
        let withKill = self.kind % 2 == 0
        self.kind += 1
        if kind == .flapping {
            flaps = Int.random(in: 4...10)
            return flap()
        }
        cut(kind == .silent ? .silent : .refusing)
        let length = scattered(pace.down)
        if withKill { after(length / 2) { $0.kill($0.node) } }
        schedule(length) { faults in
            faults.restore()
            faults.waitForCut()
        }
    }

    private func flap() {
        guard flaps > 0 else { return waitForCut() }
        flaps -= 1
        cut(Bool.random() ? .silent : .refusing)
        schedule(.milliseconds(Int64.random(in: 20...250))) { faults in
            faults.restore()
            faults.schedule(.milliseconds(Int64.random(in: 20...250))) { $0.flap() }
        }
    }

    /// Also for those who want the link cut at a time of their own.
    func cut(_ how: Relay.Cut) {
        guard !relay.isCut else { return }
        relay.cut(how)
        cuts += 1
    }

    func restore() {
        guard relay.isCut else { return }
        do throws(NetworkError) { try relay.restore() } catch { fail(.refused("the link: \(error)")) }
    }

    // MARK: - Chance

    private func after(_ average: Duration, _ body: @escaping (Faults) -> Void) { schedule(scattered(average), body) }

    /// Between nothing and twice as much.
    private func scattered(_ average: Duration) -> Duration {
        .nanoseconds(Int64.random(in: 0...max(1, 2 * average.nanoseconds)))
    }

    private func schedule(_ delay: Duration, _ body: @escaping (Faults) -> Void) {
        if timers.count > 64 { timers.removeFirst(32) }
        timers.append(
            loop.schedule(after: delay) { [weak self] in
                guard let self, isActive else { return }
                body(self)
            })
    }
}
