import EventLoop
import Glibc
import Testing

extension EndToEndTests {
    /// The Modbus bridge under a real roostd, with devices that others wrote: pymodbus, and mbpoll beside it on the same values.
    @Suite(.enabled(if: Programs.pymodbus != nil, "needs python3-pymodbus, python3-serial-asyncio, mbpoll and socat"))
    struct ModbusTests {
        @Test(arguments: ["tcp", "rtu", "rtutcp"])
        func readsAndWritesWhatOthersServe(kind: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let line = try ForeignDevice(kind, scenario)
            let node = try Roostd(scenario, Self.module(line.url, Self.points))
            try node.start()
            let values = Watcher(scenario, filter: "modbus/plc/press-7/#", to: node.endpoint)
            let other = Watcher(scenario, name: "other", filter: "modbus/plc/other/first", to: node.endpoint)

            for value in ["21.5", "100.2", "2007", "1015", "true", "false", "\"online\""] {
                try scenario.wait("\(value) by \(kind)") {
                    values.payloads.contains { $0.hasPrefix("{\"value\":\(value),") || "\"\($0)\"" == value }
                }
            }
            try scenario.wait("the second unit") { other.payloads.contains { $0.hasPrefix("{\"value\":1000,") } }

            // One program at a time has a serial line.
            if kind == "tcp" { #expect(try line.mbpoll(["-t", "4", "-r", "15", "-c", "1"]).contains("1015")) }
            for (point, payload) in [("setpoint", "{\"value\":33.3,\"id\":7}"), ("lamp", "true"), ("bit", "1")] {
                try scenario.publish(
                    ["-t", "modbus/plc/press-7/\(point)/set", "-m", payload, "-q", "1"], to: node.port)
            }
            for result in [
                "{\"ok\":true,\"value\":33.3,\"id\":7,", "{\"ok\":true,\"value\":true,", "{\"ok\":true,\"value\":1,",
            ] {
                try scenario.wait("\(result) by \(kind)") { values.payloads.contains { $0.hasPrefix(result) } }
            }
            try scenario.publish(["-t", "modbus/plc/press-7/setpoint/set", "-m", "99999", "-q", "1"], to: node.port)
            try scenario.publish(["-t", "modbus/plc/press-7/float/set", "-m", "5", "-q", "1"], to: node.port)
            try scenario.wait("refusals") {
                values.payloads.contains { $0.hasPrefix("{\"ok\":false,\"error\":\"99999 is out of range") }
                    && values.payloads.contains { $0.hasPrefix("{\"ok\":false,\"error\":\"is not writable") }
            }
            #expect(try node.stop() == 0)
            // What the bridge wrote is what others find there. mbpoll doesn't speak RTU over TCP.
            guard kind != "rtutcp" else { return }
            // On a serial line it may first find the answer to what the bridge asked last.
            try scenario.wait("the register") { try line.mbpoll(["-t", "4", "-r", "1", "-c", "1"]).contains("333") }
            try scenario.wait("the coil") { try line.mbpoll(["-t", "0", "-r", "4", "-c", "1"]).contains("[4]: \t1") }
        }

        /// Whatever a device does wrong, no value is told that it doesn't hold; and when it behaves, all is right again.
        @Test(arguments: ["tcp", "rtu"])
        func aNastyDevice(kind: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let port = try Ports.free()
            let server = try scenario.spawn(
                Programs.pymodbus ?? "",
                [
                    Programs.package + "/Tests/EndToEnd/Scripts/nasty_modbus.py", kind, "\(port)", "\(scenario.seed)",
                    kind == "tcp" ? "150" : "20",
                ],
                name: "nasty")
            try scenario.wait("the device") { server.output.contains("ready") }
            let points = [0, 20, 40, 60].map {
                "[[module.connection.device.point]]\nname = \"p\($0)\"\ntable = \"holding\"\naddress = \($0)\non_change = false"
            }.joined(separator: "\n")
            let url = kind == "tcp" ? "tcp://127.0.0.1:\(port)" : "rtu+tcp://127.0.0.1:\(port)"
            let node = try Roostd(scenario, Self.module(url, points, points, timeout: "40ms", interval: "100ms"))
            try node.start()
            let values = Watcher(scenario, filter: "modbus/plc/press-7/+", to: node.endpoint)
            let others = Watcher(scenario, name: "others", filter: "modbus/plc/other/+", to: node.endpoint)

            try scenario.wait("the device to behave") { server.output.contains("good") }
            let before = (values.received, others.received)
            try scenario.wait("values again") {
                values.received > before.0 + 40 && others.received > before.1 + 40
            }

            for (watcher, base) in [(values, 1000), (others, 5000)] {
                let right = Set([0, 20, 40, 60].map { "{\"value\":\(base + $0)" })
                let told = Set(watcher.payloads.filter { $0.contains("value") }.map { String($0.prefix { $0 != "," }) })
                #expect(told == right)
            }
        }

        @Test func theCommandLineFindsReadsAndWrites() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let line = try ForeignDevice("tcp", scenario)
            func roost(_ words: [String]) throws -> (code: Int32, output: String, errors: String) {
                let child = try scenario.spawn(Programs.roost, ["modbus"] + words, name: "roost-\(words[0])")
                let code = try scenario.finish(child)
                return (code, child.output, child.errors)
            }

            let scan = try roost(["scan", line.url, "--units", "1-8", "--addresses", "0-249", "--points", "2"])
            #expect(scan.code == 0)
            #expect(scan.output.contains("name = \"unit-2\""))
            #expect(!scan.output.contains("unit-3"))
            #expect(scan.output.contains("# holding: 0-199"))
            #expect(scan.output.contains("# Pymodbus"))
            let read = try roost([
                "read", line.url, "--reference", "40101", "--type", "float32", "--order", "CDAB", "--json",
            ])
            #expect(read.output.contains("\"value\":21.5"))
            #expect(
                try roost(["write", line.url, "--table", "holding", "--address", "3", "7"]).output.contains("is 7"))
            #expect(try line.mbpoll(["-t", "4", "-r", "3", "-c", "1"]).contains("7"))
            let refused = try roost(["read", line.url, "--table", "holding", "--address", "5000"])
            #expect(refused.code == 1)
            #expect(refused.errors.contains("exception 2, illegal data address"))
            #expect(try roost(["read", line.url, "--address", "1"]).code == 2)
            #expect(try roost(["read", "tcp://127.0.0.1:1", "--table", "coil", "--address", "1"]).code == 3)

            // What a scan prints is a module's table.
            let node = try Roostd(scenario, scan.output)
            let check = try scenario.spawn(Programs.roostd, ["-c", node.configuration, "--check"], name: "check")
            #expect(try scenario.finish(check) == 0)
        }

        private static let points = """
            [[module.connection.device.point]]
            name = "float"
            reference = "40101"
            type = "float32"
            order = "CDAB"
            [[module.connection.device.point]]
            name = "scaled"
            table = "holding"
            address = 2
            scale = 0.1
            [[module.connection.device.point]]
            name = "input"
            reference = "30008"
            [[module.connection.device.point]]
            name = "plain"
            table = "holding"
            address = 15
            [[module.connection.device.point]]
            name = "coil"
            table = "coil"
            address = 6
            [[module.connection.device.point]]
            name = "discrete"
            table = "discrete"
            address = 6
            [[module.connection.device.point]]
            name = "setpoint"
            table = "holding"
            address = 1
            scale = 0.1
            writable = true
            """

        private static func module(
            _ url: String, _ points: String, _ others: String? = nil, timeout: String = "500ms",
            interval: String = "200ms"
        ) -> String {
            let first = "[[module.connection.device.point]]\nname = \"first\"\ntable = \"holding\"\naddress = 0"
            let writable =
                others != nil
                ? ""
                : """
                [[module.connection.device.point]]
                name = "lamp"
                table = "coil"
                address = 4
                writable = true
                [[module.connection.device.point]]
                name = "bit"
                table = "holding"
                address = 30
                type = "bit(3)"
                writable = true
                """
            return """
                [[module]]
                name = "line-b"
                program = "modbus"
                retain = true
                [[module.connection]]
                name = "plc"
                url = "\(url)"
                timeout = "\(timeout)"
                reconnect = { min = "20ms", max = "100ms" }
                [[module.connection.device]]
                name = "press-7"
                unit = 1
                interval = "\(interval)"
                backoff = { min = "50ms", max = "200ms" }
                \(points)
                \(writable)
                [[module.connection.device]]
                name = "other"
                unit = 2
                interval = "\(interval)"
                backoff = { min = "50ms", max = "200ms" }
                \(others ?? first)
                """
        }
    }
}
