import Glibc
import Testing

extension EndToEndTests {
    /// Shared Subscriptions with clients that others wrote, and over kills.
    struct SharedSubscriptionTests {
        @Test(
            .enabled(
                if: Programs.mosquittoPub != nil && Programs.mosquittoSub != nil && Programs.python != nil,
                "needs mosquitto-clients and paho-mqtt"),
            arguments: [0, 1, 2])
        func mosquittoAndPahoShareTheWork(qos: Int) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario)
            try roostd.start()
            let filter = "$share/workers/load/#"
            var members = try ["mqttv311", "mqttv5"].map { version in
                try scenario.subscribe(
                    ["-V", version, "-t", filter, "-q", "2", "-F", "%t %p"], to: roostd.port, name: version)
            }
            let script = "\(Programs.package)/Tests/EndToEnd/Scripts/paho_load.py"
            let paho = try scenario.spawn(
                Programs.python ?? "python3",
                [script, "\(roostd.port)", "5", "subscribe", "paho", "0", filter], name: "paho")
            try scenario.wait("SUBACK") { paho.output.contains("subscribed") }
            members.append(paho)

            let publisher = Programs.mosquittoPub ?? "mosquitto_pub"
            try scenario.run(
                "sh", ["-c", "seq 0 59 | \(publisher) -h 127.0.0.1 -p \(roostd.port) -t load/1 -q \(qos) -l"],
                name: "pub")

            func taken(_ member: Child) -> [Int] {
                member.lines.filter { $0.hasPrefix("load/") }.compactMap { Int($0.dropFirst(7)) }
            }
            try scenario.wait("60 messages") { members.reduce(0) { $0 + taken($1).count } >= 60 }
            #expect(members.flatMap(taken).sorted() == Array(0..<60))
            for member in members { #expect(taken(member).count == 20) }
            #expect(try roostd.stop() == 0)
        }

        /// Two members that keep their sessions, whose connections are cut, and a roostd that is killed: each message comes to
        /// one of them, and at QoS 2 no message twice.
        @Test(arguments: [SIGKILL, SIGTERM])
        func aGroupLosesNothing(signal: Int32) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario)
            try roostd.start()
            let members = ["left", "right"].map {
                LoadSubscriber(scenario, name: $0, filter: "$share/workers/load/#", to: roostd.endpoint)
            }
            try scenario.wait("SUBACK") { members.allSatisfy(\.isSubscribed) }
            let publishers = (0..<4).map { LoadPublisher(scenario, $0, count: 2500, to: roostd.endpoint) }
            let killer = Killer(roostd, in: scenario, times: 10, signal: signal)
            let total = publishers.reduce(0) { $0 + $1.count }
            for member in members { scenario.drop(member, every: total / 25) }

            try scenario.wait("\(total) acknowledged messages over 10 kills", for: .seconds(300)) {
                try killer.step(Double(publishers.reduce(0) { $0 + $1.acknowledgedCount }) / Double(total))
                return killer.isDone && publishers.allSatisfy(\.isDone)
            }
            func missing() -> [MessageName] {
                publishers.flatMap { publisher in
                    (0..<publisher.count).map { MessageName(publisher: publisher.index, number: $0) }
                }.filter { name in members.allSatisfy { $0.deliveries[name] == nil } }
            }
            try scenario.wait("all messages at one of the members", for: .seconds(60)) {
                members.reduce(0) { $0 + $1.uniqueCount } >= total && missing().isEmpty
            }

            let twice = Set(members.flatMap(\.deliveries.keys)).filter { name in
                name.qos == .exactlyOnce && members.reduce(0) { $0 + ($1.deliveries[name]?.count ?? 0) } > 1
            }
            #expect(twice.isEmpty, "\(twice.count) came twice at QoS 2")
            for member in members {
                #expect(member.complaints.isEmpty)
                scenario.note(member.state)
                #expect(member.uniqueCount > total / 20)
            }
            #expect(killer.kills == 10)
            #expect(try roostd.stop() == 0)
        }
    }
}
