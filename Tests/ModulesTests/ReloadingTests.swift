import Broker
import Configuration
import Glibc
import Testing

@testable import Modules

/// Other settings, while modules run.
@Suite(.enabled(if: Rig.python != nil, "needs python3"))
struct ReloadingTests {
    @Test func onlyWhatHasChangedIsStartedAgain() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        rig.start(try Rig.module("same"), try Rig.module("changed"), try Rig.module("gone"), try Rig.module("rights"))
        for name in ["same", "changed", "gone", "rights"] { try rig.waitForState(.running, of: name) }
        let before = rig.host.reports
        let gone = try #require(before[2].pid)

        rig.host.apply([
            try Rig.module("new"), try Rig.module("changed", "x = 1"), try Rig.module("same"),
            try Rig.module("rights", "publish = [\"other\"]", longest: "300ms"),
        ])
        try rig.wait("all to run") {
            rig.host.reports.map(\.name) == ["new", "changed", "same", "rights"]
                && rig.host.reports.allSatisfy { $0.state == .running && $0.pid != before[1].pid }
        }

        let after = rig.host.reports
        #expect(after[1].restarts == 1)
        #expect(after[2] == before[0])
        #expect(after[3] == before[3])
        #expect(!isAlive(gone))
        let session = try #require(rig.broker.sessions[Array("rights".utf8)])
        _ = rig.broker.accessChanged()
        #expect(Array("other".utf8).withUnsafeBytes { session.mayPublish(to: $0) })
        #expect(!Array("rights/a".utf8).withUnsafeBytes { session.mayPublish(to: $0) })
    }

    @Test func restartsWhenItIsTold() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        rig.start(try Rig.module("line"))
        try rig.waitForState(.running, of: "line")
        let first = try rig.report("line").pid

        #expect(rig.host.restart("line"))
        #expect(!rig.host.restart("other"))
        try rig.wait("the next process") { try rig.report("line").state == .running && rig.report("line").pid != first }

        #expect(try rig.report("line").restarts == 1)
        #expect(try rig.report("line").error == nil)
    }

    /// A module that leaves and comes back before its process has ended is one that has changed.
    @Test func aChangeOfMind() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        rig.start(try Rig.module("line"))
        try rig.waitForState(.running, of: "line")
        let first = try rig.report("line").pid

        rig.host.apply([])
        rig.host.apply([try Rig.module("line", "x = 1")])
        rig.host.apply([try Rig.module("line", "x = 2")])
        try rig.wait("the next process") { try rig.report("line").state == .running && rig.report("line").pid != first }

        #expect(rig.host.reports.count == 1)
        #expect(try rig.report("line").restarts == 1)
    }
}
