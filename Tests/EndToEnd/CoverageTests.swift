import Glibc
import Testing

extension EndToEndTests {
    /// `roost coverage` says of what will never come why: right across kills on either side, new runs and a restored snapshot.
    @Suite struct CoverageTests {
        private let scenario: Scenario
        private let cloud: Roostd
        private let node: Roostd
        private let large: String

        init() throws {
            scenario = try Scenario()
            cloud = try Roostd(scenario, name: "cloud", "[ingest]\nenabled = true")
            node = try Roostd(
                scenario, name: "node",
                """
                [[uplink]]
                name = "cloud"
                urls = ["mqtt://127.0.0.1:\(cloud.port)"]
                reconnect = { min = "50ms", max = "500ms" }
                [[uplink.route]]
                name = "few"
                filter = "few/#"
                budget = "1MiB"
                batch = { delay = "50ms" }
                [[uplink.route]]
                name = "short"
                filter = "short/#"
                ttl = "1s"
                batch = { delay = "50ms" }
                """)
            // Longer than LZ4 looks back, and noise: it takes its room on disk each time.
            var random = SplitMix64(state: scenario.seed)
            let letters = Array("abcdefghijklmnopqrstuvwxyz0123456789".unicodeScalars)
            var text = ""
            for _ in 0..<70_000 { text.unicodeScalars.append(letters[Int(random.next() % 36)]) }
            large = try scenario.directory.write("large", text)
        }

        private func publish(_ topic: String, _ what: [String], times: Int = 1) throws {
            try scenario.run(
                Programs.roost,
                ["pub", "-h", "127.0.0.1", "-p", "\(node.port)", "-q", "1", "-t", topic, "--repeat", "\(times)"] + what,
                name: "pub")
        }

        private func ask(_ daemon: Roostd, _ words: [String]) throws -> String {
            try scenario.run(
                Programs.roost, words + ["--json", "--socket", "\(daemon.data)/admin.sock"], name: words[0])
        }

        /// Each run of the node: route and gaps as text, in the order that is shown.
        private func runs() throws -> [(route: String, gaps: String, isWhole: Bool)] {
            guard let text = try? ask(cloud, ["coverage", "node"]) else { return [] }
            return text.pieces(behind: #""route":""#).map { run in
                (
                    run.upTo(#"""#), run.pieces(behind: #""gaps":["#).first?.upTo("]") ?? "",
                    run.contains(#""missing":[]"#)
                )
            }
        }

        private func gaps(of route: String) throws -> [String] {
            try runs().filter { $0.route == "cloud/\(route)" }.map(\.gaps).filter { !$0.isEmpty }
        }

        /// Nothing waits at the node, and nothing is missing at the cloud.
        private func isSettled(runs count: Int) throws -> Bool {
            let runs = try runs()
            let waiting = try ask(node, ["queue"]).pieces(behind: #""messages":"#).filter { !$0.hasPrefix("0") }
            return runs.count >= count && runs.allSatisfy(\.isWhole) && waiting.isEmpty
        }

        @Test func itNamesWhatWasEvictedAndWhatExpired() throws {
            defer { scenario.end() }
            try cloud.start()
            try node.start()
            try publish("few/a", ["-m", "first"])
            try publish("short/a", ["-m", "first"])
            try scenario.wait("the first of both routes") { try isSettled(runs: 2) }

            // Given: the link is down, one route outgrows its budget, the other its time.
            #expect(try cloud.stop() == 0)
            try publish("few/a", ["-f", large], times: 40)
            try publish("short/a", ["-m", "late"], times: 5)
            try scenario.wait("the five to expire") {
                let short = try ask(node, ["queue"]).pieces(behind: #""route":"short""#).first
                return short?.pieces(behind: #""messages":"#).first?.hasPrefix("0") ?? false
            }
            #expect(try node.stop() == 0)
            let snapshot = scenario.directory.path(of: "snapshot")
            try scenario.run("/bin/cp", ["-r", node.data, snapshot], name: "cp")
            try node.start()
            try cloud.start()

            try scenario.wait("both gaps") {
                let (few, short) = (try gaps(of: "few"), try gaps(of: "short"))
                return try isSettled(runs: 2) && !few.isEmpty && !short.isEmpty
            }
            let evicted = try gaps(of: "few")
            let expired = try gaps(of: "short")
            #expect(evicted.count == 1 && evicted[0].contains(#""reason":"evicted""#))
            #expect(evicted[0].contains(#""first":2,"#), "behind the first, that came: \(evicted)")
            #expect(expired.count == 1 && expired[0].contains(#""first":2,"last":6,"reason":"expired""#), "\(expired)")

            // A kill of the cloud, then a kill of the node, which begins a run: what is known stays.
            cloud.kill()
            try cloud.start()
            #expect(try gaps(of: "few") == evicted)
            node.kill()
            try node.start()
            try publish("few/a", ["-m", "of a later run"])
            try scenario.wait("another run") { try isSettled(runs: 3) }
            #expect(try gaps(of: "few") == evicted)
            #expect(try gaps(of: "short") == expired)

            // The snapshot sends again what it holds, and its gaps: known, all of it.
            #expect(try node.stop() == 0)
            try scenario.run("/bin/rm", ["-r", node.data], name: "rm")
            try scenario.run("/bin/cp", ["-r", snapshot, node.data], name: "cp")
            try node.start()
            try publish("few/a", ["-m", "behind the snapshot"])
            try scenario.wait("the snapshot's run") { try isSettled(runs: 4) }
            #expect(try gaps(of: "few") == evicted)
            #expect(try gaps(of: "short") == expired)
        }
    }
}

extension String {
    /// What stands behind each `mark`, up to the next.
    func pieces(behind mark: String) -> [String] {
        var pieces: [String] = []
        var rest = Substring(self)
        while let found = rest.range(of: mark) {
            rest = rest[found.upperBound...]
            pieces.append(String(rest[..<(rest.range(of: mark)?.lowerBound ?? rest.endIndex)]))
        }
        return pieces
    }

    func upTo(_ mark: String) -> String {
        String(self[..<(Substring(self).range(of: mark)?.lowerBound ?? endIndex)])
    }
}

extension Substring {
    fileprivate func range(of mark: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(mark) { return start..<index(start, offsetBy: mark.count) }
            formIndex(after: &start)
        }
        return nil
    }
}
