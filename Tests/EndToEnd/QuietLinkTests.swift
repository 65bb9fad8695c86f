import Glibc
import Testing

extension EndToEndTests {
    /// Promise 3: flash dies by commits, so a healthy link means no write at all.
    @Suite struct QuietLinkTests {
        /// `settle` is set to half a second, so that a slow machine's answers settle in time too: what is tested is that
        /// nothing is written while they do, and not how fast they are.
        @Test func aHealthyLinkWritesNothing() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let cloud = try Roostd(scenario, name: "cloud", "[ingest]\nenabled = true")
            let node = try Roostd(scenario, name: "node", NodeToCloudTests.uplink(toPort: cloud.port, settle: "500ms"))
            try cloud.start()
            try node.start()
            let watcher = Watcher(scenario, filter: "load/#", to: cloud.endpoint)
            try scenario.wait("SUBACK") { watcher.isSubscribed }
            // The first messages find a link that hasn't shown yet how fast it answers: they may be written.
            let pacer = Pacer(scenario, [.atMostOnce, .atLeastOnce], to: node.endpoint)
            pacer.allowed = 40
            try scenario.wait("the link to be known") { pacer.isIdle && watcher.received >= 40 }
            let written = try Self.writtenBytes(node)

            // Over several times `store.commit`, which is when QoS 0, that nobody waits for, would be written.
            let number = 400
            func step() {
                if pacer.isIdle && pacer.allowed < 40 + number { pacer.allowed += 4 }
                scenario.loop.schedule(after: .milliseconds(30), step)
            }
            step()
            try scenario.wait("\(number) messages at a modest pace") { watcher.received >= 40 + number }

            // A commit is at least a page of the WAL; 400 messages in steps of 4 would be a hundred of them.
            let growth = try Self.writtenBytes(node) - written
            try scenario.require(growth <= 3 * 4096, "\(growth) bytes were written for \(number) messages")
        }

        /// What the process has had written to disk, its log's share taken off.
        static func writtenBytes(_ roostd: Roostd) throws -> Int {
            let child = try #require(roostd.child)
            let line = text(ofProcess: "/proc/\(child.pid)/io").split(separator: "\n")
                .first { $0.hasPrefix("write_bytes: ") }
            let bytes = try #require(line.flatMap { Int($0.dropFirst("write_bytes: ".count)) })
            // The log dirties a page of its file each time it starts one.
            return bytes - (size(of: child.errorPath) - child.errorStart + 4095) / 4096 * 4096
        }

        /// Files in /proc have no size.
        private static func text(ofProcess path: String) -> String {
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return "" }
            defer { close(descriptor) }
            var bytes = [UInt8](repeating: 0, count: 4096)
            let count = read(descriptor, &bytes, bytes.count)
            return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        }
    }
}
