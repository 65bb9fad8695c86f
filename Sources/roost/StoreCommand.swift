import ArgumentParser
import Glibc
import Store

/// `roost store [check | export | import | repair | compact]`: the database, with or without the daemon that has it.
struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Verify the log, write it out as batches, read it in, save what is readable, give space back.",
        discussion: """
            EXAMPLES
              roost store check
              roost store export --route cloud/plant -o plant.lz4
              roost store import --url mqtt://cloud:1883 plant.lz4
              roost store repair
            """,
        subcommands: [Check.self, Export.self, Import.self, Repair.self, Compact.self])

    /// Which database.
    struct Place: ParsableArguments {
        @Option(help: "The data directory. Default: ./data, then /var/lib/roost.")
        var data: String?

        var path: String {
            if let data { return data }
            let usual = ["data", "/var/lib/roost"]
            return usual.first { access("\($0)/roost.db", F_OK) == 0 } ?? usual[0]
        }

        func open() throws -> Database {
            guard access("\(path)/roost.db", F_OK) == 0 else {
                throw Failure.refused(
                    "\(path)/roost.db: \(String(cString: strerror(errno))). Name the data directory with --data.")
            }
            do throws(StoreError) {
                return try Database.openReadOnly(path: path)
            } catch {
                throw Failure.refused(Self.text(error))
            }
        }

        /// For commands that need the database to themselves.
        func failure(_ error: StoreError) -> Failure {
            switch error {
            case .locked: .refused("\(path) is in use by a running roostd. Stop it first (systemctl stop roostd).")
            case .notWritable(let file, let errno) where errno == ENOENT || errno == ENOTDIR:
                .refused("\(file): \(String(cString: strerror(errno))). Name the data directory with --data.")
            case .corrupt: .refused("\(Self.text(error)). `roost store repair` saves what is readable.")
            case .full: .refused(noRoom)
            default: .refused(Self.text(error))
            }
        }

        /// What is where a database should be.
        private static func nature(of path: String) -> String {
            var status = stat()
            guard stat(path, &status) == 0 else { return "is not a Roost database" }
            switch status.st_mode & S_IFMT {
            case S_IFDIR: return "is a directory, not a database"
            case S_IFREG where status.st_size == 0:
                return "is empty: nothing was ever stored there, or it was lost. roostd makes a new database of it"
            default: return "is not a Roost database"
            }
        }

        /// For commands that write the database anew.
        private var noRoom: String {
            let room = Database.room(path: path)
            let (needed, available) = (Quantities.bytes(Int64(room.needed)), Quantities.bytes(Int64(room.available)))
            return "\(path): no space left. The new database may take up to \(needed) beside the old one; "
                + "\(available) are free. Nothing was changed: make room, or do it on a copy elsewhere and copy that back."
        }

        static func text(_ error: StoreError) -> String {
            switch error {
            case .locked(let path): "\(path) is in use by another process"
            case .notWritable(let path, let errno): "\(path): \(String(cString: strerror(errno)))"
            case .notADatabase(let path): "\(path) \(nature(of: path))"
            case .newerSchema(let path, let found, let known):
                "\(path) was written by a newer Roost (schema \(found), this one knows \(known)). Update roost."
            case .corrupt(let path, let detail): "\(path) is damaged: \(detail)"
            case .full(let path): "\(path): no space left"
            case .failed(let path, let code, let detail): "\(path): \(detail) (\(code))"
            }
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check", abstract: "Verify every page, checksum, packet and counter; changes nothing.",
            discussion: "EXAMPLE\n  roost store check --json | jq .ok")

        @OptionGroup var place: Place

        @Flag(help: "Print JSON instead of text.")
        var json = false

        /// Also of a database that doesn't open; what isn't Roost's, or a newer Roost's, is refused.
        private static func check(_ path: String) throws(StoreError) -> StoreCheck {
            let database: Database
            do throws(StoreError) { database = try Database.openReadOnly(path: path) } catch {
                let check = Database.checkUnopened(path: path, because: error)
                guard check.errors.count > 1 else { throw error }
                return check
            }
            return try database.checkIntegrity()
        }

        private struct Report: Encodable {
            var ok: Bool
            var messages: Int
            var bytes: Int
            var segments: Int
            var errors: [String]
        }

        func run() throws {
            let check: StoreCheck
            do throws(StoreError) {
                guard access("\(place.path)/roost.db", F_OK) == 0 else {
                    throw .notWritable(path: "\(place.path)/roost.db", errno: errno)
                }
                check = try Self.check(place.path)
            } catch {
                throw place.failure(error)
            }
            if json {
                let report = Report(
                    ok: check.ok, messages: check.messages, bytes: check.bytes, segments: check.segments,
                    errors: check.errors)
                Document.print(try Document.encode(report))
            } else {
                let counts =
                    "\(Quantities.counted(check.messages, "message")), \(Quantities.bytes(Int64(check.bytes))), "
                    + Quantities.counted(check.segments, "segment")
                for error in check.errors { Terminal.say(Terminal.paint(error, .red)) }
                Terminal.say(
                    check.ok
                        ? Terminal.paint("ok", .green) + "  \(counts)"
                        : "\(Quantities.counted(check.errors.count, "fault"))  \(counts)")
            }
            guard check.ok else { throw Failure(code: .refused, message: "") }
        }
    }

    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export", abstract: "Write what waits for the cloud as batches, end to end.",
            discussion: """
                The file is what the uplink would have sent, save that topics are as published
                and Message Expiry Intervals as stored: `lz4 -dc` opens it, and a Roost
                receiver takes it and drops what it has.

                EXAMPLES
                  roost store export -o backlog.lz4
                  roost store export --route cloud/plant | lz4 -dc | less
                """)

        @OptionGroup var place: Place

        @Option(help: ArgumentHelp("This route alone.", valueName: "uplink/route"))
        var route: String?

        @Option(name: .shortAndLong, help: "File to write, which must not exist; without it standard output.")
        var output: String?

        @Option(help: "The node's id for the batches' headers. Default: what roostd noted, else the host's name.")
        var node: String?

        func run() throws {
            guard output != nil || !Terminal.outputIsTerminal else {
                throw Failure.usage("batches are no text: -o FILE, or a pipe")
            }
            let database = try place.open()
            let target = try StoreExport.Target(path: output)
            var export = StoreExport(node: node, route: route, target: target)
            do {
                try export.run(database)
            } catch let error as StoreError {
                throw Failure.refused(Place.text(error))
            }
            let counts =
                "\(Quantities.counted(export.messages, "message")) in \(Quantities.counted(export.batches, "batch"))"
            if let route, export.batches == 0 { throw Failure.refused("nothing waits in \(route)") }
            Terminal.complain("\(counts), \(Quantities.bytes(Int64(export.bytes)))")
        }
    }
}
