import ArgumentParser

/// `roost reload`.
struct ReloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Have roostd read its configuration again; a bad file changes nothing.",
        discussion: "EXAMPLE\n  roostd --check && roost reload",
        // Until roostd can.
        shouldDisplay: false)

    @OptionGroup var admin: AdminOptions

    func run() throws {
        let body = try admin.post("/reload")
        if admin.json { Document.print(body) } else { Terminal.say("Reloaded.") }
    }
}

/// `roost log LEVEL`.
struct LogCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Change how much roostd logs, until it restarts.",
        discussion: "EXAMPLE\n  roost log debug")

    enum Level: String, ExpressibleByArgument, CaseIterable {
        case trace, debug, info, notice, warning, error
    }

    @Argument(help: "trace, debug, info, notice, warning or error.")
    var level: Level

    @OptionGroup var admin: AdminOptions

    func run() throws {
        let body = try admin.post("/log/\(level.rawValue)")
        if admin.json { Document.print(body) } else { Terminal.say("roostd logs from \(level.rawValue) up.") }
    }
}
