import Glibc
import Testing

extension EndToEndTests {
    /// `roost prove` as people run it: it believes a roostd that keeps its word, and none that doesn't.
    @Suite struct ProveTests {
        /// What it said, and its exit code.
        private struct Outcome {
            var json: String
            var code: Int32
            var isKept: Bool { json.contains("\"ok\":true") && code == 0 }
            var isRefuted: Bool { json.contains("\"ok\":false") && code == 1 }

            func number(_ key: String) -> Int {
                guard let range = json.firstRange(of: "\"\(key)\":") else { return -1 }
                return Int(json[range.upperBound...].prefix { $0.isNumber }) ?? -1
            }
        }

        private static func prove(
            _ scenario: Scenario, _ arguments: [String] = [], environment: [String] = [], roostd: String? = nil
        ) throws -> Outcome {
            let place = try scenario.directory.make("place")
            let words = environment + ["ROOSTD=\(roostd ?? Programs.roostd)", Programs.roost, "prove", "--json"]
            let child = try scenario.spawn(
                "/usr/bin/env", words + ["--minutes", "0.1", "--dir", place] + arguments, name: "prove")
            let code = try scenario.finish(child, for: .seconds(300))
            scenario.note(child.output)
            #expect(rmdir(place) == 0, "something was left behind in \(place)")
            return Outcome(json: child.output, code: code)
        }

        /// A store that lies is found out at an unlucky instant: on a slow machine a short proof may pass it by, so it gets
        /// three.
        private static func refute(
            _ scenario: Scenario, _ arguments: [String] = [], environment: [String] = [], roostd: String? = nil
        ) throws -> Outcome {
            for _ in 1...2 {
                let outcome = try prove(scenario, arguments, environment: environment, roostd: roostd)
                if outcome.isRefuted || outcome.json.contains("\"synced\":null") { return outcome }
            }
            return try prove(scenario, arguments, environment: environment, roostd: roostd)
        }

        @Test func itBelievesWhoKeepsHisWord() throws {
            let scenario = try Scenario()
            defer { scenario.end() }

            let outcome = try Self.prove(scenario)

            try scenario.require(outcome.isKept, outcome.json)
            #expect(outcome.number("kills") > 3)
            #expect(outcome.number("cuts") > 1)
            #expect(outcome.number("acknowledged") > 1000)
            #expect(outcome.number("arrived") >= outcome.number("acknowledged"))
            #expect(outcome.number("missing") == 0)
            #expect(outcome.number("wire_bytes") > 0)
            #expect(outcome.number("plain_wire_bytes") > 0)
        }

        /// Acknowledged from memory.
        @Test func itSeesARelaxedStore() throws {
            let scenario = try Scenario()
            defer { scenario.end() }

            let outcome = try Self.refute(scenario, ["--set", "store.durability=relaxed"])

            try scenario.require(outcome.isRefuted, outcome.json)
            #expect(outcome.number("missing") > 0)
            #expect(outcome.json.contains("of the node at"))
        }

        /// A store that forgets what it had not moved to its database: once as a script that becomes roostd, once as one
        /// that waits for it.
        @Test(arguments: ["exec ", ""])
        func itSeesAStoreThatForgets(how: String) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let script = try scenario.directory.write(
                "forgetful",
                """
                #!/bin/sh
                data=$(sed -n 's/^data = "\\(.*\\)"/\\1/p' "$2")
                rm -f "$data"/roost.db-wal "$data"/roost.db-shm
                \(how)\(Programs.roostd) "$@"
                """)
            chmod(script, 0o700)

            let outcome = try Self.refute(scenario, roostd: script)

            try scenario.require(outcome.isRefuted, outcome.json)
        }

        /// A store that never waits for the disk loses nothing by being killed, and everything by a power cut.
        @Test(.enabled(if: Programs.compiler != nil, "needs a C compiler"))
        func itSeesSyncsThatDoNothing() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let source = try scenario.directory.write(
                "nosync.c", "int fsync(int file) { return 0; }\nint fdatasync(int file) { return 0; }\n")
            let library = scenario.directory.path(of: "nosync.so")
            try scenario.run(Programs.compiler ?? "cc", ["-shared", "-fPIC", "-o", library, source])

            let outcome = try Self.refute(scenario, environment: ["LD_PRELOAD=\(library)"])

            try scenario.require(outcome.json.contains("\"synced\":"), outcome.json)
            // Kernels before 6.5 can't tell.
            guard !outcome.json.contains("\"synced\":null") else { return }
            try scenario.require(outcome.isRefuted, outcome.json)
        }

        @Test(arguments: [SIGINT, SIGTERM])
        func itLeavesNothingBehindWhenInterrupted(signal: Int32) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let place = try scenario.directory.make("place")
            let child = try scenario.spawn(
                "/usr/bin/env",
                ["ROOSTD=\(Programs.roostd)", Programs.roost, "prove", "--minutes", "5", "--dir", place], name: "prove")
            try scenario.wait("the load to begin") { child.output.contains("the link near") }

            child.send(signal)

            #expect(try scenario.finish(child) == 1)
            #expect(child.output.contains("interrupted"))
            #expect(rmdir(place) == 0, "something was left behind in \(place)")
        }
    }
}
