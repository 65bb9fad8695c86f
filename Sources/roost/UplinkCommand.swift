import ArgumentParser

/// `roost uplink [pause | resume | flush | test] [NAME]`.
struct UplinkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uplink",
        abstract: "The links to the cloud, and why one is down.",
        discussion: """
            EXAMPLES
              roost uplink
              roost uplink pause cloud     send nothing until `resume`; messages are stored
              roost uplink flush           send what waits for its batch to fill, now
              roost uplink test cloud      try its addresses, login and rights, step by step
            """,
        subcommands: [List.self, Pause.self, Resume.self, Flush.self, Test.self], defaultSubcommand: List.self)

    static func colour(of state: String) -> Terminal.Colour? {
        switch state {
        case "connected": .green
        case "connecting", "waiting": .yellow
        case "paused": .dim
        default: .red
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "All links (what `roost uplink` does).",
            discussion: "EXAMPLE\n  roost uplink list --json | jq '.[].state'")

        @OptionGroup var admin: AdminOptions

        func run() throws {
            let body = try admin.get("/uplink")
            if admin.json { return Document.print(body) }
            let uplinks = try Document.decode([UplinkDocument].self, body)
            guard !uplinks.isEmpty else { return Terminal.say("No uplinks. ([[uplink]] in roost.toml)") }
            var table = Table([
                ("uplink", .left), ("state", .left), ("round trip", .right), ("sent", .right), ("size", .right),
                ("acknowledged", .right), ("reconnects", .right), ("url", .left), ("error", .left),
            ])
            for uplink in uplinks {
                table.add([
                    .init(uplink.name), .init(uplink.state, UplinkCommand.colour(of: uplink.state)),
                    .init(uplink.roundTripMs.map { "\(Quantities.tenths($0)) ms" } ?? "-"),
                    .init(Quantities.count(uplink.sentMessages)), .init(Quantities.bytes(uplink.sentBytes)),
                    .init(Quantities.count(uplink.acknowledgedMessages)), .init(Quantities.count(uplink.reconnects)),
                    .init(uplink.url ?? ""), .init(uplink.error ?? "", .red),
                ])
            }
            Terminal.say(table.text)
        }
    }

    struct Pause: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pause", abstract: "Send nothing until `resume`; messages are stored.",
            discussion: "EXAMPLE\n  roost uplink pause cloud")
        @OptionGroup var target: Target
        func run() throws { try target.tell("pause", "is paused") }
    }

    struct Resume: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "resume", abstract: "End a pause.", discussion: "EXAMPLE\n  roost uplink resume cloud")
        @OptionGroup var target: Target
        func run() throws { try target.tell("resume", "is no longer paused") }
    }

    struct Flush: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "flush", abstract: "Send what waits for its batch to fill, now.",
            discussion: "EXAMPLE\n  roost uplink flush cloud")
        @OptionGroup var target: Target
        func run() throws { try target.tell("flush", "sends what it has") }
    }

    /// The uplink that a command is about.
    struct Target: ParsableArguments {
        @Argument(help: "The uplink's name; may be left out if there is one only.")
        var name: String?

        @OptionGroup var admin: AdminOptions

        func tell(_ word: String, _ done: String) throws {
            let name = try chosenName()
            let body = try admin.post("/uplink/\(name.percentEncoded)/\(word)")
            if admin.json { Document.print(body) } else { Terminal.say("\(name) \(done).") }
        }

        func chosenName() throws -> String { try name ?? onlyName() }

        private func onlyName() throws -> String {
            let names = try Document.decode([UplinkDocument].self, try admin.get("/uplink")).map(\.name)
            guard let first = names.first else { throw Failure.refused("no uplinks. ([[uplink]] in roost.toml)") }
            guard names.count == 1 else { throw Failure.usage("which one? \(names.joined(separator: ", "))") }
            return first
        }
    }
}
