import EventLoop
import MQTT
import Store
import Testing

@testable import Broker

/// Faithful clients and an uplink around a broker that is killed, cut off and kept from its disk at random: what was
/// acknowledged arrives everywhere, QoS 2 exactly once, and each QoS in order.
struct CrashSimulationTests {
    static let seeds = 240
    private static let seedsInOne = 24

    @Test(arguments: Array(stride(from: 1, through: seeds, by: seedsInOne)))
    func nothingAcknowledgedIsLost(first: Int) throws {
        for seed in first..<first + Self.seedsInOne {
            var run = try SimulatedRun(seed: UInt64(seed))
            for _ in 0..<80 { try run.step() }

            try run.finish()

            let note = Comment("seed \(seed)")
            #expect(run.publisher.isDone, note)
            #expect(run.publisher.acknowledged.count == run.sent, note)
            for subscriber in run.subscribers {
                let missing = run.publisher.acknowledged.subtracting(subscriber.deliveries.map(\.payload))
                #expect(missing.isEmpty, "seed \(seed), \(subscriber.name)")
                let twice = subscriber.deliveries.filter { $0.qos == .exactlyOnce }.compactMap { Int($0.payload) }
                #expect(twice == Array(Set(twice)).sorted(), "seed \(seed), \(subscriber.name)")
                checkOrder(subscriber.deliveries.map { ($0.topic, $0.payload) }, "seed \(seed), \(subscriber.name)")
            }
            guard let uplink = run.uplink else { continue }
            #expect(run.publisher.acknowledged.subtracting(uplink.carried.map(\.payload)).isEmpty, note)
            checkOrder(uplink.carried, note)
        }
    }

    /// Messages of one topic, taken at their first coming, are in the order in which they were published.
    private func checkOrder(_ messages: [(topic: String, payload: String)], _ note: Comment) {
        for topic in ["t/1", "t/2"] {
            var seen: Set<Int> = []
            let first = messages.filter { $0.topic == topic }.compactMap { Int($0.payload) }.filter {
                seen.insert($0).inserted
            }
            #expect(first == first.sorted(), note)
        }
    }
}

/// One seed's course.
private struct SimulatedRun {
    var random: Random
    let node: Node
    let publisher = FaithfulPublisher("publisher")
    let subscribers = [FaithfulSubscriber("one"), FaithfulSubscriber("two")]
    var uplink: FaithfulUplink?
    var sent = 0

    init(seed: UInt64) throws {
        random = Random(seed: seed)
        var options = LogOptions()
        if random.below(3) == 0 { options.memoryBytes = 6000 }
        if random.below(4) == 0 { options.settle = .zero }
        options.maximumSessionStreams = [256, 1, 0][random.below(3)]
        let hasUplink = random.below(2) == 0
        node = try Node(log: options, routes: hasUplink ? [("up/all", "#")] : [])
        if hasUplink { uplink = FaithfulUplink() }
        try publisher.connect(node, clean: true)
        for (subscriber, qos) in zip(subscribers, [QoS.exactlyOnce, .atLeastOnce]) {
            try subscriber.connect(node, clean: true)
            subscriber.client?.subscribed("t/#", qos)
        }
    }

    mutating func step() throws {
        let subscriber = subscribers[random.below(subscribers.count)]
        switch random.below(18) {
        case 0...4:
            for _ in 0...random.below(4) {
                sent += 1
                let qos: QoS = random.below(2) == 0 ? .atLeastOnce : .exactlyOnce
                publisher.publish("t/\(qos.rawValue)", "\(sent)", qos)
            }
        case 5, 6: subscriber.answer(random.below(4))
        case 7: subscriber.answer()
        case 8: node.store.hold.toggle()
        case 9: try publisher.connect(node)
        case 10: if subscriber.client == nil { try connect(subscriber) } else { subscriber.drop() }
        case 11: try connect(subscriber)
        case 12: node.advance(by: .milliseconds(random.below(1500)))
        case 13: uplink?.flip(node)
        case 14: uplink?.send(node, random.below(5))
        case 15: uplink?.acknowledge(node)
        case 16:
            // The same subscription anew, with another identifier: another set of members.
            guard let client = subscriber.client, subscriber.name == "two" else { break }
            client.subscribe(.to("t/#", .atLeastOnce), identifier: UInt32(1 + random.below(3)))
        default:
            guard random.below(3) > 0 else { break }
            try node.restart()
            uplink?.hasStarted()
            try publisher.connect(node)
            for subscriber in subscribers {
                if random.below(2) == 0 { try connect(subscriber) } else { subscriber.drop() }
            }
        }
        if random.below(3) > 0 { turn() }
    }

    mutating func turn() {
        publisher.turn()
        for subscriber in subscribers { subscriber.turn() }
        node.run()
    }

    private mutating func connect(_ subscriber: FaithfulSubscriber) throws {
        try subscriber.connect(node, receiveMaximum: [1, 3, 20][random.below(3)])
    }

    mutating func finish() throws {
        node.store.hold = false
        try publisher.connect(node)
        for subscriber in subscribers { try connect(subscriber) }
        for _ in 0..<250 {
            turn()
            for subscriber in subscribers { subscriber.answer() }
            uplink?.send(node, 20)
            uplink?.acknowledge(node)
            node.advance(by: .milliseconds(30))
        }
    }
}

/// An uplink that sends again what was not acknowledged when its link or its node went down.
private final class FaithfulUplink {
    private(set) var carried: [(topic: String, payload: String)] = []
    private var open: [Numbering: UInt64] = [:]

    func hasStarted() { open = [:] }

    func flip(_ node: Node) {
        guard let queue = node.queues["up/all"] else { return }
        if queue.link.state == .healthy {
            queue.link.state = .down
            queue.rewind()
            open = [:]
        } else {
            queue.link = RouteLink(state: .healthy, smoothedMilliseconds: 1, hasRoom: true)
        }
    }

    func send(_ node: Node, _ count: Int) {
        guard let queue = node.queues["up/all"] else { return }
        for _ in 0..<count {
            guard case .message(let queued) = queue.peek() else { return }
            carried.append(
                (
                    String(decoding: queued.message.topic, as: UTF8.self),
                    String(decoding: queued.message.payload, as: UTF8.self)
                ))
            queue.advance()
            open[queued.numbering] = queued.number
        }
    }

    func acknowledge(_ node: Node) {
        for (numbering, number) in open { node.queues["up/all"]?.acknowledge(numbering, through: number) }
        open = [:]
    }
}
