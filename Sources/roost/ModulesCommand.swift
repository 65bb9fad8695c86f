import ArgumentParser

/// `roost modules`: the bridge modules.
struct ModulesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "modules",
        abstract: "Bridge modules: state, restarts, last error.",
        discussion: "EXAMPLE\n  roost modules --json | jq '.[] | select(.state != \"running\")'",
        // Until roostd starts any.
        shouldDisplay: false)

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
                .init(module.state, module.state == "running" ? .green : .yellow),
                .init(module.pid.map { "\($0)" } ?? "-"), .init(Quantities.count(module.restarts)),
                .init(module.error ?? "", .red),
            ])
        }
        Terminal.say(table.text)
    }
}
