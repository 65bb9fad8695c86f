import ArgumentParser
import Glibc
import Store

extension StoreCommand {
    struct Repair: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "repair",
            abstract: "Save what is readable of a damaged database into a new one; roostd must be stopped.",
            discussion: """
                The damaged file stays beside as roost.db.broken-N. What is lost is printed by
                stream and number, and far ends are told of it as gaps.

                EXAMPLE
                  systemctl stop roostd && roost store repair --data /var/lib/roost
                """)

        @OptionGroup var place: Place

        @Flag(help: "Remove the damaged file instead of keeping it.")
        var discard = false

        @Flag(help: "Print JSON instead of text.")
        var json = false

        private struct Report: Encodable {
            struct Lost: Encodable {
                var route: String?
                var stream: Int64
                var run: Int64
                var numbers: [[UInt64]]
            }
            var ok: Bool
            var messages: Int
            var bytes: Int
            var segments: Int
            var lostMessages: UInt64
            var lostRows: Int
            var brokenPages: Int
            var setAside: Int
            var rows: [String: Int]
            var lost: [Lost]
            var kept: String?
        }

        func run() throws {
            let report: SalvageReport
            let progress = StoreProgress("pages")
            do throws(StoreError) {
                report = try Database.repair(path: place.path, keepsOld: !discard) { progress.show($0, of: $1) }
            } catch {
                progress.end()
                throw place.failure(error)
            }
            progress.end()
            if json { return Document.print(try Document.encode(document(report))) }
            Terminal.say(
                "Saved: \(Quantities.counted(report.messages, "message")), "
                    + "\(Quantities.bytes(Int64(report.bytes))), \(Quantities.counted(report.segments, "segment"))")
            for (table, rows) in report.rows.sorted(by: { $0.key < $1.key }) {
                Terminal.say("       \(table): \(rows)")
            }
            if report.isWhole { Terminal.say(Terminal.paint("Nothing is known to be lost.", .green)) }
            for stream in report.streams where !stream.lost.isEmpty {
                let numbers = stream.lost.map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ", ")
                let name = (stream.route ?? "sessions, stream \(stream.id.rawValue)").printable
                Terminal.say(Terminal.paint("Lost:", .red) + "  \(name), run \(stream.run): \(numbers)")
            }
            if !report.isWhole { Terminal.say("In all: \(report.summary)") }
            if let kept = report.evidence {
                Terminal.say("The old file is kept as \(kept); remove it when it is no longer wanted.")
            }
        }

        private func document(_ report: SalvageReport) -> Report {
            Report(
                ok: report.isWhole, messages: report.messages, bytes: report.bytes, segments: report.segments,
                lostMessages: report.lostMessages, lostRows: report.lostRows, brokenPages: report.brokenPages,
                setAside: report.setAside, rows: report.rows,
                lost: report.streams.filter { !$0.lost.isEmpty }.map { stream in
                    Report.Lost(
                        route: stream.route, stream: stream.id.rawValue, run: stream.run,
                        numbers: stream.lost.map { [$0.lowerBound, $0.upperBound] })
                }, kept: report.evidence)
        }
    }

    struct Compact: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "compact",
            abstract: "Give the database's free space back to the file system; roostd must be stopped.",
            discussion: """
                Roost reuses what was drained, so this is only for those who want the space for
                something else. It needs room for a second copy of what is stored.

                EXAMPLE
                  systemctl stop roostd && roost store compact --data /var/lib/roost
                """)

        @OptionGroup var place: Place

        @Flag(help: "Print JSON instead of text.")
        var json = false

        private struct Report: Encodable {
            var before: Int
            var after: Int
        }

        func run() throws {
            let sizes: (before: Int, after: Int)
            do throws(StoreError) { sizes = try Database.compact(path: place.path) } catch {
                throw place.failure(error)
            }
            if json { return Document.print(try Document.encode(Report(before: sizes.before, after: sizes.after))) }
            Terminal.say("\(Quantities.bytes(Int64(sizes.before))) before, \(Quantities.bytes(Int64(sizes.after))) now")
        }
    }
}
