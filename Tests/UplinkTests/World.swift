import Broker
import EventLoop
import MQTT
import Store

@testable import Uplink

/// A node with one uplink on virtual time, and what it talks to.
final class World {
    let clock = VirtualClock()
    let loop: EventLoop
    let network: MemoryNetwork
    let engine = SteppedEngine()
    let log: Log
    let upstream: ScriptedUpstream
    let sink = CollectingSink()
    let queues: [RouteQueue]
    let uplink: Uplink
    var notices: [String] = []
    var states: [Uplink.State] = []
    /// Tickets of messages that are safe.
    let waiter = NotingWaiter()
    private var commits = true

    init(
        routes: [RouteOptions] = [RouteOptions(name: "plant")], policy: RoutePolicy = RoutePolicy(),
        _ change: (inout UplinkOptions) -> Void = { _ in }
    ) throws {
        loop = EventLoop(clock: clock, poller: VirtualPoller())
        network = MemoryNetwork(loop: loop)
        log = Log(loop: loop, engine: engine, options: LogOptions(), state: StoredState(), epoch: 0xABCD)
        engine.log = log
        upstream = try ScriptedUpstream(loop: loop, network: network)
        var options = UplinkOptions(
            name: "cloud", node: "pump-7", urls: ["mqtt://cloud"], clientIdentifier: "pump-7-cloud", routes: routes)
        change(&options)
        let log = log
        queues = routes.map {
            RouteQueue(
                name: "cloud/\($0.name)", evictionClass: $0.priority, storesQoS0: $0.storesQoS0, ttl: nil,
                budgetBytes: nil, log: log, state: StoredState(), policy: policy)
        }
        uplink = try Uplink(
            options: options, loop: loop, network: network, queues: queues, sink: sink, storeTime: { log.clock.now },
            random: { 0 }, localOffset: { _ in 0 })
        uplink.onNotice = { [weak self] in self?.notices.append($0) }
        uplink.onState = { [weak self] in self?.states.append($0) }
    }

    func publish(
        _ payload: String, topic: String = "plant/7", qos: QoS = .atLeastOnce, route: Int = 0, retain: Bool = false,
        expiry: UInt32? = nil, properties: [UInt8] = [], waits: Bool = false
    ) {
        let properties = properties
        let topic = Array(topic.utf8)
        let bytes = Array(payload.utf8)
        topic.withUnsafeBytes { topic in
            bytes.withUnsafeBytes { payload in
                properties.withUnsafeBytes { properties in
                    let view = PublishView(
                        topic: topic, payload: payload, qos: qos, retain: retain, properties: properties,
                        messageExpiryInterval: expiry)
                    let message = Message(
                        view, laneSequence: log.takeLaneSequence(), receivedAt: log.clock.now, meter: log.meter)
                    log.append(message, to: [queues[route].stream], waiter: waits ? waiter : nil, ticket: 1)
                }
            }
        }
    }

    /// Lets everything happen that needs no time.
    func settle() {
        for _ in 0..<200 {
            loop.tick(wait: .zero)
            if commits { engine.step() }
        }
    }

    /// Lets time pass, a step at a time.
    func pass(_ duration: Duration, step: Duration = .milliseconds(50)) {
        let end = clock.now + duration
        while clock.now < end {
            let next = min(clock.now + step, end)
            clock.advance(to: next)
            for _ in 0..<5 {
                loop.tick(wait: .zero)
                if commits { engine.step() }
            }
        }
        settle()
    }

    /// Lets much time pass, from one deadline to the next.
    func rush(_ duration: Duration) {
        let end = clock.now + duration
        func turn() {
            repeat {
                loop.tick(wait: .zero)
                if commits { engine.step() }
            } while loop.hasWork
        }
        turn()
        while let next = loop.nextDeadline, next <= end {
            clock.advance(to: max(next, clock.now))
            turn()
        }
        clock.advance(to: end)
        turn()
    }

    func connect() {
        uplink.start()
        settle()
    }
}

final class NotingWaiter: SafetyWaiter {
    private(set) var settled: [ReasonCode] = []
    func messageIsSettled(ticket: UInt64, reason: ReasonCode) { settled.append(reason) }
}

/// A broker that keeps what it is given, and answers when told to.
final class CollectingSink: MessageSink {
    private(set) var published: [Inner] = []
    var waiting: [(ReasonCode) -> Void] = []
    var answersAtOnce = true
    /// The store takes nothing.
    var refuses = false
    var takesMessages: Bool { !refuses }

    func publish(_ message: PublishView, from origin: Broker.Origin, settled: @escaping (ReasonCode) -> Void) {
        guard !refuses else { return settled(.quotaExceeded) }
        published.append(Inner(message))
        if answersAtOnce { settled(.success) } else { waiting.append(settled) }
    }

    func ingest(_ messages: [PublishView], changes: [Change], committed: @escaping () -> Void) -> Bool {
        committed()
        return true
    }
}
