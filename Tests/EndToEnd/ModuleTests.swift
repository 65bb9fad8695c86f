import Glibc
import Testing

extension EndToEndTests {
    /// Bridge modules, with the example from conf/modules and paho as its MQTT library.
    @Suite(.enabled(if: Programs.python != nil, "needs a Python with paho-mqtt 2 (make test prepares .build/venv)"))
    struct ModuleTests {
        static let counter = Programs.package + "/conf/modules/counter.py"

        private func module(_ name: String, _ more: String = "every = 0.05") -> String {
            """
            [[module]]
            name = "\(name)"
            program = "\(Programs.python ?? "python3")"
            args = ["\(Self.counter)"]
            restart = { min = "50ms", max = "200ms" }
            \(more)

            """
        }

        @Test func aModuleIsKeptRunningAndGoesWithRoostd() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario, module("counter"))
            try roostd.start()
            let watcher = Watcher(scenario, filter: "counter/value", to: roostd.endpoint)
            try scenario.wait("its first values") { watcher.payloads.contains("{\"value\": 3}") }

            let first = try process(of: "counter", roostd, scenario)
            kill(first, SIGKILL)
            try scenario.wait("its next process") {
                try list(roostd, scenario).contains("\"restarts\":1") && list(roostd, scenario).contains("running")
            }
            #expect(try list(roostd, scenario).contains("\"error\":\"ended by SIGKILL\""))
            let second = try process(of: "counter", roostd, scenario)
            try roost(["modules", "restart", "counter"], roostd, scenario)
            try scenario.wait("the one after it") {
                let text = try list(roostd, scenario)
                return text.contains("\"restarts\":2") && text.contains("running")
            }
            #expect(second != first && !isAlive(second))
            let unknown = try scenario.spawn(
                Programs.roost, ["modules", "restart", "other", "--socket", socket(of: roostd)], name: "unknown")
            #expect(try scenario.finish(unknown) == 1)
            #expect(unknown.errors == "roost: no module other. There is: counter\n")

            // Killed, it has no time to say goodbye to anybody.
            let last = try process(of: "counter", roostd, scenario)
            roostd.kill()
            try scenario.wait("the end of the module") { !isAlive(last) }
        }

        @Test func theExampleIsFine() throws {
            let scenario = try Scenario()
            defer { scenario.end() }

            let text = try scenario.run(
                "/bin/sh",
                ["-c", "cd '\(Programs.package)' && exec '\(Programs.roostd)' -c conf/counter.toml --check"],
                name: "check")

            #expect(text == "conf/counter.toml: fine\n")
        }

        @Test func aTableIsCheckedByItsModuleBeforeAnythingStarts() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario, module("good") + module("bad", "every = -1"))
            let line = try #require(
                text(of: roostd.configuration).split(separator: "\n", omittingEmptySubsequences: false)
                    .firstIndex(of: "every = -1"))
            let message = "roostd: \(roostd.configuration):\(line + 1): module.every: -1 is not a time in seconds\n"

            for arguments in [["--check"], []] {
                let child = try scenario.spawn(
                    Programs.roostd, ["-c", roostd.configuration] + arguments, name: "start\(arguments.count)")
                #expect(try scenario.finish(child) == 1)
                #expect(child.errors == message)
            }

            try roostd.configure(module("good"))
            try roostd.start()
            let process = try process(of: "good", roostd, scenario)
            try roostd.configure(module("good", "every = 0"))
            let reload = try scenario.spawn(
                Programs.roost, ["reload", "--socket", socket(of: roostd)], name: "reload")
            #expect(try scenario.finish(reload) == 1)
            #expect(reload.errors.contains("module.every: 0 is not a time in seconds"))
            #expect(try self.process(of: "good", roostd, scenario) == process)

            try roostd.configure(module("good") + module("new"))
            roostd.child?.send(SIGHUP)
            try scenario.wait("the new one") { try list(roostd, scenario).contains("\"name\":\"new\"") }
            _ = try self.process(of: "new", roostd, scenario)
            #expect(try self.process(of: "good", roostd, scenario) == process)
            #expect(try roostd.stop() == 0)
            #expect(!isAlive(process))
        }

        private func socket(of roostd: Roostd) -> String { "\(roostd.data)/admin.sock" }

        @discardableResult
        private func roost(_ words: [String], _ roostd: Roostd, _ scenario: Scenario) throws -> String {
            try scenario.run(Programs.roost, words + ["--socket", socket(of: roostd)], name: "roost")
        }

        private func list(_ roostd: Roostd, _ scenario: Scenario) throws -> String {
            try roost(["modules", "--json"], roostd, scenario)
        }

        /// Of a module, once it runs.
        private func process(of name: String, _ roostd: Roostd, _ scenario: Scenario) throws -> Int32 {
            var found: Int32?
            try scenario.wait("\(name) to run") {
                let text = try list(roostd, scenario)
                guard let start = text.range(of: "\"name\":\"\(name)\"") else { return false }
                let rest = text[start].prefix { $0 != "}" }
                guard rest.contains("\"state\":\"running\""), let pid = rest.range(of: "\"pid\":") else { return false }
                found = Int32(String(rest[pid].dropFirst("\"pid\":".count).prefix { $0.isNumber }))
                return found != nil
            }
            return try #require(found)
        }

        /// There, and no zombie.
        private func isAlive(_ process: Int32) -> Bool {
            let stat = text(of: "/proc/\(process)/stat")
            return stat.split(separator: ")").last.map { !$0.hasPrefix(" Z") } ?? false
        }
    }
}

extension StringProtocol {
    /// Where a text begins.
    fileprivate func range(of text: String) -> PartialRangeFrom<Index>? {
        var rest = self[...]
        while !rest.isEmpty {
            if rest.hasPrefix(text) { return rest.startIndex... }
            rest = rest.dropFirst()
        }
        return nil
    }
}
