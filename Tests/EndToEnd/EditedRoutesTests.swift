import Client
import EventLoop
import MQTT
import Testing

extension EndToEndTests {
    /// Routes are known by name: whoever edits the file while messages wait loses none of them, and none goes another way.
    @Suite struct EditedRoutesTests {
        private struct Route {
            var name: String
            var filter: String

            func takes(_ topic: String) -> Bool {
                Array(filter.utf8).withUnsafeBytes { filter in
                    Array(topic.utf8).withUnsafeBytes { TopicFilter.matches(filter: filter, topic: $0) }
                }
            }
        }

        /// In whatever order the routes stand, each of them gets something.
        private static let topics = [
            "plant/7/temp", "plant/7/alarm", "plant/8/temp", "plant/8/x/y", "site/door", "site/7/temp", "home/3/temp",
            "home/7/door", "other",
        ]

        private let scenario: Scenario
        private let cloud: Roostd
        private let node: Roostd
        private let sink: Peer
        /// What must arrive: the topic at the cloud names uplink and route.
        private let expected = Expected()

        private final class Expected { var lines: [String] = [] }

        init() throws {
            scenario = try Scenario()
            cloud = try Roostd(scenario, name: "cloud", "[ingest]\nenabled = true")
            node = try Roostd(scenario, name: "node")
            sink = Peer(scenario, name: "sink", to: cloud.endpoint)
        }

        /// Eight uplinks with the same overlapping filters, each in another order.
        private static func routes() -> [[Route]] {
            let routes = [
                Route(name: "temps", filter: "+/+/temp"), Route(name: "seven", filter: "+/7/#"),
                Route(name: "plant", filter: "plant/#"), Route(name: "site", filter: "site/#"),
            ]
            return (0..<8).map { shift in
                let order = routes[(shift % 4)...] + routes[..<(shift % 4)]
                return shift < 4 ? Array(order) : order.reversed()
            }
        }

        private func configure(_ uplinks: [[Route]]) throws {
            try node.configure(
                uplinks.enumerated().map { index, routes in
                    """
                    [[uplink]]
                    name = "u\(index)"
                    urls = ["mqtt://127.0.0.1:\(cloud.port)"]
                    reconnect = { min = "50ms", max = "500ms" }

                    """
                        + routes.map { route in
                            """
                            [[uplink.route]]
                            name = "\(route.name)"
                            filter = "\(route.filter)"
                            topic = "u\(index)/\(route.name)/{topic}"
                            batch = { delay = "50ms" }

                            """
                        }.joined()
                }.joined())
        }

        /// Publishes to every topic, each message acknowledged, and notes what must become of it.
        private func publish(_ rounds: ClosedRange<Int>, by uplinks: [[Route]]) throws {
            let publisher = Peer(scenario, name: "publisher", isDurable: false, to: node.endpoint)
            publisher.connect()
            try scenario.wait("the publisher to connect") { publisher.client.isConnected }
            for round in rounds {
                for topic in Self.topics {
                    try scenario.wait("room to publish") { publisher.client.room > 0 }
                    let identifier = publisher.client.publish(
                        topic: topic, payload: Array("\(round)".utf8), qos: .atLeastOnce)
                    try scenario.require(identifier != nil, "a PUBLISH could not be sent")
                    for (index, routes) in uplinks.enumerated() {
                        guard let route = routes.first(where: { $0.takes(topic) }) else { continue }
                        expected.lines.append("u\(index)/\(route.name)/\(topic) \(round)")
                    }
                }
            }
            try scenario.wait("every message to be acknowledged") { publisher.client.unacknowledged == 0 }
            publisher.client.disconnect()
        }

        private func queue(_ words: String...) throws -> String {
            try scenario.run(
                Programs.roost, ["queue"] + words + ["--socket", "\(node.data)/admin.sock"], name: "queue")
        }

        private func orphans() throws -> [String] {
            try queue().split(separator: "\n").filter { $0.contains("orphaned") }
                .map { String($0.prefix { $0 != " " }) }
        }

        /// All that is expected has come, but for what one of these routes has.
        private func waitForAll(but left: [String] = []) throws -> [String] {
            let due = expected.lines.filter { line in !left.contains { line.hasPrefix("\($0)/") } }
            try scenario.wait("\(due.count) messages at the cloud, of which there are \(sink.received.count)") {
                sink.received.count >= due.count
            }
            return due
        }

        @Test func everyMessageGoesOnceAndByItsRoute() throws {
            defer { scenario.end() }
            // Given: a subscriber's session at a cloud that then goes away, and messages for all routes of eight uplinks.
            try cloud.start()
            sink.connect()
            try scenario.wait("SUBACK") { sink.isSubscribed }
            #expect(try cloud.stop() == 0)
            let first = Self.routes()
            try configure(first)
            try node.start()
            try publish(1...20, by: first)
            node.kill()

            // When: one uplink's routes are reordered, one is renamed, one removed, one's filter changed; one has all of it.
            var second = first
            second[0].reverse()
            Self.edit(&second[1], "seven") { $0.name = "sieben" }
            second[2].removeAll { $0.name == "site" }
            Self.edit(&second[3], "plant") { $0.filter = "other" }
            second[4].reverse()
            Self.edit(&second[4], "temps") { $0.name = "temperatures" }
            second[4].removeAll { $0.name == "site" }
            Self.edit(&second[4], "seven") { $0.filter = "other/#" }
            try configure(second)
            try node.start()
            let left = ["u1/seven", "u2/site", "u4/site", "u4/temps"]
            #expect(try orphans().sorted() == left)
            try publish(21...40, by: second)
            sink.connect()
            try cloud.start()

            // Then: all comes by the routes that took it, and what has no route any more stays and is shown.
            _ = try waitForAll(but: left)
            try publish(41...50, by: second)
            let due = try waitForAll(but: left)
            #expect(sink.received.sorted() == due.sorted())
            #expect(try orphans().sorted() == left)

            // Dropped, it is gone for good. A route that is there again sends what it left.
            for route in ["u2/site", "u4/site", "u4/temps"] { _ = try queue(route, "drop", "--yes") }
            #expect(try orphans() == ["u1/seven"])
            expected.lines.removeAll { line in
                // What these routes would take today is nothing: they are not in the file.
                left.dropFirst().contains { line.hasPrefix("\($0)/") }
            }
            #expect(try node.stop() == 0)
            var third = second
            third[1] = first[1]
            third[2] = first[2]
            try configure(third)
            try node.start()
            try publish(51...55, by: third)

            let all = try waitForAll()
            #expect(sink.received.sorted() == all.sorted())
            #expect(sink.outOfOrder.isEmpty, "\(sink.outOfOrder)")
            // "sieben" has nothing left, so there is nothing to show.
            #expect(try orphans().isEmpty)
            #expect(try node.stop() == 0)
            #expect(try cloud.stop() == 0)
        }

        private static func edit(_ routes: inout [Route], _ name: String, _ body: (inout Route) -> Void) {
            for index in routes.indices where routes[index].name == name { body(&routes[index]) }
        }
    }
}

/// A client that publishes, or takes everything in a session that lasts, and connects again until it is told not to.
private final class Peer: MQTTClientDelegate {
    let client: MQTTClient
    private unowned let scenario: Scenario
    private let endpoint: Endpoint
    private let isDurable: Bool
    private(set) var isSubscribed = false
    /// "TOPIC PAYLOAD"
    private(set) var received: [String] = []
    private var last: [String: Int] = [:]
    private(set) var outOfOrder: [String] = []

    init(_ scenario: Scenario, name: String, isDurable: Bool = true, to endpoint: Endpoint) {
        self.scenario = scenario
        self.endpoint = endpoint
        self.isDurable = isDurable
        var options = MQTTClient.Options()
        options.clientIdentifier = Array(name.utf8)
        options.cleanStart = !isDurable
        options.sessionExpiryInterval = isDurable ? 3600 : 0
        client = MQTTClient(loop: scenario.loop, network: scenario.network, options: options)
        client.delegate = self
    }

    func connect() { client.connect(to: endpoint) }

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        if isDurable { _ = client.subscribe([Subscription(filter: Array("#".utf8), qos: .exactlyOnce)]) }
    }

    func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) { isSubscribed = true }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {
        let topic = String(decoding: publish.topic, as: UTF8.self)
        let payload = String(decoding: publish.payload, as: UTF8.self)
        let number = Int(payload) ?? 0
        if number <= last[topic] ?? 0 { outOfOrder.append("\(topic): \(number) after \(last[topic] ?? 0)") }
        last[topic] = number
        received.append("\(topic) \(payload)")
    }

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {}

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {
        guard isDurable else { return }
        scenario.loop.schedule(after: .milliseconds(50)) { [weak self] in self?.connect() }
    }
}
