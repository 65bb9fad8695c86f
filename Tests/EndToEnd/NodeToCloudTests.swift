import Glibc
import Testing

extension EndToEndTests {
    /// Node to cloud in batches: what the node acknowledged is delivered at the cloud, once and in order, whoever dies when.
    @Suite struct NodeToCloudTests {
        /// ROOST_FULL=1: all of them in a debug build too, which takes its time.
        static let count: Int = {
            #if DEBUG
                environment("ROOST_FULL") == nil ? 30_000 : 100_000
            #else
                100_000
            #endif
        }()

        @Test func nothingIsLostFromNodeToCloud() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let cloud = try Roostd(scenario, name: "cloud", "[ingest]\nenabled = true")
            let node = try Roostd(scenario, name: "node", Self.uplink(toPort: cloud.port))
            try cloud.start()
            try node.start()
            let subscriber = LoadSubscriber(scenario, to: cloud)
            try scenario.wait("SUBACK") { subscriber.isSubscribed }
            var publishers = (0..<4).map { LoadPublisher(scenario, $0, count: Self.count / 4, to: node.endpoint) }
            let nodeKiller = Killer(node, in: scenario, times: 10)
            let cloudKiller = Killer(cloud, in: scenario, times: 5, pause: 1000)
            let total = publishers.reduce(0) { $0 + $1.count }

            try scenario.wait("\(total) messages to be acknowledged and to arrive", for: .seconds(400)) {
                try nodeKiller.step(Double(publishers.reduce(0) { $0 + $1.acknowledgedCount }) / Double(total))
                try cloudKiller.step(Double(subscriber.uniqueCount) / Double(total))
                return nodeKiller.isDone && cloudKiller.isDone && publishers.allSatisfy(\.isDone)
            }
            publishers.append(LoadPublisher(scenario, publishers.count, count: 12, to: node.endpoint))
            try scenario.waitForAll(of: publishers, at: subscriber)

            let ledger = Ledger(publishers, subscriber)
            scenario.note(ledger.summary)
            try scenario.require(ledger.isKept, ledger.summary)
            #expect(nodeKiller.kills == 10)
            #expect(cloudKiller.kills == 5)
            #expect(try node.stop() == 0)
            #expect(try cloud.stop() == 0)
        }

        /// A day without the cloud, in small: the node is killed and restarted meanwhile, and all comes when it can.
        @Test func aBacklogComesInOrder() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let cloud = try Roostd(scenario, name: "cloud", "[ingest]\nenabled = true")
            let node = try Roostd(scenario, name: "node", Self.uplink(toPort: cloud.port))
            try cloud.start()
            let subscriber = LoadSubscriber(scenario, to: cloud)
            try scenario.wait("SUBACK") { subscriber.isSubscribed }
            #expect(try cloud.stop() == 0)

            try node.start()
            var publishers = [LoadPublisher(scenario, 0, count: 5000, to: node.endpoint)]
            try scenario.wait("the first half to be acknowledged") { publishers[0].isDone }
            node.kill()
            try node.start()
            publishers.append(LoadPublisher(scenario, 1, count: 5000, to: node.endpoint))
            try scenario.wait("the second half to be acknowledged") { publishers[1].isDone }
            #expect(subscriber.received == 0)
            try cloud.start()
            try scenario.waitForAll(of: publishers, at: subscriber)

            let ledger = Ledger(publishers, subscriber)
            scenario.note(ledger.summary)
            try scenario.require(ledger.isKept, ledger.summary)
            #expect(ledger.repeatedOverCuts == 0)
        }

        /// The node's settings.
        static func uplink(toPort port: UInt16, settle: String = "20ms") -> String {
            """
            [store]
            settle = "\(settle)"
            [[uplink]]
            name = "cloud"
            urls = ["mqtt://127.0.0.1:\(port)"]
            reconnect = { min = "50ms", max = "500ms" }
            [[uplink.route]]
            filter = "load/#"
            batch = { delay = "50ms" }
            """
        }
    }
}
