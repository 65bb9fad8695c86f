import ArgumentParser
import Glibc

/// `roost bluetooth`: what Bluetooth devices are near. The work is done by roost-bluetooth, so that D-Bus, which only it needs, is
/// linked into nothing else.
struct BluetoothCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bluetooth",
        abstract: "Look at Bluetooth devices before configuring them.",
        discussion: "EXAMPLE\n  roost bluetooth scan --seconds 20",
        subcommands: [Scan.self])

    struct Scan: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "scan",
            abstract: "What can be heard, and the [[module]] table for it.",
            discussion: """
                On a terminal the table is live until Ctrl-C; then the [[module]] to paste into
                roost.toml is printed.

                EXAMPLES
                  roost bluetooth scan
                  roost bluetooth scan --seconds 20 --json | jq .name
                """)

        @Option(help: "Which adapter.") var adapter = "hci0"
        @Option(help: "How long; else until Ctrl-C, or 10 without a terminal.") var seconds: Int?
        @Option(help: "A file of bind keys, \"ADDRESS HEXKEY\" a line.") var keys: String?
        @Flag(help: "Devices that say nothing that can be decoded, too.") var all = false
        @Flag(help: "A JSON document for each advertisement.") var json = false

        func run() throws {
            var arguments = ["scan", "--adapter", adapter]
            if let seconds { arguments += ["--seconds", "\(seconds)"] }
            if let keys { arguments += ["--keys", keys] }
            if all { arguments.append("--all") }
            if json { arguments.append("--json") }
            throw BridgeProgramFile.become("roost-bluetooth", arguments)
        }
    }
}

/// The programs of the bridges: beside this one, in ../libexec/roost, or in PATH, as roostd finds them.
enum BridgeProgramFile {
    /// Runs it in this process's place; returns only if there is none.
    static func become(_ name: String, _ arguments: [String]) -> Failure {
        var pointers = ([name] + arguments).map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        pointers.append(nil)
        for path in places(of: name) { execv(path, pointers) }
        execvp(name, pointers)
        return .refused("there is no \(name) beside this program, in ../libexec/roost or in PATH")
    }

    static func places(of name: String) -> [String] {
        var buffer = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = own.lastIndex(of: "/") else { return [] }
        return ["\(own[..<slash])/\(name)", "\(own[..<slash])/../libexec/roost/\(name)"]
    }
}
