import ArgumentParser

/// `roost reload`.
struct ReloadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload",
        abstract: "Have roostd read its configuration again; a bad file changes nothing.",
        discussion: """
            Users, access lists, tokens' keys, users' limits and certificates are read
            again. Who may no longer stay is disconnected, and who lost a right no
            longer gets what it was for. Modules that are new or changed are started
            again, those that are gone are stopped. roostd's log says which other
            settings have changed: they wait for a restart. SIGHUP does the same.

            EXAMPLE
              roostd --check && roost reload
            """)

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
