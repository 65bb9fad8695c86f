import ArgumentParser
import Glibc

/// The command line for people: `roost WORD ...`. One file a command; each says what it does with an example.
struct Roost: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "roost",
        abstract: "Talk to Roost, and to any MQTT broker.",
        discussion: """
            EXAMPLES
              roost status                       what the node is doing
              roost sub -t 'plant/#' -v          watch messages
              roost pub -t plant/press-7 -m 21.5 send one
              roost help queue                   more about one command

            EXIT CODES
              0 done   1 refused or not found   2 usage   3 cannot connect
            """,
        version: "roost 0.1.0",
        groupedSubcommands: [
            CommandGroup(name: "First", subcommands: [DemoCommand.self, ProveCommand.self]),
            CommandGroup(
                name: "Messages",
                subcommands: [PublishCommand.self, SubscribeCommand.self, RequestResponseCommand.self]),
            CommandGroup(
                name: "The daemon",
                subcommands: [
                    StatusCommand.self, ClientsCommand.self, QueueCommand.self, UplinkCommand.self, TwinCommand.self,
                    ModulesCommand.self, PasswordCommand.self, ReloadCommand.self, LogCommand.self,
                ]),
            CommandGroup(name: "Data", subcommands: [StoreCommand.self, IngestCommand.self, CoverageCommand.self]),
            CommandGroup(name: "Machines", subcommands: [ModbusCommand.self, BluetoothCommand.self]),
        ])
}

extension Roost {
    /// Refuses what is no command, which the parser, asked for help, would answer with 0.
    static func know(_ word: String?) throws {
        guard let word, !word.hasPrefix("-"), word != "help", !word.isEmpty else { return }
        for group in configuration.groupedSubcommands {
            for command in group.subcommands where command.configuration.commandName == word { return }
        }
        throw Failure.usage("there is no command \(word). See them all: roost --help")
    }
}

@main
enum Main {
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        // A file at its size limit (ulimit -f) is said as such.
        signal(SIGXFSZ, SIG_IGN)
        do {
            let arguments = GlobalOptions.moved(Array(CommandLine.arguments.dropFirst()))
            try Roost.know(arguments.first)
            var command = try Roost.parseAsRoot(arguments)
            try command.run()
        } catch let failure as Failure {
            if !failure.message.isEmpty { Terminal.complain("roost: \(failure.message)") }
            exit(failure.code.rawValue)
        } catch {
            // ArgumentParser says 64 (EX_USAGE); ours is 2.
            guard Roost.exitCode(for: error) == .validationFailure else { Roost.exit(withError: error) }
            Terminal.complain(GlobalOptions.named(Roost.fullMessage(for: error)))
            exit(Failure.Code.usage.rawValue)
        }
    }
}
