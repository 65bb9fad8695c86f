import Broker
import EventLoop
import MQTT
import Store
import Uplink

/// One run: a node, a cloud, their clients and the network between them, on virtual time in one thread.
public final class World: SimulatedTime {
    public let scenario: Scenario
    public let trace: Trace
    private let steps: [Step]
    private(set) var now: Int64 = 0 { didSet { trace.now = now } }
    private var agenda = Agenda()
    private(set) lazy var network = SimulatedNetwork(world: self, seed: random.next())
    private(set) lazy var model = Model(self)
    private(set) lazy var wills = Wills(self)
    private(set) lazy var node = Machine(.node, world: self, seed: random.next())
    private(set) lazy var cloud = Machine(.cloud, world: self, seed: random.next())
    /// Clients' machines, which never fail.
    let clients = Host("clients")
    private(set) var cast: [SimulatedClient] = []
    let links: [SimulatedNetwork.Link]
    private var random: SimulationRandom
    public private(set) var violation: Violation?
    public internal(set) var tally = Tally()
    /// The routes that each start of the node found, from the first on.
    private var plans: [RoutePlan] = []
    /// Nothing fails any more.
    private var isHealed = false
    /// What sessions lost to their limits or to eviction, in runs that are over.
    private(set) var lostBySessions: UInt64 = 0
    /// Since when the uplink's own session has been at the cloud.
    private(set) var commandsFrom: Int64?
    /// Milliseconds, smoothed as the log judges by it: only what usually answers in half of `settle` is waited for.
    private var slowestRoundTrip = 0.0
    /// A healthy route had as much under way as it may: then nothing is waited for either.
    private var lackedRoom = false

    var uplinkLink: SimulatedNetwork.Link { links[0] }
    func link(of client: SimulatedClient) -> SimulatedNetwork.Link { client.role == .node ? links[1] : links[2] }
    var machines: [Machine] { [node, cloud] }
    func machine(_ role: Role) -> Machine { role == .node ? node : cloud }
    private func machine(_ isNode: Bool) -> Machine { isNode ? node : cloud }

    public init(_ schedule: Schedule, keepsTrace: Bool = false, isDetailed: Bool = false) {
        scenario = schedule.scenario
        steps = schedule.steps
        trace = Trace(keepsLines: keepsTrace, isDetailed: isDetailed)
        random = SimulationRandom(seed: schedule.seed ^ 0xABCD_EF01_2345_6789)
        let far = Int64(scenario.uplinkDelayMilliseconds) * 1_000_000
        links = [
            SimulatedNetwork.Link("node to cloud", delay: far, jitter: far / 4),
            SimulatedNetwork.Link("clients to node", delay: 300_000, jitter: 1_000_000),
            SimulatedNetwork.Link("clients to cloud", delay: 1_000_000, jitter: 2_000_000),
        ]
        cast = Cast.make(self, &random)
        if let window = scenario.window { node.setWall(secondOfDay: window.firstSecond) }
    }

    func fail(_ promise: Violation.Promise, _ detail: @autoclosure () -> String) {
        guard violation == nil else { return }
        let violation = Violation(promise: promise, detail: detail())
        self.violation = violation
        trace.note("BROKEN: \(violation)")
    }

    // MARK: Time

    func plan(at time: Int64, _ body: @escaping () -> Void) { agenda.plan(at: max(time, now), body) }

    func after(milliseconds: Int, _ body: @escaping () -> Void) {
        plan(at: now + Int64(milliseconds) * 1_000_000, body)
    }

    /// Lets time pass, with everything that is due meanwhile.
    func pass(until end: Int64) {
        settle()
        while violation == nil, let next = nextTime, next <= end {
            advance(to: next)
            while let body = agenda.take(at: now) {
                body()
                sweep()
            }
            settle()
        }
        advance(to: max(end, now))
    }

    private var nextTime: Int64? {
        var next = agenda.next
        for machine in machines {
            guard let process = machine.process, let deadline = process.loop.nextDeadline else { continue }
            let time = now + max((deadline - machine.clock.now).nanoseconds, 0)
            next = min(next ?? .max, time)
        }
        return next
    }

    private func advance(to time: Int64) {
        guard time > now else { return }
        let step = Duration.nanoseconds(time - now)
        now = time
        for machine in machines { machine.clock.advance(by: step) }
    }

    /// Turns the loops until none has anything left to do now.
    private func settle() {
        var turns = 0
        var isBusy = true
        while isBusy, violation == nil {
            isBusy = false
            for machine in machines {
                guard let process = machine.process, process.isAlive, process.loop.hasWork else { continue }
                process.loop.tick(wait: .zero)
                sweep()
                check(machine)
                isBusy = true
            }
            turns += 1
            if turns > 20_000 { fail(.rest, "the loops never come to rest at one moment") }
        }
    }

    private func sweep() { for machine in machines { machine.sweep() } }

    // MARK: The run

    /// Plays the schedule, then lets everything be well and come to rest, and checks what must hold.
    public func run() -> Violation? {
        for machine in machines { machine.start() }
        settle()
        for client in cast { plan(at: now + Int64(random.below(50)) * 1_000_000) { client.arrive() } }
        pass(until: now + 3_000_000_000)
        let syncs = node.disk.syncs
        for step in steps where violation == nil {
            pass(until: now + Int64(step.waitMilliseconds) * 1_000_000)
            trace.note("-- \(step.operation)")
            perform(step.operation)
        }
        if scenario.kind == .calm, violation == nil {
            pass(until: now + 3_000_000_000)
            let canSettle = slowestRoundTrip * 2 < Double(scenario.settleMilliseconds) && !lackedRoom
            if node.disk.syncs != syncs, canSettle {
                fail(.wear, "the node wrote \(node.disk.syncs - syncs) times")
            }
        }
        heal()
        comeToRest()
        if violation == nil { model.judge() }
        close()
        return violation
    }

    private func heal() {
        guard violation == nil else { return }
        trace.note("-- all is well from here on")
        for link in links {
            link.rate = nil
            network.restore(link)
        }
        for machine in machines {
            machine.disk.faults = SimulatedDisk.Faults()
            machine.slowness = 0
            machine.settleDate(hasWindow: scenario.window != nil)
        }
        isHealed = true
        if scenario.edit.movesTopics, node.isUp { node.stop(downFor: 100_000_000) }
        for client in cast {
            client.manner.thinkMilliseconds = 0...0
            client.arrive()
        }
    }

    private func comeToRest() {
        for _ in 0..<60 where violation == nil {
            pass(until: now + 3_000_000_000)
            if isAtRest { return }
        }
        // A database that a lying disk has damaged takes nothing until somebody repairs it.
        if violation == nil, !machines.contains(where: \.isForgiven) { fail(.rest, whatMoves) }
    }

    private var isAtRest: Bool { whatMoves.isEmpty }

    private var whatMoves: String {
        var reasons: [String] = []
        for client in cast {
            if !client.isConnected { reasons.append("\(client.name) is not connected") }
            if !client.isDone { reasons.append("\(client.name) has unacknowledged messages") }
        }
        for machine in machines {
            guard let process = machine.process, machine.isUp, let broker = process.broker else {
                reasons.append("\(machine.name) is down")
                continue
            }
            if !process.unfinishedUplinks.isEmpty {
                reasons.append("uplinks \(process.unfinishedUplinks) are not connected")
            }
            // A route in `each` mode has nobody to tell of gaps.
            for queue in process.queues
            where queue.messages > 0 || (queue.policy.reportsGaps && !(queue.gaps.isEmpty && queue.ended.isEmpty)) {
                reasons.append("\(queue.name) has \(queue.messages) messages and \(queue.gaps.count) gaps")
            }
            let queued = broker.sessions.values.reduce(0) { $0 + $1.queuedMessages + $1.inflightCount }
            if queued > 0 { reasons.append("\(machine.name)'s sessions have \(queued) messages") }
        }
        return reasons.joined(separator: "; ")
    }

    private func close() {
        for machine in machines {
            machine.process?.die()
            machine.sweep()
        }
        agenda = Agenda()
        for link in links { link.connections = [:] }
        for machine in machines { machine.forget() }
    }

    // MARK: Operations

    private func perform(_ operation: Operation) {
        switch operation {
        case .publish(let client, let topic, let qos, let count, let bytes):
            let client = cast[client]
            for _ in 0..<count { client.publish(Cast.topic(topic, of: client), qos, bytes: bytes) }
        case .spread(let client, let first, let count, let qos):
            for index in first..<first + count {
                cast[client].publish(Cast.crowdTopic(index % 511), qos, bytes: 10)
            }
        case .retain(let client, let topic, let qos, let clears):
            let client = cast[client]
            client.publish(
                Cast.retainedTopic(topic, of: client), qos, bytes: 10, retain: true, isClearing: clears)
        case .leave(let client, let departure, let away):
            let client = cast[client]
            client.leave(departure, staysAway: away > 0)
            if away > 0 { after(milliseconds: away) { client.arrive() } }
        case .stall(let client, let milliseconds): cast[client].stall(milliseconds: milliseconds)
        case .resubscribe(let client, let identifier):
            cast[client].subscribe(cast[client].manner.filters, identifier: identifier)
        case .cut(let link, let silently, let milliseconds):
            let link = links[link]
            network.cut(link, silently: silently)
            after(milliseconds: milliseconds) { [self] in network.restore(link) }
        case .slow(let link, let bytesPerSecond, let milliseconds):
            let link = links[link]
            link.rate = bytesPerSecond
            after(milliseconds: milliseconds) { link.rate = nil }
        case .delay(let link, let more, let milliseconds):
            let link = links[link]
            link.delay += Int64(more) * 1_000_000
            after(milliseconds: milliseconds) { link.delay -= Int64(more) * 1_000_000 }
        default: performOnMachine(operation)
        }
    }

    private func performOnMachine(_ operation: Operation) {
        switch operation {
        case .kill(let node, let effects, let down):
            machine(node).light(effects: effects, end: .kill, downFor: Int64(down) * 1_000_000)
        case .losePower(let node, let effects, let down):
            machine(node).light(effects: effects, end: .powerLoss, downFor: Int64(down) * 1_000_000)
        case .stop(let node, let down): machine(node).stop(downFor: Int64(down) * 1_000_000)
        case .failSyncs(let node, let count): machine(node).disk.faults.failingSyncs += count
        case .failWrites(let node, let count): machine(node).disk.faults.failingWrites += count
        case .failReads(let node, let count): machine(node).disk.faults.failingReads += count
        case .fill(let node, let room, let milliseconds):
            let disk = machine(node).disk
            disk.faults.capacityBytes = disk.usedBytes + room
            after(milliseconds: milliseconds) { disk.faults.capacityBytes = .max }
        case .freeze(let node, let milliseconds):
            let disk = machine(node).disk
            disk.faults.isReadOnly = true
            after(milliseconds: milliseconds) { disk.faults.isReadOnly = false }
        case .lie(let node, let milliseconds):
            let disk = machine(node).disk
            disk.faults.lies = true
            after(milliseconds: milliseconds) { disk.faults.lies = false }
        case .slowDisk(let node, let more, let milliseconds):
            let machine = machine(node)
            machine.slowness = Int64(more) * 1_000_000
            after(milliseconds: milliseconds) { machine.slowness = 0 }
        case .loseDate(let node, let seconds, let milliseconds):
            let machine = machine(node)
            machine.loseDate(by: Int64(seconds) * 1000)
            after(milliseconds: milliseconds) { machine.loseDate(by: -Int64(seconds) * 1000, isOver: true) }
        default: break
        }
    }

    // MARK: What is checked after each tick

    private func check(_ machine: Machine) {
        guard let process = machine.process, let log = process.log, let broker = process.broker else { return }
        // One tick may bring one read of each connection, and a batch, beyond the limit.
        let allowance = scenario.hasLargeMessages ? 512 << 10 : 96 << 10
        if log.meter.bytes > log.options.memoryBytes + allowance {
            fail(
                .bounds,
                "\(machine.name) has \(log.meter.bytes) bytes of messages in memory, of \(log.options.memoryBytes)")
        }
        if machine.role == .cloud { noteCommands(broker) }
        for queue in process.queues {
            slowestRoundTrip = max(slowestRoundTrip, queue.link.smoothedMilliseconds)
            if queue.link.state == .healthy, !queue.link.hasRoom { lackedRoom = true }
            if scenario.window != nil, queue.link.state == .down, process.isConnected(queue), queue.messages > 0 {
                tally.add(.closed)
            }
        }
    }

    private func noteCommands(_ broker: Broker) {
        let isThere = (broker.sessions[Array("pump-cloud".utf8)]?.subscriptionCount ?? 0) > 0
        if !isThere { commandsFrom = nil } else if commandsFrom == nil { commandsFrom = now }
    }

    /// A process is over: what it counted is kept.
    func remember(_ process: RoostProcess) {
        lostBySessions += process.broker?.lostBySessions ?? 0
        if process.machine.role == .cloud { commandsFrom = nil }
    }

    // MARK: What the model asks

    func isForgiven(_ role: Role) -> Bool { machine(role).isForgiven }

    var ways: Range<Int> { 0..<scenario.uplinks }

    /// What a start of the node found, from 1.
    func plan(_ start: Int) -> RoutePlan { plans[start - 1] }

    /// Publishers of its topic wait for the far end.
    func mayWaitUpstream(_ message: MessageRecord) -> Bool {
        scenario.acknowledgesUpstream && message.role == .node && message.topic.hasPrefix("alarm/")
    }

    func noteStart(of machine: Machine) {
        tally.add(.starts)
        if machine.disk.faults.capacityBytes < .max { tally.add(.fullStarts) }
        guard machine.role == .node else { return }
        let plan = scenario.plan(start: machine.starts, isLast: isHealed)
        if let last = plans.last, last.uplinks[0].map(\.identity) != plan.uplinks[0].map(\.identity) {
            tally.add(.edited)
        }
        plans.append(plan)
    }

    /// It may come more than once by another way than its publisher's.
    func mayRepeat(_ message: MessageRecord, by way: Int, for client: SimulatedClient) -> Bool {
        if way > 0 { return message.role == .cloud }
        return message.role != client.role && (message.role == .cloud || message.topic.hasPrefix("plain/"))
    }
}
