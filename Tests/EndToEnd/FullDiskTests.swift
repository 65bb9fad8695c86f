import Client
import EventLoop
import Glibc
import MQTT
import Testing

extension EndToEndTests {
    /// Promise 8: a full disk loses nothing that was acknowledged, is answered, and passes without a restart.
    @Suite(.enabled(if: Programs.isRoot, "needs root to mount a small file system"))
    struct FullDiskTests {
        @Test func aFullDiskIsRefusedAndRecoveredFrom() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let mount = try Mount(scenario, size: "24m")
            let roostd = try Roostd(scenario, "[store]\nbudget = \"16MiB\"", data: mount.path + "/data")
            try roostd.start()
            try scenario.leaveKeeper(of: roostd)
            // One that stays, at QoS 0, wants no more than to go on.
            let watcher = Watcher(scenario, filter: "watch/#", to: roostd.endpoint)
            try scenario.wait("SUBACK") { watcher.isSubscribed }
            let before = Prober(scenario, "before", version: .v5, count: 300, to: roostd.endpoint)
            try scenario.wait("messages before") { before.isDone }
            #expect(before.accepted.count == 300)

            // Given: somebody else fills the file system.
            try mount.fill()
            // The log has room of its own for some; what was taken before the disk was found full may yet be written, and from
            // then on all is refused.
            let caught = Prober(scenario, "caught", version: .v5, count: 2000, to: roostd.endpoint)
            try scenario.wait("the daemon to say so") { roostd.log.contains("the store fails") }
            let refused = Prober(scenario, "refused", version: .v5, count: 100, to: roostd.endpoint)
            try scenario.wait("refusals on the full disk") { refused.isDone }
            let silent = Prober(scenario, "silent", version: .v311, count: 1, to: roostd.endpoint)
            try scenario.wait("connections to be closed where nothing else can be said") {
                (silent.closes > 0 || silent.isDone) && (caught.closes > 0 || caught.isDone)
            }
            let turnedAway = refused.refusals[.quotaExceeded] ?? 0
            #expect(turnedAway > 0 && turnedAway + refused.accepted.count == 100)
            #expect(refused.refusals.count == 1)
            #expect(caught.isDone || caught.lastError == .serverDisconnected(.quotaExceeded, ""))
            caught.stop()
            refused.stop()
            silent.stop()

            // Then: subscribers go on.
            let chatter = Prober(
                scenario, "chatter", version: .v5, count: 100, qos: .atMostOnce, topic: "watch/a", to: roostd.endpoint)
            try scenario.wait("QoS 0 to reach its subscriber") { watcher.received >= 100 }
            chatter.stop()

            // When there is space again, service is back without a restart.
            mount.empty()
            let after = Prober(scenario, "after", version: .v5, count: 300, retries: true, to: roostd.endpoint)
            try scenario.wait("messages after") { after.accepted.count == 300 }
            #expect(roostd.runs == 1)
            #expect(roostd.isRunning)

            // And nothing that was acknowledged is lost, from a kill either.
            roostd.kill()
            try roostd.start()
            let collector = Watcher(scenario, name: "keeper", filter: "load/#", to: roostd.endpoint)
            let promised = Set(before.accepted + caught.accepted + refused.accepted + silent.accepted + after.accepted)
            try scenario.wait("\(promised.count) acknowledged messages; \(collector.payloads.count) came") {
                promised.isSubset(of: collector.payloads)
            }
        }
    }
}
