import EventLoop
import Glibc
import MQTT
import Store

@testable import Uplink

/// One life of a node with one route at QoS 2, on a real database: from its start to `kill()`, which is a SIGKILL.
final class NodeLife {
    private final class Parts {
        let store: StoreStep
        let log: Log
        let queue: RouteQueue
        let uplink: Uplink
        let sink = CollectingSink()

        init(
            _ path: String, loop: EventLoop, network: MemoryNetwork, ears: Ears,
            _ change: (inout UplinkOptions) -> Void
        ) throws {
            let database = try Self.open(path)
            let state = try database.load()
            store = StoreStep(database: database) { [ears] in if ears.areOpen { ears.log?.handle($0) } }
            let log = Log(loop: loop, engine: store, options: LogOptions(), state: state)
            ears.log = log
            self.log = log
            var route = RouteOptions(name: "plant", mode: .each)
            route.qos = .exactlyOnce
            var options = UplinkOptions(
                name: "cloud", node: "pump-7", urls: ["mqtt://cloud"], clientIdentifier: "pump-7-cloud",
                reconnectMax: .seconds(2), routes: [route])
            change(&options)
            queue = RouteQueue(
                name: "cloud/plant", evictionClass: .normal, storesQoS0: true, ttl: nil, budgetBytes: nil, log: log,
                state: state, policy: RoutePolicy(reportsGaps: false))
            uplink = try Uplink(
                options: options, loop: loop, network: network, queues: [queue], sink: sink,
                storeTime: { [unowned log] in log.clock.now }, random: { 0 }, localOffset: { _ in 0 })
        }

        /// A child that another test has just forked has our descriptors until it executes its program, and with them the lock
        /// of the life before.
        private static func open(_ path: String) throws -> Database {
            let deadline = SystemClock().now + .seconds(60)
            while true {
                do throws(StoreError) {
                    return try Database.open(path: path)
                } catch {
                    guard case .locked = error, SystemClock().now < deadline else { throw error }
                    sched_yield()
                }
            }
        }
    }

    private final class Ears {
        weak var log: Log?
        var areOpen = true
    }

    let clock: VirtualClock
    let loop: EventLoop
    let network: MemoryNetwork
    let upstream: CountingUpstream
    private(set) var notices: [String] = []
    private let ears = Ears()
    private let waiter = NotingWaiter()
    private var parts: Parts?

    init(
        _ path: String, clock: VirtualClock, upstream: CountingUpstream,
        _ change: (inout UplinkOptions) -> Void = { _ in }
    ) throws {
        self.clock = clock
        self.upstream = upstream
        loop = EventLoop(clock: clock, poller: VirtualPoller())
        network = MemoryNetwork(loop: loop)
        try upstream.serve(network)
        parts = try Parts(path, loop: loop, network: network, ears: ears, change)
        uplink.onNotice = { [unowned self] in notices.append($0) }
    }

    deinit { kill() }

    private var living: Parts {
        guard let parts else { preconditionFailure("the node is dead") }
        return parts
    }
    var uplink: Uplink { living.uplink }
    var queue: RouteQueue { living.queue }
    var log: Log { living.log }
    var store: StoreStep { living.store }
    var safeMessages: Int { waiter.settled.count }

    func publish(_ payload: String, expiry: UInt32? = nil) {
        Array(payload.utf8).withUnsafeBytes { payload in
            Array("plant/7".utf8).withUnsafeBytes { topic in
                let view = PublishView(
                    topic: topic, payload: payload, qos: .atLeastOnce, messageExpiryInterval: expiry)
                let message = Message(
                    view, laneSequence: log.takeLaneSequence(), receivedAt: log.clock.now, meter: log.meter)
                log.append(message, to: [queue.stream], waiter: waiter, ticket: 1)
            }
        }
    }

    func connect() {
        uplink.start()
        settle()
    }

    /// One turn of the loop, and perhaps one of the writer.
    func turn(writes: Bool = true) {
        loop.tick(wait: .zero)
        if writes { store.step() }
    }

    /// Lets everything happen that needs no time.
    func settle() {
        for _ in 0..<5000 {
            loop.tick(wait: .zero)
            if !store.step(), !loop.hasWork { return }
        }
    }

    func pass(_ duration: Duration) {
        let end = clock.now + duration
        settle()
        while let next = loop.nextDeadline, next <= end {
            clock.advance(to: max(next, clock.now))
            settle()
        }
        clock.advance(to: end)
        settle()
    }

    /// The writer does its work, and the loop never hears of it.
    func commitUnheard() {
        ears.areOpen = false
        store.hold = false
        store.drain()
    }

    /// The process is gone at once: what was not committed is lost, and the database is nobody's.
    func kill() {
        guard parts != nil else { return }
        ears.areOpen = false
        upstream.leave()
        loop.tearDown()
        parts = nil
    }
}
