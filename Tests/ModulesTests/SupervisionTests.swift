import Configuration
import EventLoop
import Glibc
import JSON
import Testing

@testable import Modules

/// The life of a module's process.
@Suite(.enabled(if: Rig.python != nil, "needs python3"))
struct SupervisionTests {
    @Test func startsWithItsTableItsEnvironmentAndNothingElse() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        try rig.watch("line/report")
        rig.start(
            try Rig.module(
                "line",
                """
                does = "report"
                number = 7
                [[module.connection]]
                url = "x"
                device = [{ unit = 1 }]
                [module.environment]
                FOO = "bar"
                """))

        try rig.wait("its report") { rig.received["line/report"] != nil }

        let report = try #require(JSON(Array(rig.received["line/report"]?.first?.utf8 ?? "".utf8)))
        #expect(report["table"]?["number"] == .number(7))
        #expect(
            report["table"]?["connection"]
                == .array([.object(["url": .string("x"), "device": .array([.object(["unit": .number(1)])])])]))
        #expect(report["table"]?["name"] == nil && report["table"]?["environment"] == nil)
        let environment = try #require(report["environment"])
        #expect(environment["ROOST_MODULE"] == .string("line"))
        #expect(environment["ROOST_NODE"] == .string("node-1"))
        #expect(environment["ROOST_MQTT_FD"] == .string("3"))
        #expect(environment["ROOST_MQTT_URL"] == .string("unix:\(rig.directory)/modules.sock"))
        #expect(environment["ROOST_MQTT_USERNAME"] == .string("module:line"))
        #expect(environment["FOO"] == .string("bar"))
        #expect(environment["SWIFT_BACKTRACE"] == nil)
        let status = try #require(report["status"])
        #expect(status["NoNewPrivs"] == .string("1"))
        #expect(status["SigBlk"] == .string("0000000000000000"))
        #expect(report["process"] == report["group"] && report["process"] == report["session"])
        // The fourth is the directory that it was reading.
        #expect(report["descriptors"] == .array([.number(0), .number(1), .number(2), .number(3), .number(4)]))
        #expect(try rig.report("line").state == .running)
    }

    @Test func aKilledProcessIsStartedAgain() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        rig.start(try Rig.module("line"))
        try rig.waitForState(.running, of: "line")
        let first = try #require(try rig.report("line").pid)

        kill(first, SIGKILL)
        try rig.wait("the next process") {
            try rig.report("line").restarts == 1 && rig.report("line").state == .running
        }

        #expect(try rig.report("line").pid != first)
        #expect(try rig.report("line").error == "ended by SIGKILL")
        #expect(rig.lines.contains { $0.hasPrefix("warning: module line: ended: ended by SIGKILL; next start in ") })
        try rig.wait("the error to be forgotten") { try rig.report("line").error == nil }
    }

    @Test func whatEndsAtOnceIsStartedMoreAndMoreSeldom() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        let begun = ContinuousClock.now
        rig.start(
            try Rig.settings(
                """
                name = "line"
                program = "sh"
                args = ["-c", "echo '<3>no such device'; exit 3"]
                restart = { min = "50ms", max = "400ms" }
                """))

        try rig.wait("its fifth start") { try rig.report("line").restarts >= 4 }

        // 50, 100, 200 and 400 ms, each shortened by half at most.
        #expect(ContinuousClock.now - begun >= .milliseconds(375))
        #expect(rig.lines.contains("error: module line: no such device"))
        try rig.waitForState(.waiting, of: "line")
        #expect(try rig.report("line").error == "exit code 3; its last line: no such device")
    }

    @Test func whatIgnoresSigtermIsKilledWithAllThatItStarted() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        rig.start(try Rig.module("line", "does = \"ignore\""))
        try rig.waitForState(.running, of: "line")
        let process = try #require(try rig.report("line").pid)
        let others = try children(of: process)
        #expect(others.count == 1)

        var isDone = false
        rig.host.stop(within: .milliseconds(100)) { isDone = true }
        try rig.wait("the end") { isDone }

        #expect(rig.lines.contains("warning: module line: did not end within 100 ms of SIGTERM, and is killed"))
        #expect(try rig.report("line").state == .stopped)
        try rig.wait("the end of what it has started") { !([process] + others).contains(where: isAlive) }
    }

    @Test func whatItSendsAsItEndsIsTaken() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        try rig.watch("line/farewell")
        rig.start(try Rig.module("line"))
        try rig.waitForState(.running, of: "line")

        var isDone = false
        rig.host.stop(within: .seconds(60)) { isDone = true }
        try rig.wait("the end") { isDone && rig.received["line/farewell"] != nil }

        #expect(try rig.report("line") == ModuleReport(name: "line", program: Rig.python ?? "", state: .stopped))
        #expect(access("\(rig.directory)/modules.sock", F_OK) != 0)
    }

    @Test(arguments: ["close", "hide"])
    func whatIsNotConnectedIsStartedAgain(does: String) throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        rig.host.patience = ModulePatience(connect: .seconds(2), away: .milliseconds(100), end: .milliseconds(50))
        rig.start(try Rig.module("line", "does = \"\(does)\""))

        try rig.wait("its second start") { try rig.report("line").restarts > 0 }

        let reason =
            does == "close" ? "its connection was gone for 100 ms" : "it was not connected within 2 s of its start"
        #expect(try rig.report("line").error == reason)
        #expect(rig.lines.contains("warning: module line: is ended: \(reason)"))
    }

    @Test func whoTellsTooMuchIsHeardInPart() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        try rig.watch("line/flooded")
        rig.start(try Rig.module("line", "does = \"flood\""))

        let begun = ContinuousClock.now
        try rig.wait("the flood to be over") { rig.received["line/flooded"] != nil }
        let seconds = Int((ContinuousClock.now - begun).components.seconds) + 2

        let told = rig.lines.filter { $0.contains("module line: line ") }
        #expect(told.count >= ModuleLog.most && told.count <= ModuleLog.most * seconds)
        #expect(rig.lines.filter { $0.contains("more than 100 lines a second") }.count == 1)
        try rig.wait(line: " lines were left out")
    }

    @Test func whatCannotBeStartedHasFailedAndIsTriedAgain() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        let program = "\(rig.directory)/program"
        rig.start(
            try Rig.settings("name = \"line\"\nprogram = \"\(program)\"\nrestart = { min = \"50ms\", max = \"100ms\" }")
        )

        #expect(try rig.report("line").state == .failed)
        #expect(try rig.report("line").error == "\"\(program)\" cannot be run: No such file or directory")
        try write("#!/bin/sh\nexec sleep 1000\n", to: program)
        try rig.waitForState(.starting, of: "line")
        #expect(try rig.report("line").pid != nil)
    }

    @Test func aScriptWithoutAnInterpreterHasFailed() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        let program = "\(rig.directory)/program"
        try write("#!/no/such/interpreter\n", to: program)
        rig.start(try Rig.settings("name = \"line\"\nprogram = \"\(program)\""))

        #expect(try rig.report("line").state == .failed)
        #expect(try rig.report("line").error == "\(program) cannot be run: No such file or directory")
    }

    @Test func memoryAndFilesAreLimited() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        try rig.watch("files/report")
        rig.start(
            try Rig.module("memory", "does = \"allocate\"\nmemory = \"512MiB\""),
            try Rig.module("files", "does = \"report\"\nopen_files = 64"))

        try rig.wait(line: "module memory: got no memory")
        try rig.wait("its report") { rig.received["files/report"] != nil }
        let report = JSON(Array(rig.received["files/report"]?.first?.utf8 ?? "".utf8))
        guard case .array(let limits)? = report?["limits"] else { throw Rig.Failure(description: "no limits") }
        #expect(limits.first == .number(64))
    }

    @Test(.enabled(if: geteuid() == 0, "needs root"), arguments: ["fd", "socket"])
    func runsAsItsUser(over: String) throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        let nobody = try #require(try ModuleUser.find("nobody"))
        chmod(rig.directory, 0o700)
        try rig.watch("line/report")
        // The script must be where the user can read it.
        var source = try contents(of: Rig.script)
        let script = "/tmp/roost-child-\(getpid())-\(over).py"
        source += "\n"
        try write(source, to: script)
        defer { unlink(script) }
        rig.start(
            try Rig.settings(
                """
                name = "line"
                program = "\(Rig.python ?? "")"
                args = ["\(script)"]
                user = "nobody"
                does = "report"
                over = "\(over)"
                """))

        try rig.wait("its report") { rig.received["line/report"] != nil }

        let report = JSON(Array(rig.received["line/report"]?.first?.utf8 ?? "".utf8))
        let user = nobody.user
        #expect(report?["status"]?["Uid"] == .string("\(user)\t\(user)\t\(user)\t\(user)"))
        #expect(report?["environment"]?["HOME"] == .string(nobody.home))
        #expect(report?["status"]?["NoNewPrivs"] == .string("1"))
    }

    /// docs/modules.md ends with a module that needs no library.
    @Test func theDocumentedModuleWithoutALibrary() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        let page = try contents(of: "\(Rig.package)/docs/modules.md")
        let code = try #require(page.split(separator: "```python\n").last?.split(separator: "```").first)
        let script = "\(rig.directory)/module.py"
        try write(String(code), to: script)
        try rig.watch("line/hello")
        rig.start(
            try Rig.settings("name = \"line\"\nprogram = \"\(Rig.python ?? "")\"\nargs = [\"\(script)\"]"))

        try rig.wait("its word") { rig.received["line/hello"] == ["world"] }
        try rig.waitForState(.running, of: "line")
    }

    private func children(of process: Int32) throws -> [Int32] {
        try contents(of: "/proc/\(process)/task/\(process)/children").split(separator: " ").compactMap { Int32($0) }
    }
}

func write(_ text: String, to path: String, mode: mode_t = 0o755) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
    let bytes = Array(text.utf8)
    try #require(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
    close(descriptor)
}

func contents(of path: String) throws -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = read(descriptor, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
}
