import ArgumentParser

/// `roost coverage [NODE]`: what has arrived from each node, and what is lost or missing.
struct CoverageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coverage",
        abstract: "What has arrived from each node: complete spans, and gaps with their reasons.",
        discussion: """
            Asks a roostd with [ingest], or a roost ingest by its --state directory. Lost
            is what the node said will never come, and why; missing is what it has numbered
            and nobody has explained: still on its way, mostly.

            EXAMPLES
              roost coverage                          one line for each node and route
              roost coverage pump-7                   the whole story of one node
              roost coverage pump-7 --since 2h        ... of the last two hours
              roost coverage --since '2026-11-24 02:10' --json
              roost coverage --state ingest           of a roost ingest on this machine
            """)

    @Argument(help: "A node's id.")
    var node: String?

    @Option(
        help: ArgumentHelp(
            "Leave out what is older: 2h, 30d, 02:10, 2026-11-24, '2026-11-24 02:10'.", valueName: "time"))
    var since: String?

    @Option(help: ArgumentHelp("Ask the roost ingest that has this --state directory.", valueName: "path"))
    var state: String?

    @OptionGroup var admin: AdminOptions

    func validate() throws {
        guard state == nil || admin.socket == nil else {
            throw ValidationError("--state and --socket exclude each other")
        }
        if let since, PointInTime(since) == nil {
            throw ValidationError("--since \(since): a time ago (2h, 30d), a time of day (02:10), a date, or both")
        }
    }

    func run() throws {
        var admin = admin
        if let state { admin.socket = "\(state)/data/admin.sock" }
        var query = since.flatMap { PointInTime($0) }.map { ["since=\($0.milliseconds)"] } ?? []
        if let node { query.append("node=\(node.percentEncoded)") }
        if !admin.json { query.append("times=1") }
        let body: [UInt8]
        do {
            body = try admin.get("/coverage" + (query.isEmpty ? "" : "?" + query.joined(separator: "&")))
        } catch let failure as Failure where failure.code == .cannotConnect && state != nil {
            let state = state ?? ""
            throw Failure.cannotConnect(
                "no roost ingest runs with --state \(state). Start it: roost ingest --state \(state) --url ...")
        }
        if admin.json { return Document.print(body) }
        let runs = try Document.decode([CoverageDocument].self, body)
        guard !runs.isEmpty else {
            return Terminal.say(
                since == nil ? "Nothing has come from any node yet." : "Nothing has come since \(since ?? "").")
        }
        Terminal.say(node == nil ? Self.summary(runs) : Self.story(runs))
    }

    /// One line a node and route.
    static func summary(_ runs: [CoverageDocument]) -> String {
        var table = Table([
            ("node", .left), ("route", .left), ("from", .left), ("to", .left), ("messages", .right), ("lost", .right),
            ("missing", .right), ("", .left),
        ])
        for route in RouteCoverage.routes(of: runs) {
            let lost = route.lostByReason
            table.add([
                .init(route.node), .init(route.route), .init(route.from?.text ?? "-"), .init(route.to?.text ?? "-"),
                .init(Quantities.count(route.arrived)),
                .init(Quantities.count(lost.reduce(0) { $0 + $1.count }), lost.isEmpty ? nil : .red),
                .init(Quantities.count(route.missing), route.missing == 0 ? nil : .yellow),
                .init(
                    lost.isEmpty
                        ? (route.missing == 0 ? "complete" : "")
                        : lost.map { "\($0.reason) \(Quantities.count($0.count))" }.joined(separator: ", ")),
            ])
        }
        return table.text
    }

    /// All that is known, in the order of time.
    static func story(_ runs: [CoverageDocument]) -> String {
        RouteCoverage.routes(of: runs).map { route in
            let title = "\(route.node)  \(route.route)".printable
            let entries = route.entries
            let width = entries.map(\.when.count).max() ?? 0
            let lines = entries.map { entry in
                let padding = String(repeating: " ", count: width - entry.when.count)
                return "  \(entry.when)\(padding)  \(Terminal.paint(entry.what.printable, entry.colour))"
            }
            return ([title] + lines).joined(separator: "\n")
        }.joined(separator: "\n\n")
    }
}
