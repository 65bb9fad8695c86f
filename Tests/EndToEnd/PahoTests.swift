import Testing

extension EndToEndTests {
    /// paho-mqtt, the Python client, at both versions.
    @Suite(.enabled(if: Programs.python != nil, "needs a Python with paho-mqtt 2 (make test prepares .build/venv)"))
    struct PahoTests {
        static let script = Programs.package + "/Tests/EndToEnd/Scripts/paho_client.py"

        @Test(arguments: ["3.1.1", "5"])
        func publishesSubscribesAndKeepsItsSession(version: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario)
            try roostd.start()
            func paho(_ step: String) throws {
                try scenario.run(
                    Programs.python ?? "python3", [Self.script, "\(roostd.port)", version, step], name: "paho-\(step)")
            }

            try paho("exchange")
            try paho("leave")
            roostd.kill()
            try roostd.start()
            try paho("return")

            #expect(try roostd.stop() == 0)
        }
    }
}
