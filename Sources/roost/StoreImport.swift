import ArgumentParser
import Client
import EventLoop

extension StoreCommand {
    /// `roost store import`: the way back in for what `export` wrote.
    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import", abstract: "Publish the messages of exported batches to a broker.",
            discussion: """
                Messages keep topic, payload, Retain and properties, among them the time at which the node received \
                them (t) and the nodes they passed (via). They go out in their order with QoS 1 at least, and each is \
                acknowledged. Those whose Message Expiry Interval has passed since then are left out. To the broker \
                they are new messages: importing twice publishes twice.

                Files are looked through first: if one is damaged, nothing is published, save with --partial. What is \
                cut off in between says how to go on (--skip).

                EXAMPLES
                  roost store import backlog.lz4
                  roost store import --url mqtt://cloud:1883 a.lz4 b.lz4
                  ssh pump-7 roost store export | roost store import -
                  roost store import backlog.lz4 --skip 12000
                """,
            helpNames: .long)

        @OptionGroup var connection: MQTTOptions

        @Argument(help: ArgumentHelp("What export wrote, in this order; - is standard input.", valueName: "file"))
        var files: [String]

        @Option(help: ArgumentHelp("Pass over so many messages at the beginning.", valueName: "messages"))
        var skip = 0

        @Flag(help: "Publish nothing as retained: newer values may be kept there.")
        var noRetain = false

        @Flag(help: "Of a damaged file, publish what comes before the damage.")
        var partial = false

        @Option(help: ArgumentHelp("The most that one batch may hold, in MiB.", valueName: "mebibytes"))
        var maxBatch = 64

        @Flag(help: "Print JSON instead of text.")
        var json = false

        private struct Report: Encodable {
            var ok: Bool
            var batches: Int
            var messages: Int
            var acknowledged: Int
            var refused: Int
            var expired: Int
            var skipped: Int
            /// For --skip.
            var next: Int
        }

        func validate() throws {
            guard !files.isEmpty else { throw ValidationError("which file? - is standard input") }
            guard files.count(where: { $0 == BatchFiles.standardInput }) <= 1 else {
                throw ValidationError("- twice: there is one standard input")
            }
            guard skip >= 0 else { throw ValidationError("--skip \(skip): a number of messages") }
            guard 1...1024 ~= maxBatch else { throw ValidationError("--max-batch \(maxBatch): 1 to 1024") }
        }

        func run() throws {
            let limit = maxBatch << 20
            let contents = try BatchFiles.survey(files, limitBytes: limit)
            if let damage = contents.damage, !partial {
                let before = "; --partial publishes the \(Quantities.counted(contents.messages, "message")) before it"
                throw Failure.refused(
                    "\(damage.text). Nothing was published\(contents.messages > 0 ? before : "")")
            }
            guard contents.messages > skip || !contents.isComplete else {
                let tally = Importer.Tally(messages: contents.messages, skipped: contents.messages)
                return report(tally, next: skip, ok: true)
            }
            let run = try MQTTRun(connection, role: "import") {
                // Where the broker announces no Receive Maximum, this bounds what may be published twice.
                $0.sendMaximum = 1000
            }
            var options = Importer.Options()
            options.skip = skip
            options.keepsRetain = !noRetain
            options.endsAtDamage = partial
            let progress = StoreProgress("messages")
            let importer = Importer(run, BatchFiles(files, limitBytes: limit), options) {
                guard contents.isComplete, contents.messages > 0, $0 % 256 == 0 else { return }
                progress.show($0, of: contents.messages)
            }
            do { try run.run(importer) } catch {
                progress.end()
                report(importer.tally, next: importer.next, ok: false)
                throw error
            }
            progress.end()
            report(importer.tally, next: importer.next, ok: true)
        }

        private func report(_ tally: Importer.Tally, next: Int, ok: Bool) {
            guard !json else {
                let report = Report(
                    ok: ok, batches: tally.batches, messages: tally.messages, acknowledged: tally.acknowledged,
                    refused: tally.refused, expired: tally.expired, skipped: tally.skipped, next: next)
                if let bytes = try? Document.encode(report) { Document.print(bytes) }
                return
            }
            guard ok || tally.messages > 0 else { return }
            var parts = ["\(Quantities.counted(tally.acknowledged, "message")) published and acknowledged"]
            if tally.refused > 0 { parts.append("\(Quantities.count(Int64(tally.refused))) refused") }
            if tally.expired > 0 { parts.append("\(Quantities.count(Int64(tally.expired))) left out, expired since") }
            if tally.skipped > 0 { parts.append("\(Quantities.count(Int64(tally.skipped))) passed over") }
            Terminal.say(parts.joined(separator: ", "))
        }
    }
}
