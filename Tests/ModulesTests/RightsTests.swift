import Configuration
import Glibc
import Testing

@testable import Broker
@testable import Modules

/// Who a module is, and what it may do.
@Suite(.enabled(if: Rig.python != nil, "needs python3"))
struct RightsTests {
    @Test func aModuleHasItsOwnTopicsAndNoOthers() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        rig.start(
            try Rig.module(
                "line",
                """
                publishes = ["line/a", "plant/a", "$SYS/a"]
                subscribes = ["line/#", "plant/#", "#"]
                """))
        try rig.wait(line: "published to $SYS/a: 0x87")
        rig.publish("plant/b", "x")
        rig.publish("line/b", "x")
        try rig.wait(line: "received line/b")

        #expect(rig.lines.contains("info: module line: published to line/a: 0x0"))
        #expect(rig.lines.contains("info: module line: published to plant/a: 0x87"))
        #expect(rig.lines.contains("info: module line: subscribed to plant/#: 0x87"))
        #expect(!rig.lines.contains { $0.contains("received plant/") })
    }

    @Test func itsTableSaysOtherwise() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        rig.start(
            try Rig.module(
                "line",
                """
                publish = ["plant/+/out"]
                subscribe = ["plant/{name}/in"]
                publishes = ["plant/1/out", "line/a"]
                subscribes = ["plant/line/in", "line/a"]
                """))
        try rig.wait(line: "published to line/a: 0x87")

        #expect(rig.lines.contains("info: module line: published to plant/1/out: 0x10"))
        #expect(rig.lines.contains("info: module line: subscribed to plant/line/in: 0x0"))
        #expect(rig.lines.contains("info: module line: subscribed to line/a: 0x87"))
    }

    @Test func aPasswordIsOfOneProcess() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        rig.start(try Rig.module("line", "over = \"socket\""))
        try rig.waitForState(.running, of: "line")
        #expect(rig.broker.sessions[Array("line".utf8)]?.userName == Array("module:line".utf8))
        var status = stat()
        #expect(stat("\(rig.directory)/modules.sock", &status) == 0 && status.st_mode & 0o777 == 0o600)
        let old = String(decoding: try #require(rig.host.password(of: "line")), as: UTF8.self)

        rig.host.apply([try Rig.module("line", "over = \"socket\"\npassword = \"\(old)\"")])

        try rig.wait(line: "module line: refused with 0x86")
        try rig.wait(line: "exit code 9; its last line: refused with 0x86")
    }

    @Test func aLibrarysIdentifierStandsBehindTheName() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        rig.start(
            try Rig.module("a", "identifier = \"mqttjs_1\""), try Rig.module("b", "identifier = \"\""),
            try Rig.module("c", "identifier = \"c-2\""))
        for name in ["a", "b", "c"] { try rig.waitForState(.running, of: name) }

        let identifiers = rig.broker.sessions.keys.map { String(decoding: $0, as: UTF8.self) }.sorted()
        #expect(identifiers.first == "a-mqttjs_1" && identifiers.last == "c-2")
        #expect(identifiers.dropFirst().first?.hasPrefix("b-auto-") == true)
    }

    /// Neither a module another client's, nor a client a module's.
    @Test func sessionsAreNotTakenOver() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        try rig.watch("#")
        rig.start(try Rig.module("watcher"))

        try rig.wait(line: "module watcher: refused with 0x85")
        #expect(
            rig.lines.contains { $0.hasSuffix("the session watcher is another client's; choose another identifier") })
        #expect(rig.broker.sessions[Array("watcher".utf8)]?.userName == [])

        rig.host.apply([try Rig.module("line")])
        try rig.waitForState(.running, of: "line")
        let module = try #require(rig.broker.sessions[Array("line".utf8)])
        let newcomer = ClientIdentity(clientIdentifier: Array("line".utf8), userName: Array("module:line".utf8))
        #expect(!rig.broker.access.mayTakeOver(module.identity, by: newcomer))
        #expect(rig.broker.access.mayTakeOver(module.identity, by: module.identity))
        rig.host.apply([])
        try rig.wait("its end") { rig.host.reports.isEmpty }
        #expect(rig.broker.access.mayTakeOver(module.identity, by: newcomer))
    }

    @Test func aSessionOfAnEarlierRunHasTheRightsOfNow() throws {
        var rig: Rig? = try Rig()
        let directory = try #require(rig?.directory)
        rig?.start(
            try Rig.module("line", "expiry = 3600\nsubscribes = [\"line/#\"]\nsubscribe = [\"line/#\", \"other/#\"]"))
        try rig?.wait(line: "subscribed to line/#: 0x0")
        rig = nil

        let next = try Rig(in: directory, known: [try Rig.module("line", "subscribe = [\"line/a\"]")])
        defer { next.removeDirectory() }
        let session = try #require(next.broker.sessions[Array("line".utf8)])

        #expect(session.userName == Array("module:line".utf8))
        #expect(Array("line/a".utf8).withUnsafeBytes { session.mayReceive($0) })
        #expect(!Array("line/b".utf8).withUnsafeBytes { session.mayReceive($0) })
        #expect(next.broker.accessChanged() == 0)
        #expect(!Array("line/b".utf8).withUnsafeBytes { session.mayReceive($0) })
    }

    @Test(arguments: [
        ("program = \"sh\"", ["m/#"]),
        ("program = \"modbus\"", ["modbus/+/+/+/#"]),
        ("program = \"modbus\"\ntopic = \"plant/{node}/{device}-x/v\"", ["plant/+/+/v/#"]),
        ("program = \"modbus\"\ntopic = \"a+b\"", ["m/#"]),
        (
            "program = \"bluetooth\"\n[[module.device]]\ntwin = true",
            [
                "bluetooth/+/+/#", "$hw/events/device/+/twin/#", "$hw/events/device/+/state/#",
                "$hw/events/device/+/+/twin/#", "$hw/events/device/+/+/state/#",
            ]
        ),
    ])
    func ownTopics(toml: String, filters: [String]) throws {
        #expect(OwnTopics.filters(of: try Rig.settings("name = \"m\"\n\(toml)")) == filters)
    }
}
