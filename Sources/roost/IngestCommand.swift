import ArgumentParser
import Glibc

/// `roost ingest`: receives batches beside any MQTT broker. It is a roostd of its own, told by a generated configuration
/// to subscribe to the batches at that broker and to publish what is inside back to it.
struct IngestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ingest",
        abstract: "Receive batches beside any MQTT broker, and publish the messages inside to it.",
        discussion: """
            Keeps its place in --state: the session's name at the broker, and what has come
            from each node. Several copies share the work by shards (each keeps a node's
            memory) or by a shared subscription (order between batches is not kept).

            What comes is taken once, by its numbers. With --qos 2 it is also published once,
            whatever becomes of this process or its machine, for as long as the broker keeps
            its session; should it not, a line in the log says how many messages go again.

            EXAMPLES
              roost ingest --url mqtt://broker:1883
              roost ingest --url mqtt://broker:1883 --qos 2
              roost ingest --url mqtt://broker:1883 --shards 00-7f --state ingest-a
              roost ingest --url mqtt://broker:1883 --share roost --topic '{node}/{topic}'
              roost coverage --state ingest        what has come, from another terminal
            """)

    @Option(help: "The broker, mqtt[s]:// or ws[s]://host[:port]. May be repeated: tried in this order.")
    var url: [String]

    @Option(help: ArgumentHelp("Take these shards alone: two hex digits each.", valueName: "from-to"))
    var shards: String?

    @Option(help: ArgumentHelp("Take a share of all batches, together with others of this group.", valueName: "group"))
    var share: String?

    @Option(help: ArgumentHelp("Directory for the configuration and the data.", valueName: "path"))
    var state = "ingest"

    @Option(help: "Client Identifier, and so the session, at the broker. Default: roost-ingest, then shards or group.")
    var clientId: String?

    @Option(help: ArgumentHelp("How long the broker keeps the session.", valueName: "time"))
    var sessionExpiry = "7d"

    @Option(help: ArgumentHelp("Where batches come: the senders' batch_prefix.", valueName: "prefix"))
    var batchPrefix = "roost/batch"

    @Option(help: "What the messages' topics become.")
    var topic = "{topic}"

    @Option(help: "User name at the broker.")
    var username: String?

    @Option(help: ArgumentHelp("File that holds the password.", valueName: "file"))
    var passwordFile: String?

    @Option(help: ArgumentHelp("Certificate authorities to trust, PEM; default: the system's.", valueName: "file"))
    var ca: String?

    @Option(help: ArgumentHelp("Our certificate, PEM.", valueName: "file"))
    var certificate: String?

    @Option(help: ArgumentHelp("Its private key, PEM.", valueName: "file"))
    var key: String?

    @Option(
        help: ArgumentHelp(
            "QoS of what is published, whatever the devices used. 1: exactly once while this process lives, at least once "
                + "across its sudden death; 2: exactly once, for commits of its own."))
    var qos = 1

    @Flag(help: "Log JSON instead of text.")
    var json = false

    @Flag(help: "Print the configuration and do nothing.")
    var printConfig = false

    func validate() throws {
        guard !url.isEmpty else { throw ValidationError("--url: which broker?") }
        guard 1...2 ~= qos else { throw ValidationError("--qos \(qos): 1 or 2") }
        guard qos == 1 || share == nil else {
            throw ValidationError(
                "--qos 2 and --share exclude each other: no copy of the group knows what the others have")
        }
        guard shards == nil || share == nil else { throw ValidationError("--shards and --share exclude each other") }
        if let share, share.isEmpty || share.contains(where: { "/+#".contains($0) }) {
            throw ValidationError("--share \(share): a group's name has no /, + or #")
        }
        guard batchPrefix.isTopicName else { throw ValidationError("--batch-prefix \(batchPrefix): no Topic Name") }
        _ = try shardRange()
    }

    func run() throws {
        let configuration = try configuration()
        if printConfig { return Terminal.say(configuration.text) }
        let file = try configuration.write()
        throw Daemon.replaceThisProcess(with: ["-c", file])
    }

    func configuration() throws -> IngestConfiguration {
        IngestConfiguration(
            urls: url, filters: try filters(), name: name, state: try absoluteState(), command: self)
    }

    /// Tells this copy from others at the same broker.
    private var name: String {
        if let clientId { return clientId }
        return ["roost-ingest", share ?? shards].compactMap { $0 }.joined(separator: "-")
    }

    private func filters() throws -> [String] {
        if let share { return ["$share/\(share)/\(batchPrefix)/#"] }
        let range = try shardRange()
        guard range != 0...255 else { return ["\(batchPrefix)/#"] }
        return range.map { "\(batchPrefix)/\($0 < 16 ? "0" : "")\(String($0, radix: 16))/+" }
    }

    private func shardRange() throws -> ClosedRange<Int> {
        guard let shards else { return 0...255 }
        let ends = shards.split(separator: "-", omittingEmptySubsequences: false).map {
            $0.count == 2 ? Int($0, radix: 16) : nil
        }
        guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2, 0...255 ~= first,
            first <= last
        else { throw ValidationError("--shards \(shards): two hex digits, or two such with a dash between: 00-3f") }
        return first...last
    }

    private func absoluteState() throws -> String {
        if state.hasPrefix("/") { return state }
        var buffer = [CChar](repeating: 0, count: 4096)
        guard getcwd(&buffer, buffer.count) != nil else {
            throw Failure.refused("the working directory is gone: \(String(cString: strerror(errno)))")
        }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) + "/" + state
    }
}

/// The roost.toml of an ingesting roostd.
struct IngestConfiguration {
    let urls: [String]
    let filters: [String]
    let name: String
    /// Absolute.
    let state: String
    let command: IngestCommand

    var text: String {
        var lines = [
            "# Written by roost ingest at every start.",
            "",
            "[node]",
            "id = \(quoted(name))",
            "data = \(quoted("\(state)/data"))",
            "",
            "# Nobody connects here; without a listener roostd would take 127.0.0.1:1883.",
            "[[listener]]",
            "bind = \(quoted("unix:\(state)/mqtt.sock"))",
            "",
            "[ingest]",
            "enabled = true",
            "filter = \(quoted("\(command.batchPrefix)/#"))",
            "topic = \(quoted(command.topic))",
            "",
            "[[uplink]]",
            "name = \"broker\"",
            "urls = [\(urls.map(quoted).joined(separator: ", "))]",
            "client_id = \(quoted(name))",
            "session_expiry = \(quoted(command.sessionExpiry))",
        ]
        if command.json { lines.insert(contentsOf: ["[log]", "format = \"json\"", ""], at: 2) }
        if let username = command.username { lines.append("username = \(quoted(username))") }
        if let file = command.passwordFile { lines.append("password_file = \(quoted(file))") }
        let tls = [("ca", command.ca), ("certificate", command.certificate), ("key", command.key)]
        let given = tls.compactMap { name, value in value.map { "\(name) = \(quoted($0))" } }
        if !given.isEmpty { lines.append("tls = { \(given.joined(separator: ", ")) }") }
        lines += ["", "[[uplink.route]]", "name = \"messages\"", "filter = \"#\"", "mode = \"each\""]
        if command.qos == 2 { lines.append("qos = 2") }
        for filter in filters { lines += ["", "[[uplink.subscribe]]", "filter = \(quoted(filter))", "qos = 1"] }
        return lines.joined(separator: "\n")
    }

    /// Writes `STATE/roost.toml` for the owner alone, and returns its path.
    func write() throws -> String {
        guard mkdir(state, 0o700) == 0 || errno == EEXIST else { throw failure(state) }
        let path = "\(state)/roost.toml"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure(path) }
        defer { close(descriptor) }
        let written = Array((text + "\n").utf8).withUnsafeBytes { Terminal.writeAll($0, to: descriptor) }
        guard written else { throw failure(path) }
        return path
    }

    private func failure(_ path: String) -> Failure { .refused("\(path): \(String(cString: strerror(errno)))") }

    /// A TOML basic string.
    private func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _ where scalar.value < 32 || scalar.value == 127:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
