import Glibc
import Testing

extension EndToEndTests {
    /// What comes from outside and is wrong never hurts more than itself, and is answered with a message and an exit code.
    @Suite struct BadInputTests {
        @Test func garbageClosesItsOwnConnectionOnly() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario)
            try roostd.start()
            let subscriber = LoadSubscriber(scenario, to: roostd.endpoint)
            try scenario.wait("SUBACK") { subscriber.isSubscribed }

            for length in [1, 2, 5, 100, 5000, 200_000] {
                // Never a CONNECT's first byte: a fixed header of any other type is refused at once.
                var bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &scenario.random) }
                bytes[0] |= 0x80
                let peer = RawPeer(scenario, to: roostd.endpoint)
                try scenario.wait("a connection") { peer.isConnected }
                peer.send(bytes)
                try scenario.wait("garbage of \(length) bytes to be closed") { peer.isClosed }
            }
            let publisher = LoadPublisher(scenario, 0, count: 100, to: roostd.endpoint)
            try scenario.waitForAll(of: [publisher], at: subscriber)

            #expect(subscriber.connections == 1)
            #expect(try roostd.stop() == 0)
        }

        @Test func anUnknownKeyIsNamedWithItsLine() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario, "[store]\nsettel = \"20ms\"")

            let (code, errors) = try failingStart(roostd, scenario)

            #expect(code == 1)
            let line = text(of: roostd.configuration).split(separator: "\n").firstIndex { $0.hasPrefix("settel") }
            #expect(errors.contains("\(roostd.configuration):\(try #require(line) + 1)"), "\(errors)")
            #expect(errors.contains("settle"), "no suggestion in: \(errors)")
        }

        @Test func aRouteThatGetsNothingIsSaid() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(
                scenario,
                """
                [[uplink]]
                name = "cloud"
                urls = ["mqtt://127.0.0.1:1"]
                route = [{ filter = "plant/+/a" }, { name = "all", filter = "plant/#" }, { name = "late", filter = "plant/b/#" }]
                """)
            try roostd.start()

            #expect(roostd.log.contains("uplink cloud: route late gets nothing: all stands before it and takes all"))
            #expect(!roostd.log.contains("route all gets nothing"))
            #expect(try roostd.stop() == 0)
        }

        @Test func aDirectoryThatCannotBeWritten() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let file = try scenario.directory.write("file", "not a directory")
            let roostd = try Roostd(scenario, data: "\(file)/data")

            let (code, errors) = try failingStart(roostd, scenario)

            #expect(code == 2)
            #expect(errors.contains(file), "\(errors)")
        }

        @Test(.enabled(if: Programs.isRoot, "needs root to mount"))
        func aReadOnlyFileSystem() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let mount = try Mount(scenario, size: "1m")
            try mount.makeReadOnly()
            let roostd = try Roostd(scenario, data: mount.path + "/data")

            let (code, errors) = try failingStart(roostd, scenario)

            #expect(code == 2)
            #expect(errors.contains(mount.path), "\(errors)")
        }

        @Test func anAddressInUse() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let first = try Roostd(scenario, name: "first")
            try first.start()
            let second = try Roostd(scenario, name: "second", port: first.port)

            let (code, errors) = try failingStart(second, scenario)

            #expect(code == 2)
            #expect(errors.contains("\(first.port)"), "\(errors)")
        }

        @Test func aDirectoryInUse() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let first = try Roostd(scenario, name: "first")
            try first.start()
            let second = try Roostd(scenario, name: "second", data: first.data)

            let (code, errors) = try failingStart(second, scenario)

            #expect(code == 2)
            #expect(errors.contains(first.data), "\(errors)")
            first.kill()
            try second.start()
        }

        @Test func aFileThatIsNoDatabase() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let data = try scenario.directory.make("data")
            let content = String(repeating: "This is somebody's diary. ", count: 400)
            let file = try scenario.directory.write("data/roost.db", content)
            let roostd = try Roostd(scenario, data: data)

            let (code, errors) = try failingStart(roostd, scenario)

            #expect(code == 3)
            #expect(errors.contains("roost.db"), "\(errors)")
            #expect(text(of: file) == content)
        }

        @Test(.enabled(if: Programs.sqlite3 != nil, "needs sqlite3"))
        func aDatabaseOfANewerRoost() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario)
            try roostd.start()
            #expect(try roostd.stop() == 0)
            let file = roostd.data + "/roost.db"
            try scenario.run(Programs.sqlite3 ?? "sqlite3", [file, "PRAGMA user_version = 9999"])
            let before = contents(of: file)

            let (code, errors) = try failingStart(roostd, scenario)

            #expect(code == 3)
            #expect(errors.contains("9999"), "\(errors)")
            #expect(contents(of: file) == before)
        }

        @Test func sigtermWithClientsConnected() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario)
            try roostd.start()
            let subscriber = LoadSubscriber(scenario, to: roostd.endpoint)
            try scenario.wait("SUBACK") { subscriber.isSubscribed }

            #expect(try roostd.stop() == 0)
        }

        private func failingStart(_ roostd: Roostd, _ scenario: Scenario) throws -> (code: Int32, errors: String) {
            try roostd.launch()
            let child = try #require(roostd.child)
            return (try scenario.finish(child), child.errors)
        }
    }
}
