import Glibc
import Testing

extension EndToEndTests {
    /// mosquitto_pub and mosquitto_sub against roostd.
    @Suite(.enabled(if: Programs.mosquittoPub != nil && Programs.mosquittoSub != nil, "needs mosquitto-clients"))
    struct SmokeTests {
        /// What mosquitto_sub prints of each message: topic, QoS, Retain, payload.
        static let format = ["-F", "MSG %t %q %r %p"]

        static func messages(_ child: Child) -> [String] {
            child.lines.filter { $0.hasPrefix("MSG ") }.map { String($0.dropFirst(4)) }
        }

        @Test(arguments: [0, 1, 2], ["mqttv311", "mqttv5"])
        func aMessageArrives(qos: Int, version: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario)
            try roostd.start()
            let subscriber = try scenario.subscribe(
                ["-V", version, "-t", "plant/+/temperature", "-q", "2", "-C", "3"] + Self.format, to: roostd.port)

            for payload in ["21.5", "", "ünïcode"] {
                let body = payload.isEmpty ? ["-n"] : ["-m", payload]
                try scenario.publish(
                    ["-V", version, "-t", "plant/7/temperature", "-q", "\(qos)"] + body, to: roostd.port)
            }

            #expect(try scenario.finish(subscriber) == 0)
            #expect(
                Self.messages(subscriber) == ["21.5", "", "ünïcode"].map { "plant/7/temperature \(qos) 0 \($0)" })
            #expect(try roostd.stop() == 0)
        }

        @Test func aRetainedMessageOutlivesKillAndStop() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario)
            try roostd.start()
            try scenario.publish(["-t", "state/a", "-m", "1", "-q", "1", "-r"], to: roostd.port)
            try scenario.publish(["-t", "state/b", "-m", "2", "-q", "2", "-r"], to: roostd.port)
            try scenario.publish(["-t", "state/c", "-m", "3", "-q", "1", "-r"], to: roostd.port)
            try scenario.publish(["-t", "state/c", "-n", "-q", "1", "-r"], to: roostd.port)

            roostd.kill()
            try roostd.start()
            let afterKill = try scenario.subscribe(
                ["-t", "state/#", "-q", "2", "-C", "2"] + Self.format, to: roostd.port, name: "after-kill")
            #expect(try scenario.finish(afterKill) == 0)
            #expect(Self.messages(afterKill).sorted() == ["state/a 1 1 1", "state/b 2 1 2"])

            #expect(try roostd.stop() == 0)
            try roostd.start()
            let afterStop = try scenario.subscribe(
                ["-t", "state/#", "-q", "2", "-C", "2"] + Self.format, to: roostd.port, name: "after-stop")
            #expect(try scenario.finish(afterStop) == 0)
            #expect(Self.messages(afterStop).sorted() == ["state/a 1 1 1", "state/b 2 1 2"])
        }

        @Test func aWillIsPublishedForAClientThatDies() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario)
            try roostd.start()
            let watcher = try scenario.subscribe(
                ["-t", "will/#", "-q", "2", "-C", "1"] + Self.format, to: roostd.port, name: "watcher")
            let mortal = try scenario.subscribe(
                ["-t", "nothing", "--will-topic", "will/mortal", "--will-payload", "gone", "--will-qos", "1"],
                to: roostd.port, name: "mortal")

            mortal.kill()

            #expect(try scenario.finish(watcher) == 0)
            #expect(Self.messages(watcher) == ["will/mortal 1 0 gone"])
        }

        @Test(arguments: [SIGKILL, SIGTERM], ["mqttv311", "mqttv5"])
        func aSessionKeepsItsQueueAcross(signal: Int32, version: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario)
            try roostd.start()
            let session =
                ["-V", version, "-i", "keeper", "-c", "-t", "jobs/#", "-q", "2"]
                + (version == "mqttv5" ? ["-x", "3600"] : []) + Self.format
            let first = try scenario.subscribe(session + ["-E"], to: roostd.port, name: "first")
            #expect(try scenario.finish(first) == 0)

            var expected: [String] = []
            for number in 0..<30 {
                let qos = number % 2 + 1
                try scenario.publish(
                    ["-V", version, "-t", "jobs/\(number)", "-m", "job \(number)", "-q", "\(qos)"], to: roostd.port)
                expected.append("jobs/\(number) \(qos) 0 job \(number)")
                if number == 15 {
                    if signal == SIGKILL { roostd.kill() } else { #expect(try roostd.stop() == 0) }
                    try roostd.start()
                }
            }
            if signal == SIGKILL { roostd.kill() } else { #expect(try roostd.stop() == 0) }
            try roostd.start()

            let second = try scenario.subscribe(session + ["-C", "30"], to: roostd.port, name: "second")
            #expect(try scenario.finish(second) == 0)
            // mosquitto_sub prints QoS 2 when the handshake ends, and order is promised for each QoS alone.
            for qos in [" 1 0 ", " 2 0 "] {
                #expect(Self.messages(second).filter { $0.contains(qos) } == expected.filter { $0.contains(qos) })
            }
        }
    }
}
