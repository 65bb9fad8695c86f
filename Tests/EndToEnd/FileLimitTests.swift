import Client
import EventLoop
import Glibc
import MQTT
import Testing

extension EndToEndTests {
    /// A limit on the size of files (`ulimit -f`, systemd's LimitFSIZE=) is a full disk, not the end.
    @Suite struct FileLimitTests {
        @Test func aFileThatMayNotGrowIsAFullDisk() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let roostd = try Roostd(scenario, "[store]\nbudget = \"64MiB\"")
            roostd.fileLimit = 4096
            try roostd.start()
            try scenario.leaveKeeper(of: roostd)

            // Given more than 2 MiB that have to be kept.
            let prober = Prober(scenario, "prober", version: .v5, count: 6000, to: roostd.endpoint)
            try scenario.wait("a full disk; \(roostd.account)") { roostd.log.contains("the store fails") }
            let refused = Prober(scenario, "refused", version: .v5, count: 100, to: roostd.endpoint)
            try scenario.wait("refusals") { refused.isDone }
            #expect(refused.refusals[.quotaExceeded, default: 0] > 0)
            #expect(roostd.isRunning && roostd.runs == 1)
            prober.stop()
            refused.stop()

            // Then what was acknowledged is there, once files may grow again.
            roostd.kill()
            roostd.fileLimit = nil
            try roostd.start()
            let collector = Watcher(scenario, name: "keeper", filter: "load/#", to: roostd.endpoint)
            let promised = Set(prober.accepted + refused.accepted)
            #expect(promised.count > 100)
            try scenario.wait("\(promised.count) acknowledged messages; \(collector.payloads.count) came") {
                promised.isSubset(of: collector.payloads)
            }
        }
    }
}
