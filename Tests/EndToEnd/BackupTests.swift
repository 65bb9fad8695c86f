import EventLoop
import Glibc
import MQTT
import Testing

extension EndToEndTests {
    /// The ways to copy a node's data that docs/running.md names.
    @Suite struct BackupTests {
        enum Moment: String, CaseIterable {
            /// roostd was stopped before the copy.
            case stopped
            /// What a snapshot of a file system holds: the files as they are at one moment, a write-ahead log among them.
            case midway
        }

        @Test(arguments: Moment.allCases)
        func aCopyIsWholeAndServes(moment: Moment) throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let original = try Roostd(scenario, name: "original")
            try original.start()
            try scenario.leaveKeeper(of: original)
            let prober = Prober(scenario, "kept", version: .v5, count: 300, to: original.endpoint)
            try scenario.wait("messages") { prober.isDone }
            #expect(prober.accepted.count == 300)
            if moment == .stopped { try original.stop() } else { original.kill() }
            let place = scenario.directory.path(of: "copy")
            try scenario.run("/bin/cp", ["-a", original.data, place], name: "cp")

            // Given the copy: checked before anything has it open, it is whole.
            let check = try scenario.run(Programs.roost, ["store", "check", "--data", place], name: "check")
            #expect(check.hasPrefix("ok  300 messages"), "\(check)")

            // When it takes the node's place, then all is there.
            let restored = try Roostd(scenario, name: "restored", data: place)
            try restored.start()
            let collector = Watcher(scenario, name: "keeper", filter: "load/#", to: restored.endpoint)
            try scenario.wait("all messages") { Set(prober.accepted).isSubset(of: collector.payloads) }
            #expect(!restored.log.contains("damaged"))
            try restored.stop()
            let again = try scenario.run(Programs.roost, ["store", "check", "--data", place], name: "again")
            #expect(again.hasPrefix("ok"), "\(again)")
        }
    }
}
