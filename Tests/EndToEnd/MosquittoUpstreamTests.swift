import Glibc
import Testing

extension EndToEndTests {
    /// A plain mosquitto as the upstream.
    @Suite(
        .enabled(
            if: Programs.mosquitto != nil && Programs.mosquittoPub != nil && Programs.mosquittoSub != nil,
            "needs mosquitto and mosquitto-clients"))
    struct MosquittoUpstreamTests {
        @Test(arguments: [4, 5])
        func eachModeLosesNothing(protocolLevel: Int) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let mosquitto = try Mosquitto(scenario)
            let node = try Roostd(
                scenario, name: "node",
                Self.uplink(to: mosquitto, "protocol = \(protocolLevel)", route: "filter = \"load/#\"\nmode = \"each\"")
            )
            try mosquitto.start()
            try node.start()
            let subscriber = LoadSubscriber(scenario, highest: .atLeastOnce, to: mosquitto.endpoint)
            try scenario.wait("SUBACK") { subscriber.isSubscribed }
            var publishers = (0..<3).map { LoadPublisher(scenario, $0, count: 2000, to: node.endpoint) }
            let killer = Killer(node, in: scenario, times: 3)
            let total = publishers.reduce(0) { $0 + $1.count }

            var restarts = [total / 4, total / 2]
            try scenario.wait("\(total) messages to be acknowledged") {
                try killer.step(Double(publishers.reduce(0) { $0 + $1.acknowledgedCount }) / Double(total))
                if let next = restarts.first, subscriber.uniqueCount >= next {
                    restarts.removeFirst()
                    try mosquitto.stop()
                    try mosquitto.start()
                }
                return killer.isDone && restarts.isEmpty && publishers.allSatisfy(\.isDone)
            }
            publishers.append(LoadPublisher(scenario, publishers.count, count: 12, to: node.endpoint))
            try scenario.waitForAll(of: publishers, at: subscriber)

            // At QoS 1, at least once: copies over a broken connection are allowed here, of QoS 2 too.
            let ledger = Ledger(publishers, subscriber)
            scenario.note(ledger.summary)
            try scenario.require(
                ledger.missing.isEmpty && ledger.outOfOrder.isEmpty && ledger.complaints.isEmpty, ledger.summary)
        }

        @Test func aCommandWaitsForTheNode() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let mosquitto = try Mosquitto(scenario)
            let node = try Roostd(
                scenario, name: "pump-7",
                Self.uplink(to: mosquitto, route: "filter = \"load/#\"\nmode = \"each\"")
                    + "\n[[uplink.subscribe]]\nfilter = \"cmd/{node}/#\"\nqos = 1")
            try mosquitto.start()
            try node.start()
            let format = ["-q", "1", "-F", "MSG %t %p"]
            let device = ["-i", "valve", "-c", "-t", "cmd/+/valve"] + format
            let first = try scenario.subscribe(device + ["-E"], to: node.port, name: "valve-1")
            #expect(try scenario.finish(first) == 0)
            // Until the node has subscribed upstream, mosquitto keeps nothing for it; the first greeting shows that it has.
            let greeted = try scenario.subscribe(
                ["-t", "cmd/+/hello", "-C", "1"] + format, to: node.port, name: "greeted")
            try scenario.wait("a command to come through") {
                try scenario.publish(["-t", "cmd/pump-7/hello", "-m", "hello", "-q", "1"], to: mosquitto.port)
                return !greeted.isRunning
            }

            node.kill()
            for number in 1...5 {
                try scenario.publish(
                    ["-t", "cmd/pump-7/valve", "-m", "open \(number)", "-q", "1"], to: mosquitto.port)
            }
            try scenario.publish(["-t", "cmd/other/valve", "-m", "not ours", "-q", "1"], to: mosquitto.port)
            try node.start()
            let second = try Child(
                Programs.mosquittoSub ?? "", ["-h", "127.0.0.1", "-p", "\(node.port)"] + device + ["-C", "5"],
                name: "valve-2", in: scenario.directory)
            try scenario.finish(second)

            #expect(SmokeTests.messages(greeted) == ["cmd/pump-7/hello hello"])
            #expect(SmokeTests.messages(second) == (1...5).map { "cmd/pump-7/valve open \($0)" })
        }

        /// Batches to a mosquitto, and `roost ingest` beside it to take them apart.
        @Test func roostIngestBesideMosquitto() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let mosquitto = try Mosquitto(scenario)
            let node = try Roostd(
                scenario, name: "node",
                Self.uplink(to: mosquitto, route: "filter = \"load/#\"\nbatch = { delay = \"50ms\" }"))
            try mosquitto.start()
            let subscriber = LoadSubscriber(scenario, highest: .atLeastOnce, to: mosquitto.endpoint)
            try scenario.wait("SUBACK") { subscriber.isSubscribed }
            try node.start()
            let publishers = [LoadPublisher(scenario, 0, count: 2000, to: node.endpoint)]
            try scenario.wait("all to be acknowledged") { publishers[0].isDone }

            // Started last: until then mosquitto answers 0x10, No matching subscribers, and the node holds its batches.
            let ingest = try scenario.spawn(
                Programs.roost,
                [
                    "ingest", "--url", "mqtt://127.0.0.1:\(mosquitto.port)", "--state",
                    scenario.directory.path(of: "ingest-state"),
                ],
                name: "ingest")
            try scenario.wait("all to arrive, with \(ingest.account)") {
                guard ingest.isRunning else { throw scenario.failure("ended: \(ingest.account)") }
                return subscriber.uniqueCount == 2000
            }

            let ledger = Ledger(publishers, subscriber)
            scenario.note(ledger.summary)
            try scenario.require(ledger.isKept, ledger.summary)
        }

        static func uplink(to mosquitto: Mosquitto, _ more: String = "", route: String) -> String {
            """
            [[uplink]]
            name = "cloud"
            urls = ["mqtt://127.0.0.1:\(mosquitto.port)"]
            reconnect = { min = "50ms", max = "500ms" }
            \(more)
            [[uplink.route]]
            \(route)
            """
        }
    }
}
