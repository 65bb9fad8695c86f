import EventLoop
import Glibc

/// The act with the full disk: a node of its own on a file system that is filled to the last byte while its link is cut. It
/// must keep what it acknowledged, take nothing it can't keep, survive a kill meanwhile, and serve again when there is
/// space, without help.
final class FullDisk {
    private enum Step {
        case starting, loading, full, dead, restarted, recovering, done
    }

    private static let patience: Duration = .seconds(40)
    /// A publisher that gets no answer for so long is held up.
    private static let stall: Duration = .seconds(1)

    private let loop: EventLoop
    private let node: Node
    private let relay: Relay
    private let disk: SmallDisk
    private let publishers: [ProvePublisher]
    private let hold: Duration
    private var step = Step.starting
    private var since: Instant
    private var answered = 0
    private var lastAnswer: Instant
    /// The node refused, or let its publishers wait.
    private(set) var wasNoticed = false

    var isDone: Bool { step == .done }
    var isUnderWay: Bool { step != .done }
    var name: String { disk.name }

    /// - Parameter hold: how long the disk stays full.
    init(
        node: Node, relay: Relay, disk: SmallDisk, publishers: [ProvePublisher], hold: Duration, loop: EventLoop
    ) {
        self.node = node
        self.relay = relay
        self.disk = disk
        self.publishers = publishers
        self.hold = hold
        self.loop = loop
        since = loop.now
        lastAnswer = loop.now
    }

    func start() throws {
        try node.start()
        for publisher in publishers { publisher.connect() }
        enter(.starting)
    }

    /// To be called at every turn.
    ///
    /// - Parameter refused: messages that any node has refused so far.
    func advance(refused: Int) throws {
        let end = node.isRunning && !node.isEnding ? node.collect() : nil
        if let end, step != .restarted { throw Faults.failure(of: node, end) }
        let now = publishers.reduce(0) { $0 + $1.answered }
        if now != answered {
            answered = now
            lastAnswer = loop.now
        }
        let elapsed = loop.now - since
        guard elapsed < Self.patience || step == .done else {
            throw Failure.refused("the node on a full disk does not serve again: \(step) for \(elapsed)")
        }
        switch step {
        case .starting:
            guard publishers.allSatisfy(\.isConnected) else { return }
            for publisher in publishers { publisher.allow(nil) }
            enter(.loading)
        case .loading:
            guard answered >= 500 else { return }
            relay.cut()
            disk.fill(node.pid)
            enter(.full)
        case .full:
            if refused > 0 || loop.now - lastAnswer > Self.stall { wasNoticed = true }
            guard elapsed >= hold else { return }
            guard disk.isMounted else { return try clear() }
            node.kill()
            enter(.dead)
        case .dead:
            guard node.collect() != nil else { return }
            try node.start()
            enter(.restarted)
        case .restarted:
            if elapsed >= hold { try clear() }
        case .recovering:
            guard answered >= recovered else { return }
            for publisher in publishers { publisher.allow(0) }
            enter(.done)
        case .done: break
        }
    }

    private var recovered = 0

    /// It may have refused to start on a full disk; then it is started again now, as its supervisor would.
    private func clear() throws {
        disk.clear(node.pid)
        if !node.isRunning { try node.start() }
        do throws(NetworkError) { try relay.restore() } catch { throw Failure.refused("the link: \(error)") }
        recovered = answered + 300
        enter(.recovering)
    }

    private func enter(_ next: Step) {
        step = next
        since = loop.now
    }
}
