import Glibc
import Testing

extension EndToEndTests {
    /// `roost ingest` beside a mosquitto, which nodes send batches to.
    @Suite(.enabled(if: Programs.mosquitto != nil && Programs.mosquittoPub != nil, "needs mosquitto"))
    struct IngestTests {
        private final class Copy: Daemon {
            let name: String
            let state: String
            private let scenario: Scenario
            private let arguments: [String]
            private(set) var child: Child?

            init(_ scenario: Scenario, name: String, beside mosquitto: Mosquitto, _ more: [String] = []) {
                self.scenario = scenario
                self.name = name
                state = scenario.directory.path(of: "\(name)-state")
                arguments = ["ingest", "--url", "mqtt://127.0.0.1:\(mosquitto.port)", "--state", state] + more
                scenario.register(self)
            }

            var account: String { child?.account ?? "\(name), never started" }

            func start() throws {
                let child = try scenario.spawn(Programs.roost, arguments, name: name)
                self.child = child
                try scenario.wait("\(name) to serve") {
                    guard child.isRunning else { throw scenario.failure("\(name) did not start") }
                    return child.errors.contains("serves node")
                }
            }

            func kill() { child?.kill() }
        }

        private func node(_ scenario: Scenario, _ name: String, _ mosquitto: Mosquitto) throws -> Roostd {
            try Roostd(
                scenario, name: name,
                MosquittoUpstreamTests.uplink(
                    to: mosquitto, route: "name = \"load\"\nfilter = \"load/#\"\nbatch = { delay = \"20ms\" }"))
        }

        @Test func killsOfEverybodyLoseNothing() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let mosquitto = try Mosquitto(scenario)
            let node = try node(scenario, "node", mosquitto)
            let ingest = Copy(scenario, name: "ingest", beside: mosquitto)
            try mosquitto.start()
            try ingest.start()
            let subscriber = LoadSubscriber(scenario, highest: .atLeastOnce, to: mosquitto.endpoint)
            try scenario.wait("SUBACK") { subscriber.isSubscribed }
            try node.start()
            let publishers = (0..<3).map { LoadPublisher(scenario, $0, count: 3000, to: node.endpoint) }
            let total = publishers.reduce(0) { $0 + $1.count }

            var kills = 0
            for part in 1...6 {
                try scenario.wait("part \(part) of the load, with \(ingest.account)") {
                    subscriber.uniqueCount >= total * part / 8
                }
                switch part {
                case 3:
                    // Mosquitto keeps its sessions over a stop; what it loses by a kill, nobody can bring back.
                    try mosquitto.stop()
                    try mosquitto.start()
                case 5:
                    node.kill()
                    try node.start()
                default:
                    ingest.kill()
                    kills += 1
                    try ingest.start()
                }
            }
            try scenario.waitForAll(of: publishers, at: subscriber)

            let ledger = Ledger(publishers, subscriber)
            scenario.note("\(kills) kills of roost ingest: \(ledger.summary)")
            try scenario.require(
                ledger.missing.isEmpty && ledger.outOfOrder.isEmpty && ledger.complaints.isEmpty, ledger.summary)
            let coverage = try scenario.run(
                Programs.roost, ["coverage", "node", "--state", ingest.state, "--json"], name: "coverage")
            scenario.note(coverage)
            #expect(coverage.contains(#""node":"node","route":"cloud/load""#))
            #expect(!coverage.contains(#""missing":[{"#))
        }

        /// SIGKILLs of roost ingest at any moment: with `--qos 2` everything comes once, to a subscriber of ours and to
        /// mosquitto's own. (Mosquitto lives on: over its own stop, 2.0 sends its subscribers QoS 2 messages again that they
        /// had.)
        @Test(.enabled(if: Programs.mosquittoSub != nil, "needs mosquitto-clients"))
        func atQoS2KillsDoubleNothing() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let mosquitto = try Mosquitto(scenario)
            let node = try node(scenario, "node", mosquitto)
            let ingest = Copy(scenario, name: "ingest", beside: mosquitto, ["--qos", "2"])
            try mosquitto.start()
            try ingest.start()
            // Mosquitto with unlimited inflight messages does not keep to a Receive Maximum.
            let subscriber = LoadSubscriber(
                scenario, receiveMaximum: 65_535, lowest: .exactlyOnce, to: mosquitto.endpoint)
            try scenario.wait("SUBACK") { subscriber.isSubscribed }
            let foreign = try scenario.subscribe(
                ["-i", "foreign", "-c", "-q", "2", "-t", "load/#", "-F", "MSG %q %t %x"], to: mosquitto.port,
                name: "foreign")
            try node.start()
            let isFull = environment("ROOST_FULL") != nil
            let (count, kills) = isFull ? (20_000, 60) : (3000, 12)
            let publishers = (0..<3).map { LoadPublisher(scenario, $0, count: count, to: node.endpoint) }
            let total = publishers.reduce(0) { $0 + $1.count }

            for kill in 1...kills {
                try scenario.wait("part \(kill) of the load, with \(ingest.account)") {
                    subscriber.uniqueCount >= total * kill / (kills + 2)
                }
                // Anywhere between a message's coming and its end.
                var isTime = false
                let delay = Int.random(in: 0...30, using: &scenario.random)
                scenario.loop.schedule(after: .milliseconds(delay)) { isTime = true }
                try scenario.wait("the moment") { isTime }
                ingest.kill()
                try ingest.start()
            }
            try scenario.waitForAll(of: publishers, at: subscriber)
            func arrivals() -> [Substring] { foreign.lines.filter { $0.hasPrefix("MSG ") } }
            try scenario.wait("all messages at mosquitto_sub") { Set(arrivals()).count >= total }

            let ledger = Ledger(publishers, subscriber)
            scenario.note("\(kills) kills of roost ingest: \(ledger.summary)")
            try scenario.require(
                ledger.isKept && subscriber.received == total, "\(subscriber.received) of \(total): \(ledger.summary)")
            #expect(arrivals().count == total)
            #expect(arrivals().allSatisfy { $0.hasPrefix("MSG 2 ") })
            #expect(!ingest.account.contains("lost our session"))
        }

        @Test(arguments: [[["--shards", "00-7f"], ["--shards", "80-ff"]], [["--share", "g"], ["--share", "g"]]])
        func severalCopiesShareTheWork(ways: [[String]]) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let mosquitto = try Mosquitto(scenario)
            try mosquitto.start()
            let copies = ways.enumerated().map { index, way in
                let isShare = way[0] == "--share"
                return Copy(
                    scenario, name: "copy-\(index)", beside: mosquitto,
                    way + (isShare ? ["--client-id", "copy-\(index)"] : []))
            }
            for copy in copies { try copy.start() }
            let subscriber = LoadSubscriber(scenario, highest: .atLeastOnce, to: mosquitto.endpoint)
            try scenario.wait("SUBACK") { subscriber.isSubscribed }
            // SHA-256 puts these two in different halves.
            let nodes = try ["pump-1", "pump-2"].map { try node(scenario, $0, mosquitto) }
            for node in nodes { try node.start() }
            let publishers = nodes.enumerated().map { LoadPublisher(scenario, $0, count: 2000, to: $1.endpoint) }

            try scenario.waitForAll(of: publishers, at: subscriber)

            let ledger = Ledger(publishers, subscriber)
            scenario.note(ledger.summary)
            try scenario.require(ledger.missing.isEmpty && ledger.complaints.isEmpty, ledger.summary)
            if ways[0][0] == "--shards" { try scenario.require(ledger.isKept, ledger.summary) }
        }
    }
}
