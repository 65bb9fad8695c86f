import ArgumentParser
import Glibc

/// `roost prove`: the proof on the user's own machine and disk.
struct ProveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prove",
        abstract: "Kill it, cut its link and fill its disk, here; then count what was lost.",
        discussion: """
            Runs a node and a cloud on this machine, with the node's data on this disk.
            Publishes to the node at QoS 0, 1 and 2, kills both with SIGKILL at random
            instants, cuts the link between them, fills a disk, and counts at the cloud,
            and at a subscriber's session on the node, what became of every message. Says
            what it wrote to the flash and sent over the link. Leaves nothing behind.

            The exit code is 0 only if nothing that was acknowledged is missing, nothing
            arrived twice, and all came in order.

            EXAMPLES
              roost prove
              roost prove --minutes 0.5
              roost prove --dir /media/sdcard --minutes 60
              roost prove --kills 1000 --messages 10000000
              roost prove --set store.durability=relaxed   when the promise doesn't hold
              roost prove --json | jq .ok
            """)

    @Option(help: ArgumentHelp("How long, without the wait for the last messages.", valueName: "n"))
    var minutes = 10.0

    @Option(
        help: ArgumentHelp(
            "Where the data lives meanwhile. Default: beside the configured data directory, else /var/lib/roost, else here.",
            valueName: "path"))
    var dir: String?

    @Flag(help: "Print the outcome as one JSON document, and nothing else.")
    var json = false

    @Option(help: ArgumentHelp("Messages a second where the wear and the link are measured.", valueName: "n"))
    var rate = 100.0

    @Option(help: ArgumentHelp("Go on until that many were killed.", valueName: "n"))
    var kills = 0

    @Option(help: ArgumentHelp("Go on until that many messages were acknowledged.", valueName: "n"))
    var messages = 0

    @Option(help: ArgumentHelp("Override a setting of the node's. May be repeated.", valueName: "key=value"))
    var set: [String] = []

    @Flag(help: "Keep data and logs if something is wrong.")
    var keep = false

    func validate() throws {
        guard minutes >= 0.1, minutes <= 10_080 else { throw ValidationError("--minutes \(minutes): 0.1 to 10080") }
        guard rate >= 1, rate <= 10_000 else { throw ValidationError("--rate \(rate): 1 to 10000") }
        guard kills >= 0, messages >= 0 else { throw ValidationError("--kills and --messages: 0 or more") }
        for setting in set where !setting.contains("=") { throw ValidationError("--set \(setting): KEY=VALUE") }
    }

    func run() throws {
        let choices = Prove.Choices(
            minutes: minutes, directory: dir, json: json, keep: keep, settings: set, rate: rate, kills: kills,
            messages: messages)
        guard try Prove(choices).run() else { throw Failure(code: .refused, message: "") }
    }
}
