import Testing

extension EndToEndTests {
    /// A listener on a Unix socket, beside the one on a port.
    @Suite(.enabled(if: Programs.mosquittoPub != nil && Programs.mosquittoSub != nil, "needs mosquitto-clients"))
    struct UnixListenerTests {
        @Test func mosquittosClientsComeOverAUnixSocket() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let path = scenario.directory.path(of: "mqtt.sock")
            let roostd = try Roostd(scenario, "[[listener]]\nbind = \"unix:\(path)\"\ntransport = \"auto\"")
            try roostd.start()

            try scenario.run(
                Programs.mosquittoPub ?? "", ["--unix", path, "-t", "a", "-m", "kept", "-r", "-q", "2"], name: "pub")
            let text = try scenario.run(
                Programs.mosquittoSub ?? "", ["--unix", path, "-t", "a", "-C", "1", "-V", "mqttv5"], name: "sub")
            #expect(text == "kept\n")
            let other = try scenario.run(Programs.roost, ["sub", "--unix", path, "-t", "a", "-C", "1"], name: "roost")
            #expect(other == "kept\n")

            #expect(try roostd.stop() == 0)
        }
    }
}
