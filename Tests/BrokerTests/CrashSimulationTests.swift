import EventLoop
import MQTT
import Store
import Testing

@testable import Broker

/// Faithful clients on both sides of a broker that is killed, cut off and kept from its disk at random: what was
/// acknowledged arrives, QoS 2 exactly once, and each QoS in order.
struct CrashSimulationTests {
    private struct Run {
        var random: Random
        let node: Node
        let publisher = FaithfulPublisher("publisher")
        let subscriber = FaithfulSubscriber("subscriber")
        var sent = 0
        var window: UInt16

        init(seed: UInt64) throws {
            random = Random(seed: seed)
            window = [1, 3, 20][random.below(3)]
            node = try Node(routes: random.below(2) == 0 ? [("up/all", "#")] : [])
            try publisher.connect(node, clean: true)
            try subscriber.connect(node, clean: true, receiveMaximum: window)
            subscriber.client?.subscribed("t/#", .exactlyOnce)
        }

        mutating func turn() {
            publisher.turn()
            subscriber.turn()
            node.run()
        }

        mutating func step() throws {
            switch random.below(14) {
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
            case 10: if subscriber.client == nil { try connectSubscriber() } else { subscriber.drop() }
            case 11: try connectSubscriber()
            case 12: node.advance(by: .milliseconds(random.below(1500)))
            default:
                guard random.below(3) > 0 else { break }
                try node.restart()
                try publisher.connect(node)
                if random.below(2) == 0 { try connectSubscriber() } else { subscriber.drop() }
            }
            if random.below(3) > 0 { turn() }
        }

        mutating func connectSubscriber() throws {
            window = [1, 3, 20][random.below(3)]
            try subscriber.connect(node, receiveMaximum: window)
        }

        mutating func finish() throws {
            node.store.hold = false
            try publisher.connect(node)
            try connectSubscriber()
            for _ in 0..<200 {
                turn()
                subscriber.answer()
                node.advance(by: .milliseconds(30))
            }
        }
    }

    @Test(arguments: Array(stride(from: UInt64(1), through: 200, by: 20)))
    func nothingAcknowledgedIsLost(first: UInt64) throws {
        for seed in first..<first + 20 {
            var run = try Run(seed: seed)
            for _ in 0..<60 { try run.step() }

            try run.finish()

            let note = Comment("seed \(seed)")
            #expect(run.publisher.isDone, note)
            let everything = (1...max(run.sent, 1)).map { "\($0)" }.filter(run.publisher.acknowledged.contains)
            #expect(everything.count == run.sent, note)
            check(run.subscriber.deliveries, run.publisher.acknowledged, note)
            guard let queue = run.node.queues["up/all"] else { continue }
            var carried: Set<String> = []
            run.node.run()
            while true {
                let next = queue.peek()
                if case .loading = next {
                    run.node.run()
                    continue
                }
                guard case .message(let queued) = next else { break }
                carried.insert(String(decoding: queued.message.payload, as: UTF8.self))
                queue.advance()
            }
            #expect(carried.isSuperset(of: everything), note)
        }
    }

    private func check(_ deliveries: [Delivery], _ acknowledged: Set<String>, _ note: Comment) {
        #expect(Set(deliveries.map(\.payload)).isSuperset(of: acknowledged), note)
        let twice = deliveries.filter { $0.topic == "t/2" }.compactMap { Int($0.payload) }
        #expect(twice == Array(Set(twice)).sorted(), note)
        var seen: Set<Int> = []
        let once = deliveries.filter { $0.topic == "t/1" }.compactMap { Int($0.payload) }.filter {
            seen.insert($0).inserted
        }
        #expect(once == once.sorted(), note)
    }
}
