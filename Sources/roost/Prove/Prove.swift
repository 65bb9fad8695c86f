import CLinux
import EventLoop
import Glibc

/// The whole proof on one loop: a node and its cloud as child processes, the link between them, publishers and subscribers
/// that keep accounts, and what is done to it all. `Prove+Phases` says when it is done.
final class Prove {
    /// What the command line asks for.
    struct Choices {
        var minutes = 10.0
        var directory: String?
        var json = false
        var keep = false
        /// `KEY=VALUE` for the node.
        var settings: [String] = []
        /// Messages a second where the wear is measured.
        var rate = 100.0
        /// Go on until there were so many.
        var kills = 0
        var messages = 0
    }

    enum Phase: Int {
        case starting, linkUp, linkDown, synced, faults, full, settling, stopping
    }

    static let firstPort: UInt16 = 19_830
    static let publisherCount = 8
    /// Beside these, on the node whose disk is filled.
    static let smallPublisherCount = 4

    let choices: Choices
    let loop: EventLoop
    let network: SocketNetwork
    let directory: String
    let disk: Disk
    let isOnDisk: Bool
    let ledger: Ledger
    let node: Node
    let cloud: Node
    let smallNode: Node
    let relay: Relay
    let smallRelay: Relay
    let faults: Faults
    let fullDisk: FullDisk
    let publishers: [ProvePublisher]
    let smallPublishers: [ProvePublisher]
    let cloudReader: ProveReader
    let sessionReader: ProveReader
    let progress: ProveProgress

    var phase = Phase.starting
    let begun: Instant
    var phaseStart: Instant
    /// What the wear and the link cost: with the link up, and with it down.
    var linkUp = Measure()
    var linkDown = Measure()
    var measureStart = Measure()
    /// Whether everything acknowledged was on the disk when nothing moved; nil where the kernel can't tell.
    var isSynced: Bool?
    /// When the steady load began, and how many messages it has been allowed since.
    var steadyStart: Instant
    var given = 0
    var lastChange: Instant
    var lastCount = 0
    var failure: Failure?
    /// Everything has been counted.
    var isCounted = false

    private var signals: SignalSource?

    init(_ choices: Choices) throws {
        self.choices = choices
        do throws(SystemError) { loop = try EventLoop() } catch { throw Failure.refused("cannot start: \(error)") }
        network = SocketNetwork(loop: loop)
        linux_adopt_orphans()
        begun = loop.now
        phaseStart = loop.now
        steadyStart = loop.now
        lastChange = loop.now
        (directory, isOnDisk) = try ProvePlace.makeDirectory(choices.directory)
        Leftovers.add(directory: directory)
        disk = Disk(under: directory)
        progress = ProveProgress(isQuiet: choices.json)

        let ports = try FreePort.find(5, from: Self.firstPort, network: network)
        node = Node("node", in: directory, port: ports[0])
        cloud = Node("cloud", in: directory, port: ports[1])
        smallNode = Node("small", in: directory, port: ports[2])
        let small = try SmallDisk("\(directory)/disk")
        smallNode.data = "\(small.path)/data"
        let cloudEnd = Endpoint.tcp(host: "127.0.0.1", port: ports[1])
        relay = Relay(loop: loop, network: network, cloud: cloudEnd)
        smallRelay = Relay(loop: loop, network: network, cloud: cloudEnd)
        do throws(NetworkError) {
            try relay.listen(port: ports[3])
            try smallRelay.listen(port: ports[4])
        } catch {
            throw Failure.refused("\(error)")
        }
        try ProvePlace.shortenSockets(of: [node, cloud, smallNode])
        try cloud.prepare(ProveNodeText.cloud)
        try node.prepare(ProveNodeText.node(uplinkPort: ports[3]))
        try smallNode.prepare(ProveNodeText.node(uplinkPort: ports[4]))
        for node in [node, smallNode] { node.arguments = choices.settings.flatMap { ["--set", $0] } }

        let ledger = Ledger(
            Workload(publishers: Self.publisherCount + Self.smallPublisherCount, topics: 25, watched: 0..<2), loop: loop
        )
        self.ledger = ledger
        let loop = loop
        let network = network
        func publishers(_ indices: Range<Int>, port: UInt16) -> [ProvePublisher] {
            indices.map {
                ProvePublisher(
                    $0, ledger, loop: loop, network: network, node: .tcp(host: "127.0.0.1", port: port))
            }
        }
        self.publishers = publishers(0..<Self.publisherCount, port: ports[0])
        smallPublishers = publishers(
            Self.publisherCount..<(Self.publisherCount + Self.smallPublisherCount), port: ports[2])
        cloudReader = ProveReader(
            .cloud, filter: "prove/#", ledger, loop: loop, network: network, broker: cloudEnd)
        sessionReader = ProveReader(
            .session, filter: "prove/watched/#", ledger, loop: loop, network: network,
            broker: .tcp(host: "127.0.0.1", port: ports[0]))
        let schedule = ProveSchedule(choices)
        var failing: (Failure) -> Void = { _ in }
        faults = Faults(
            node: node, cloud: cloud, relay: relay, pace: schedule.pace, chronicle: Chronicle(start: begun), loop: loop,
            fail: { failing($0) })
        fullDisk = FullDisk(
            node: smallNode, relay: smallRelay, disk: small, publishers: smallPublishers, hold: schedule.full,
            loop: loop)
        failing = { [weak self] in self?.fail($0) }
    }

    /// Runs to the end; returns whether the promise was kept.
    func run() throws -> Bool {
        do throws(SystemError) {
            signals = try SignalSource(loop: loop, signals: [SIGINT, SIGTERM, SIGHUP]) { [unowned self] _ in interrupt()
            }
        } catch {
            throw Failure.refused("cannot start: \(error)")
        }
        do {
            try cloud.start()
            try node.start()
        } catch {
            fail(error as? Failure ?? .refused("\(error)"))
        }
        cloudReader.connect()
        sessionReader.connect()
        for publisher in publishers { publisher.connect() }
        turn()
        loop.run()
        progress.close()
        let outcome = ProveOutcome(self)
        report(outcome)
        if !outcome.isKept && choices.keep {
            Leftovers.keepDirectories()
            if !choices.json { Terminal.say("What is left of it: \(directory)") }
        }
        Leftovers.cleanUp()
        if let failure, failure.code != .refused { throw failure }
        return outcome.isKept
    }

    private func report(_ outcome: ProveOutcome) {
        if choices.json { return Terminal.say(ProveDocument(outcome).json) }
        for line in ProveReport(outcome).lines { Terminal.say(line.rendered(width: 200, coloured: Terminal.hasColour)) }
    }

    /// Twenty times a second: looks after the processes, moves on, shows it.
    private func turn() {
        loop.schedule(after: .milliseconds(50)) { [weak self] in self?.turn() }
        if phase != .stopping { faults.supervise() }
        do { try advance() } catch { fail(error as? Failure ?? .refused("\(error)")) }
        progress.show(self)
    }

    /// Ctrl-C, SIGTERM: at once, since what is left undone proves nothing.
    private func interrupt() {
        fail(Failure(code: .refused, message: "interrupted before the count was done"))
    }

    /// Ends everything; what was not counted is no proof.
    func fail(_ failure: Failure) {
        guard self.failure == nil else { return }
        self.failure = failure
        loop.stop()
    }
}
