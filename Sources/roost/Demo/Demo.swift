import EventLoop
import Glibc

/// The whole demo on one loop: two real nodes as child processes, the link between them, sensors and a reader, and what can
/// be done to them. `Demo+Story` says when it is done, `Demo+Showing` what is seen of it.
final class Demo {
    /// What the command line asks for.
    struct Choices {
        var once = false
        var json = false
        var seconds = 36.0
        var directory: String?
    }

    static let firstPort: UInt16 = 18_830
    private static let stopSeconds = 3.0

    let choices: Choices
    let scenario: Scenario
    let loop: EventLoop
    let network: SocketNetwork
    let counts = Counts()
    let directory: String
    let isOnDisk: Bool
    let edge: Node
    let cloud: Node
    let relay: Relay
    let reader: Reader
    let sensors: [Sensor]
    let queue: QueueWatch

    var act = Scenario.Act.starting
    /// What there was when the story ended.
    var conclusion: Snapshot?
    /// Of the story, once it has ended.
    var isPerfect: Bool? { conclusion?.totals.isPerfect }
    let begun: Instant
    /// The first reading.
    var started: Instant?
    var kills = 0
    var cuts = 0
    var cutSince: Instant?
    var cutTime = Duration.zero
    var deadSince: Instant?
    var deadTime = Duration.zero
    /// When the count last moved, and to what.
    var lastChange: Instant
    var lastTotals = Tally.Totals()
    var meter = RateMeter()
    var history: [Int] = []
    var ticks = 0
    var keys: Keys?

    private var signals: SignalSource?
    private var failure: Failure?
    private var isEnding = false
    private var endingSince: Instant

    init(_ choices: Choices) throws {
        self.choices = choices
        scenario = Scenario(seconds: choices.seconds)
        do throws(SystemError) { loop = try EventLoop() } catch { throw Failure.refused("cannot start: \(error)") }
        network = SocketNetwork(loop: loop)
        begun = loop.now
        lastChange = loop.now
        endingSince = loop.now
        (directory, isOnDisk) = try Files.makeDirectory(under: choices.directory)
        Leftovers.add(directory: directory)
        let ports = try FreePort.find(2, from: Self.firstPort, network: network)
        edge = Node("edge", in: directory, port: ports[0])
        cloud = Node("cloud", in: directory, port: ports[1])
        let cloudEnd = Endpoint.tcp(host: "127.0.0.1", port: ports[1])
        let edgeEnd = Endpoint.tcp(host: "127.0.0.1", port: ports[0])
        relay = Relay(loop: loop, network: network, cloud: cloudEnd)
        reader = Reader(loop: loop, network: network, cloud: cloudEnd, counts: counts)
        queue = QueueWatch(loop: loop, network: network, path: edge.socket)
        var sensors: [Sensor] = []
        for device in Factory.devices {
            sensors.append(Sensor(device, loop: loop, network: network, edge: edgeEnd, counts: counts))
        }
        self.sensors = sensors
    }

    /// Runs to the end; returns whether all that was acknowledged arrived once and in order.
    func run() throws -> Bool {
        do throws(SystemError) {
            signals = try SignalSource(loop: loop, signals: [SIGINT, SIGTERM, SIGHUP]) { [unowned self] _ in interrupt()
            }
        } catch {
            throw Failure.refused("cannot start: \(error)")
        }
        signal(SIGTSTP, SIG_IGN)
        try startNodes()
        openView()
        turn()
        loop.run()
        Leftovers.cleanUp()
        if let failure { throw failure }
        return isPerfect ?? !choices.once
    }

    private func startNodes() throws {
        let port: UInt16
        do throws(NetworkError) { port = try relay.listen() } catch { throw Failure.refused("\(error)") }
        try cloud.prepare(NodeText.cloud)
        try edge.prepare(NodeText.edge(uplinkPort: port))
        try cloud.start()
        try edge.start()
        reader.connect()
        for sensor in sensors { sensor.connect() }
    }

    /// Twenty times a second: looks after the processes, moves the story on, shows it.
    private func turn() {
        loop.schedule(after: .milliseconds(50)) { [weak self] in self?.turn() }
        ticks += 1
        if isEnding { return awaitNodes() }
        supervise()
        guard !isEnding else { return }
        queue.poll()
        advance()
        guard !isEnding else { return }
        show()
    }

    // MARK: - What can be done

    func cutLink() {
        guard cutSince == nil else { return }
        relay.cut()
        cuts += 1
        cutSince = loop.now
    }

    func restoreLink() {
        guard let since = cutSince else { return }
        do throws(NetworkError) { try relay.restore() } catch { return fail(.refused("the link: \(error)")) }
        cutTime += loop.now - since
        cutSince = nil
    }

    func killEdge() {
        guard edge.isRunning, !edge.isEnding else { return }
        edge.kill()
        kills += 1
        deadSince = loop.now
    }

    /// Ends everything; `run` returns when the nodes have ended too.
    func end() {
        guard !isEnding else { return }
        isEnding = true
        endingSince = loop.now
        closeView()
        keys?.close()
        for sensor in sensors { sensor.end() }
        reader.end()
        queue.close()
        edge.stop()
        cloud.stop()
    }

    func fail(_ failure: Failure) {
        self.failure = self.failure ?? failure
        end()
    }

    /// Ctrl-C, SIGTERM, or nobody looks any more.
    func interrupt() {
        if isEnding { return loop.stop() }
        if choices.once, isPerfect == nil {
            fail(Failure(code: .refused, message: "interrupted before the count was done"))
        } else {
            end()
        }
    }

    // MARK: - The processes

    private func supervise() {
        for node in [edge, cloud] {
            let wasAskedTo = node.isEnding
            guard let end = node.collect(), !wasAskedTo else { continue }
            let how =
                switch end {
                case .exited(let code): "ended with exit code \(code)"
                case .killed(let signal): "was killed by signal \(signal)"
                }
            let log = node.lastLines().map { "\n  \($0)" }.joined()
            return fail(.refused("the \(node.name)'s roostd \(how). Its last words:\(log)"))
        }
        guard !edge.isRunning, let since = deadSince, loop.now - since >= .seconds(Scenario.deadSeconds) else { return }
        deadTime += loop.now - since
        deadSince = nil
        do { try edge.start() } catch { fail(error as? Failure ?? .refused("\(error)")) }
    }

    private func awaitNodes() {
        _ = edge.collect()
        _ = cloud.collect()
        let isOver = loop.now - endingSince > .seconds(Self.stopSeconds)
        guard isOver || (!edge.isRunning && !cloud.isRunning) else { return }
        relay.close()
        loop.stop()
    }
}
