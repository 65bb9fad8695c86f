import ArgumentParser
import Testing

@testable import roost

/// What a person reads who asks for help, or mistypes.
@Suite struct HelpTests {
    /// All commands, with their words.
    static let commands: [(words: String, type: any ParsableCommand.Type)] = {
        func below(_ type: any ParsableCommand.Type, _ words: String) -> [(
            words: String, type: any ParsableCommand.Type
        )] {
            let configuration = type.configuration
            let own = configuration.subcommands + configuration.groupedSubcommands.flatMap(\.subcommands)
            return [(words, type)] + own.flatMap { below($0, "\(words) \($0.configuration.commandName ?? "")") }
        }
        return below(Roost.self, "roost")
    }()

    @Test func everyCommandHasAnExample() {
        for (words, type) in Self.commands {
            #expect(type.configuration.discussion.contains("EXAMPLE"), "\(words)")
            #expect(type.configuration.discussion.contains("roost "), "\(words)")
        }
    }

    /// Longer lines are broken by the parser, wherever they happen to be at the terminal's edge.
    @Test func helpFitsATerminal() {
        for (words, type) in Self.commands {
            let lines = type.configuration.discussion.split(separator: "\n", omittingEmptySubsequences: false)
            // What the source wraps with a backslash is one long line, which breaks well.
            for line in lines where line.hasPrefix("  ") { #expect(line.count <= 80, "\(words): \(line)") }
        }
    }

    @Test func whatIsNotThereYetIsNotPromised() {
        #expect(!IngestCommand.helpMessage(columns: 80).contains("mqtts"))
    }

    @Test func anUnknownCommandIsSaid() throws {
        try Roost.know("status")
        try Roost.know("help")
        try Roost.know("--version")
        try Roost.know(nil)
        let error = #expect(throws: Failure.self) { try Roost.know("topcis") }
        #expect(error?.code == .usage)
        #expect(error?.message == "there is no command topcis. See them all: roost --help")
    }

    @Test(arguments: ["http://h/t", "h", "ws://h/a b", "unix:sock"])
    func aBadURLIsAMistakeInUsage(url: String) {
        do {
            _ = try PublishCommand.parse(["--url", url, "-t", "a", "-m", "x"])
            Issue.record("\(url) was taken")
        } catch {
            #expect(PublishCommand.exitCode(for: error) == .validationFailure)
            let message = GlobalOptions.named(PublishCommand.fullMessage(for: error))
            #expect(message.hasPrefix("roost: \(url)"))
        }
    }

    @Test(arguments: [(0, "0 batches"), (1, "1 batch"), (2, "2 batches"), (1234, "1,234 batches")])
    func oneIsOne(number: Int, text: String) { #expect(Quantities.counted(number, "batch") == text) }
}
