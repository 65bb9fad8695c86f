import Testing

extension EndToEndTests {
    /// Device twins with programs that know nothing of Roost, over kills and over a link that is cut.
    @Suite struct TwinTests {
        @Test(
            .enabled(if: Programs.python != nil, "needs a Python with paho-mqtt 2 (make test prepares .build/venv)"),
            arguments: ["press-7", "default/press-7"])
        func aMapperForKubeEdgeIsServed(device: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario, name: "edge")
            try roostd.start()

            let output = try scenario.run(
                Programs.python ?? "python3",
                [Programs.package + "/Tests/EndToEnd/Scripts/kubeedge_mapper.py", "\(roostd.port)", "edge", device],
                name: "mapper")

            #expect(output == "the mapper is served\n")
            #expect(try roostd.stop() == 0)
        }

        @Test func anAcknowledgedUpdateIsThereAfterAKill() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario, name: "edge")
            try roostd.start()

            for round in 1...5 {
                try scenario.run(
                    Programs.roost,
                    [
                        "pub", "-h", "127.0.0.1", "-p", "\(roostd.port)", "-q", "\(round % 2 + 1)", "-t",
                        "$hw/events/device/a/twin/update", "-m",
                        "{\"event_id\":\"\(round)\",\"twin\":{\"round\":{\"actual\":{\"value\":\"\(round)\"}}}}",
                    ], name: "pub")
                roostd.kill()
                try roostd.start()
                let twin = try twin(scenario, roostd, ["get", "a"])
                try scenario.require(twin.contains("\"actual\":{\"value\":\"\(round)\""), twin)
            }
        }

        /// Both sides change while the link is cut, the same property too, and both are killed meanwhile.
        @Test func edgeAndCloudConvergeOverACutLink() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let cloud = try Roostd(scenario, name: "cloud", "[ingest]\nenabled = true")
            let edge = try Roostd(
                scenario, name: "edge",
                """
                [[uplink]]
                name = "cloud"
                urls = ["mqtt://127.0.0.1:\(cloud.port)"]
                twin = true
                reconnect = { min = "50ms", max = "500ms" }
                """)
            try cloud.start()
            try edge.start()
            func set(_ daemon: Roostd, _ words: String...) throws {
                _ = try twin(
                    scenario, daemon, ["set", "press-7"] + words + (daemon === cloud ? ["--node", "edge"] : []))
            }
            func values(_ daemon: Roostd) throws -> String {
                let node = daemon === cloud ? ["--node", "edge"] : []
                guard let text = try? twin(scenario, daemon, ["get", "press-7"] + node) else { return "" }
                return ["speed", "mode", "limit"].map { name in
                    let property = text.pieces(behind: "\"\(name)\":{").first ?? ""
                    return ["expected", "actual"].map { side in
                        property.upTo("\"metadata\":{\"type\"").pieces(behind: "\"\(side)\":{\"value\":\"").first?.upTo(
                            "\"")
                            ?? "-"
                    }.joined(separator: "/")
                }.joined(separator: " ")
            }
            func waitFor(_ wanted: String, _ daemons: Roostd...) throws {
                for daemon in daemons {
                    try scenario.wait("\(wanted) at \(daemon.name)") { try values(daemon) == wanted }
                }
            }

            try set(edge, "speed=20", "--actual")
            try waitFor("-/20 -/- -/-", edge, cloud)
            try set(cloud, "speed=25")
            try waitFor("25/20 -/- -/-", edge, cloud)

            #expect(try cloud.stop() == 0)
            try set(edge, "speed=30", "mode=auto")
            try set(edge, "speed=31", "--actual")
            edge.kill()
            try edge.start()
            try set(edge, "limit=5")
            #expect(try edge.stop() == 0)
            try cloud.start()
            try set(cloud, "speed=40")
            cloud.kill()
            try cloud.start()
            try edge.start()

            // Of the property that both changed the edge's stands.
            try waitFor("30/31 auto/- 5/-", edge, cloud)
            try set(cloud, "speed=50")
            try set(edge, "--delete", "limit")
            try waitFor("50/31 auto/- -/-", edge, cloud)
            _ = try twin(scenario, edge, ["remove", "press-7"])
            try scenario.wait("the device to be gone at the cloud") {
                try twin(scenario, cloud, ["list", "--node", "edge"]) == "[]\n"
            }
        }

        private func twin(_ scenario: Scenario, _ daemon: Roostd, _ words: [String]) throws -> String {
            try scenario.run(
                Programs.roost, ["twin"] + words + ["--json", "--socket", "\(daemon.data)/admin.sock"], name: "twin")
        }
    }
}
