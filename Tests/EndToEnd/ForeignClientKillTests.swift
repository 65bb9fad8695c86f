import Glibc
import Testing

extension EndToEndTests {
    /// The acknowledgement contract as clients see it that others wrote: one paho publishes, another keeps a session, and
    /// roostd is killed meanwhile. (mosquitto_sub won't do: libmosquitto 2.0 keeps a QoS 2 message twice that is sent again
    /// under its identifier, and delivers the copy in place of the next message with that identifier.)
    @Suite(.enabled(if: Programs.python != nil, "needs a Python with paho-mqtt 2 (make test prepares .build/venv)"))
    struct ForeignClientKillTests {
        @Test(arguments: ["3.1.1", "5"])
        func nothingAcknowledgedIsLost(version: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let isFull = environment("ROOST_FULL") != nil
            let (count, kills) = isFull ? (50_000, 40) : (5_000, 4)
            let roostd = try Roostd(scenario)
            try roostd.start()
            func paho(_ role: String) throws -> Child {
                let script = "\(Programs.package)/Tests/EndToEnd/Scripts/paho_load.py"
                return try scenario.spawn(
                    Programs.python ?? "python3", [script, "\(roostd.port)", version, role, role, "\(count)"],
                    name: role)
            }
            let subscriber = try paho("subscribe")
            try scenario.wait("SUBACK") { subscriber.output.contains("subscribed") }
            let publisher = try paho("publish")
            // paho forgets that PUBREC had come, and publishes anew, when it has to connect twice in a row. So roostd is back
            // before it tries again, and doesn't die before it got on.
            let killer = Killer(roostd, in: scenario, times: kills, pause: 0)
            var (killed, gotOn) = (0, 0)

            try scenario.wait("\(count) acknowledged messages over \(kills) kills", for: .seconds(300)) {
                let acknowledged = publisher.lines.count
                if killer.kills > killed { (killed, gotOn) = (killer.kills, acknowledged + 100) }
                try killer.step(acknowledged >= min(gotOn, count) ? Double(acknowledged) / Double(count) : 0)
                return killer.isDone && !publisher.isRunning
            }

            try scenario.require(publisher.exitCode == 0, publisher.account)
            let acknowledged = publisher.lines.compactMap { line in
                line.hasPrefix("acknowledged ") ? Int(line.dropFirst(13)) : nil
            }
            #expect(acknowledged.count == count)
            try scenario.wait("\(count) messages at the subscriber") {
                Set(Self.messages(subscriber)).count >= count
            }
            let messages = Self.messages(subscriber)
            scenario.note("\(messages.count) arrived, \(killer.kills) kills")
            let second = messages.filter { $0.hasPrefix("load/2 ") }
            #expect(second.count == count / 2, "\(second.count) came at QoS 2, of \(count / 2)")
            for qos in [1, 2] {
                let numbers = Self.firstArrivals(messages, qos: qos)
                #expect(numbers == numbers.sorted(), "out of order at QoS \(qos)")
            }
        }

        /// Topics and numbers; the rest of its output is what it does.
        private static func messages(_ subscriber: Child) -> [String] {
            subscriber.lines.filter { $0.hasPrefix("load/") }.map(String.init)
        }

        private static func firstArrivals(_ messages: [String], qos: Int) -> [Int] {
            var seen: Set<String> = []
            return messages.filter { $0.hasPrefix("load/\(qos) ") && seen.insert($0).inserted }
                .compactMap { Int($0.dropFirst(7)) }
        }
    }
}
