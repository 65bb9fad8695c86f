import Broker
import Configuration
import EventLoop
import Glibc
import Testing

@testable import Modules

/// What modules find wrong with their tables before they are started.
@Suite(.enabled(if: Rig.python != nil, "needs python3"))
struct CheckTests {
    private static let surroundings = ModuleSurroundings(node: "node-1", data: "/nowhere")

    private func check(_ modules: [ModuleSettings]) -> [String] {
        ModuleChecks.run(modules, Self.surroundings).map { "\($0.path): \($0.text)" }
    }

    @Test func findingsAreInTheOrderOfTheModules() throws {
        let found = check([
            try Rig.module(
                "a", "code = 1\nfinds = [\"connection.0.device.2.unit: 300 is not a unit (0-247)\", \"no devices\"]"),
            try Rig.module("b", "code = 0\nfinds = [\"x: of no weight\"]"),
            try Rig.module("c", "code = 1"),
            try Rig.module("d", "code = 2\nfinds = [\"usage: something else\"]"),
            try Rig.module("e", "code = 1\nfinds = [\"topic: is empty\"]"),
            try Rig.settings("name = \"f\"\nprogram = \"no-such-program\""),
            try Rig.settings("name = \"g\"\nprogram = \"/etc/passwd\""),
            try Rig.settings("name = \"h\"\nprogram = \"/etc\""),
            try Rig.settings("name = \"i\"\nprogram = \"sh\"\nuser = \"no-such-user\""),
            try Rig.settings("name = \"j\"\nprogram = \"sh\"\nargs = [\"-c\", \"kill -9 $$\"]"),
        ])

        #expect(
            found.map { $0.hasPrefix("module.5") ? String($0.prefix(80)) : $0 } == [
                "module.0.connection.0.device.2.unit: 300 is not a unit (0-247)", "module.0: no devices",
                "module.4.topic: is empty",
                String(
                    "module.5.program: \"no-such-program\" is not found: there is no no-such-program in PATH".prefix(80)
                ),
                "module.6.program: \"/etc/passwd\" is not executable (chmod +x /etc/passwd)",
                "module.7.program: \"/etc\" is not a program's file",
                "module.8.user: there is no user no-such-user here",
            ])
    }

    @Test func whoHangsIsNotWaitedForLong() throws {
        let loop = try EventLoop()
        let checks = ModuleChecks(on: loop, Self.surroundings)
        checks.patience = .milliseconds(300)
        var found: [ModuleChecks.Finding]?
        checks.start([(0, try Rig.module("a", "does = \"hang\"\nfinds = [\"x: y\"]"))]) { found = $0 }
        #expect(found == nil)

        let deadline = ContinuousClock.now + .seconds(60)
        while found == nil, ContinuousClock.now < deadline { loop.tick(wait: .milliseconds(10)) }

        #expect(found?.isEmpty == true)
        loop.tearDown()
    }

    @Test func tablesAsJSON() throws {
        let module = try Rig.settings(
            """
            name = "m"
            program = "p"
            a = "x\\"y"
            b = 1.5
            c = [1, [true], { d = 1979-05-27 }]
            [module.e.f]
            g = -3
            """)

        #expect(
            String(decoding: jsonDocument(module.own), as: UTF8.self)
                == #"{"a":"x\"y","b":1.5,"c":[1,[true],{"d":"1979-05-27"}],"e":{"f":{"g":-3}}}"#)
    }

    @Test(arguments: [
        ("plain", Severity.info, "plain"), ("<3>broken", .error, "broken"), ("<4> hot", .warning, "hot"),
        ("<5>x", .notice, "x"), ("<6>x", .info, "x"), ("<7>x", .debug, "x"), ("<0>x", .error, "x"),
        ("<8>x", .info, "<8>x"),
        ("<3", .info, "<3"),
    ])
    func levels(line: String, level: Severity, text: String) {
        let read = ModuleLog.read(Array(line.utf8))
        #expect(read.0 == level)
        #expect(read.1 == text)
    }

    @Test func builtInProgramsLieBesideRoostd() throws {
        let rig = try Rig()
        defer { rig.removeDirectory() }
        let bin = "\(rig.directory)/bin"
        #expect(mkdir(bin, 0o755) == 0)
        try write("#!/bin/sh\n", to: "\(bin)/roost-modbus")

        #expect(try ModuleProgram.find("modbus", beside: bin, path: "/bin") == "\(bin)/roost-modbus")
        #expect(throws: ModuleProgram.Missing.self) { try ModuleProgram.find("bluetooth", beside: bin, path: "/bin") }
        #expect(try ModuleProgram.find("sh", beside: bin, path: "/none:/bin") == "/bin/sh")
        #expect(
            system(
                "mkdir -p '\(rig.directory)/libexec/roost' && mv '\(bin)/roost-modbus' '\(rig.directory)/libexec/roost'"
            ) == 0)
        #expect(try ModuleProgram.find("modbus", beside: bin, path: "/bin") == "\(bin)/../libexec/roost/roost-modbus")
    }
}
