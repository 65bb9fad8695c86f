import ArgumentParser

/// `roost modules [restart NAME]`: the bridge modules.
struct ModulesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "modules",
        abstract: "Bridge modules: state, restarts, last error.",
        discussion: """
            A module is starting until it is connected, and running then. One that has
            ended is waiting for its next start; one that failed can't be started. The
            error says why, and goes when the module has run well for a while.

            EXAMPLES
              roost modules
              roost modules restart line-b
            """,
        subcommands: [List.self, Restart.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "All modules (what `roost modules` does).",
            discussion: "EXAMPLE\n  roost modules list --json | jq '.[] | select(.state != \"running\")'")

        @OptionGroup var admin: AdminOptions

        func run() throws {
            let body = try admin.get("/modules")
            if admin.json { return Document.print(body) }
            let modules = try Document.decode([ModuleDocument].self, body)
            guard !modules.isEmpty else { return Terminal.say("No modules. ([[module]] in roost.toml)") }
            var table = Table([
                ("module", .left), ("program", .left), ("state", .left), ("pid", .right), ("restarts", .right),
                ("error", .left),
            ])
            for module in modules {
                table.add([
                    .init(module.name), .init(module.program),
                    .init(module.state, Self.colour(of: module.state)),
                    .init(module.pid.map { "\($0)" } ?? "-"), .init(Quantities.count(module.restarts)),
                    .init(module.error ?? "", .red),
                ])
            }
            Terminal.say(table.text)
        }

        private static func colour(of state: String) -> Terminal.Colour {
            switch state {
            case "running": .green
            case "failed": .red
            case "stopped": .dim
            default: .yellow
            }
        }
    }

    struct Restart: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "restart", abstract: "End a module's process, and start it again.",
            discussion: "EXAMPLE\n  roost modules restart line-b")

        @Argument(help: "The module's name.")
        var name: String

        @OptionGroup var admin: AdminOptions

        func run() throws {
            let body = try admin.post("/modules/\(name.percentEncoded)/restart")
            if admin.json { Document.print(body) } else { Terminal.say("\(name) is restarted.") }
        }
    }
}
