import Glibc
import Testing

extension EndToEndTests {
    /// A register of a machine, and what the cloud knows of it and wants of it: both ways, over an outage and over kills of whoever
    /// has a part in it.
    @Suite(.enabled(if: Programs.pymodbus != nil, "needs python3-pymodbus, python3-serial-asyncio, mbpoll and socat"))
    struct MachineToCloudTests {
        @Test func registersAndTwinsAgreeAfterAnOutage() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let device = try ForeignDevice("tcp", scenario)
            let cloud = try Roostd(scenario, name: "cloud", "[ingest]\nenabled = true")
            try cloud.start()
            let relay = try Relay(scenario, to: cloud.endpoint)
            let node = try Roostd(scenario, name: "edge", Self.settings(device.url, relay.port))
            try node.start()
            let values = Watcher(scenario, filter: "modbus/plc/press-7/speed", to: cloud.endpoint)
            try scenario.wait("SUBACK") { values.isSubscribed }

            // The register, by its topic and as the twin's actual value.
            try write(7, to: device)
            try scenario.wait("7 at the cloud") {
                values.payloads.contains { $0.hasPrefix("{\"value\":7,") }
                    && twin(scenario, cloud).contains("\"speed\":{\"actual\":{\"value\":\"7\"")
            }

            // The link is dead, and nobody is told. Values change, and somebody at the cloud wants one to.
            relay.mode = .swallowing
            for value in [11, 12, 13] {
                try write(value, to: device)
                try waitForNode(value, scenario, node)
                try strike(scenario, node, device)
            }
            try write(14, to: device)
            try waitForNode(14, scenario, node)
            try scenario.run(
                Programs.roost,
                ["twin", "set", "press-7", "limit=35", "--node", "edge", "--socket", "\(cloud.data)/admin.sock"],
                name: "twin")
            try strike(scenario, node, device)
            relay.mode = .forwarding
            relay.cut()
            try strike(scenario, node, device)

            // What was read meanwhile has come from the log, and what was wanted is what the machine has and both twins say.
            try scenario.wait("what was read while the link was dead") {
                [11, 12, 13, 14].allSatisfy { value in
                    values.payloads.contains { $0.hasPrefix("{\"value\":\(value),") }
                }
            }
            try scenario.wait("the register that the cloud wants") {
                try device.mbpoll(["-t", "4", "-r", "2", "-c", "1"]).contains("35")
            }
            for daemon in [node, cloud] {
                try scenario.wait("agreement at \(daemon.name)") {
                    twin(scenario, daemon).contains(
                        "\"limit\":{\"expected\":{\"value\":\"35\"")
                        && twin(scenario, daemon).pieces(
                            behind: "\"limit\":{"
                        ).contains { $0.contains("\"actual\":{\"value\":\"35\"") }
                }
            }
            #expect(try node.stop() == 0)
        }

        /// The node has the value, and has it on disk: what is acknowledged after it is.
        private func waitForNode(_ value: Int, _ scenario: Scenario, _ node: Roostd) throws {
            try scenario.wait("\(value) at the node") {
                twin(scenario, node).contains("\"actual\":{\"value\":\"\(value)\"")
            }
            try scenario.publish(["-t", "modbus/mark", "-m", "\(value)", "-q", "1"], to: node.port)
        }

        /// Kills the node, the module or the machine, and waits until it is there again.
        private func strike(_ scenario: Scenario, _ node: Roostd, _ device: ForeignDevice) throws {
            switch scenario.random.next() % 3 {
            case 0:
                node.kill()
                try node.start()
            case 1:
                var before: pid_t = 0
                try scenario.wait("the module's process") {
                    before = process(of: node, scenario)
                    return before != 0
                }
                kill(before, SIGKILL)
                try scenario.wait("another process of the module") {
                    ![0, before].contains(process(of: node, scenario))
                }
            default:
                // A machine that was off has forgotten what it was told.
                device.kill()
                try device.start()
            }
        }

        private func write(_ value: Int, to device: ForeignDevice) throws {
            try device.mbpoll(["-t", "4", "-r", "1"], writing: ["\(value)"])
        }

        /// Empty while there is none.
        private func twin(_ scenario: Scenario, _ daemon: Roostd) -> String {
            let node = daemon.name == "cloud" ? ["--node", "edge"] : []
            let words = ["twin", "get", "press-7", "--json", "--socket", "\(daemon.data)/admin.sock"]
            return (try? scenario.run(Programs.roost, words + node, name: "twin")) ?? ""
        }

        /// 0 while it has none.
        private func process(of node: Roostd, _ scenario: Scenario) -> pid_t {
            let words = ["modules", "--json", "--socket", "\(node.data)/admin.sock"]
            let text = (try? scenario.run(Programs.roost, words, name: "modules")) ?? ""
            return pid_t(text.pieces(behind: "\"pid\":").first?.prefix { $0.isNumber } ?? "") ?? 0
        }

        private static func settings(_ device: String, _ cloud: UInt16) -> String {
            """
            [[uplink]]
            name = "cloud"
            urls = ["mqtt://127.0.0.1:\(cloud)"]
            twin = true
            keep_alive = "1s"
            reconnect = { min = "50ms", max = "500ms" }
            [[uplink.route]]
            filter = "modbus/#"
            [[module]]
            name = "line-b"
            program = "modbus"
            restart = { min = "50ms", max = "200ms" }
            [[module.connection]]
            name = "plc"
            url = "\(device)"
            reconnect = { min = "20ms", max = "100ms" }
            [[module.connection.device]]
            name = "press-7"
            unit = 1
            interval = "100ms"
            twin = true
            backoff = { min = "50ms", max = "200ms" }
            [[module.connection.device.point]]
            name = "speed"
            table = "holding"
            address = 1
            [[module.connection.device.point]]
            name = "limit"
            table = "holding"
            address = 2
            writable = true
            """
        }
    }
}
