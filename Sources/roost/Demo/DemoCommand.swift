import ArgumentParser
import Glibc

/// `roost demo`: what Roost is for, in half a minute.
struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Watch an edge node lose its link, and its life, and no message.",
        discussion: """
            Starts a node and a cloud on this machine, with twenty sensors and a link
            between them. Cuts the link, kills the node, brings both back, and counts at
            the cloud what became of every message. Then it stays up to play with. Nothing
            of it is left behind.

            With --once the exit code is 0 if every acknowledged message arrived, once and
            in order; else 1.

            EXAMPLES
              roost demo
              roost demo --once
              roost demo --once --json | jq .missing
            """)

    @Flag(help: "End after the story instead of staying up.")
    var once = false

    @Flag(help: "Print the outcome as one JSON document, and nothing else; implies --once.")
    var json = false

    @Option(help: ArgumentHelp("How long the sensors publish.", valueName: "seconds"))
    var seconds = 36.0

    @Option(
        help: ArgumentHelp(
            "Where the nodes' data lives meanwhile. Default: /var/tmp, if it is on a disk.", valueName: "path"))
    var dir: String?

    func validate() throws {
        guard seconds >= 10, seconds <= 86_400 else { throw ValidationError("--seconds \(seconds): 10 to 86400") }
    }

    func run() throws {
        let demo = try Demo(.init(once: once || json, json: json, seconds: seconds, directory: dir))
        guard try demo.run() else { throw Failure(code: .refused, message: "") }
    }
}
