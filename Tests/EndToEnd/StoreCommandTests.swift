import EventLoop
import Glibc
import MQTT
import Testing

extension EndToEndTests {
    /// `roost store repair` and `compact` where there is no room for a second copy.
    @Suite(.enabled(if: Programs.isRoot, "needs root to mount a small file system"))
    struct StoreCommandTests {
        @Test func withoutRoomNothingIsChanged() throws {
            let scenario = try Scenario()
            defer { scenario.end() }
            let mount = try Mount(scenario, size: "24m")
            let roostd = try Roostd(scenario, "[store]\nbudget = \"16MiB\"", data: mount.path + "/data")
            try roostd.start()
            try scenario.leaveKeeper(of: roostd)
            let prober = Prober(scenario, "before", version: .v5, count: 2000, to: roostd.endpoint)
            try scenario.wait("messages") { prober.isDone }
            try roostd.stop()
            let file = roostd.data + "/roost.db"
            let whole = contents(of: file)
            #expect(whole.count > 1 << 20)

            // Given a full disk.
            try mount.fill()
            try refuse("compact", scenario, roostd)
            #expect(contents(of: file) == whole)
            try damage(file, at: whole.count / 2)
            let damaged = contents(of: file)
            try refuse("repair", scenario, roostd)
            #expect(contents(of: file) == damaged)
            #expect(access(roostd.data + "/salvage.tmp", F_OK) != 0)

            // When there is room, it is repaired.
            mount.empty()
            let repaired = try scenario.run(
                Programs.roost, ["store", "repair", "--data", roostd.data, "--json"], name: "repaired")
            #expect(repaired.contains("\"messages\":"))
            let check = try scenario.run(Programs.roost, ["store", "check", "--data", roostd.data], name: "check")
            #expect(check.hasPrefix("ok"))
        }

        private func refuse(_ command: String, _ scenario: Scenario, _ roostd: Roostd) throws {
            let child = try scenario.spawn(
                Programs.roost, ["store", command, "--data", roostd.data], name: command)
            #expect(try scenario.finish(child) == 1, "\(child.account)")
            #expect(child.errors.contains("no space left. The new database may take up to "), "\(child.account)")
            #expect(child.errors.contains("Nothing was changed"))
        }

        private func damage(_ file: String, at place: Int) throws {
            let descriptor = open(file, O_RDWR)
            defer { close(descriptor) }
            let page = place / 1024 * 1024
            try #require(pwrite(descriptor, [UInt8](repeating: 0xEE, count: 900), 900, off_t(page + 8)) == 900)
        }
    }
}
