import ArgumentParser

/// `roost clients [show ID | kick ID]`.
struct ClientsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clients",
        abstract: "Who is connected, sessions kept, what each has queued.",
        discussion: """
            EXAMPLES
              roost clients
              roost clients show sensor-7
              roost clients kick sensor-7       close its connection; its session stays
            """,
        subcommands: [List.self, Show.self, Kick.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Everybody (what `roost clients` does).",
            discussion: "EXAMPLE\n  roost clients list --json | jq '.[] | select(.connected | not) | .id'")

        @OptionGroup var admin: AdminOptions

        func run() throws {
            let body = try admin.get("/clients")
            if admin.json { return Document.print(body) }
            let clients = try Document.decode([ClientDocument].self, body)
            guard !clients.isEmpty else { return Terminal.say("No clients, and no sessions kept.") }
            var table = Table([
                ("client", .left), ("user", .left), ("address", .left), ("mqtt", .left), ("state", .left),
                ("since", .right), ("subs", .right), ("queued", .right), ("size", .right), ("inflight", .right),
            ])
            for client in clients {
                table.add([
                    .init(client.id), .init(client.user ?? ""), .init(client.address ?? ""),
                    .init(client.version?.text ?? ""),
                    client.connected ? .init("connected", .green) : .init("away", .dim),
                    .init(Quantities.duration(seconds: client.sinceSeconds)),
                    .init(Quantities.count(client.subscriptions ?? 0)),
                    .init(Quantities.count(client.queuedMessages)), .init(Quantities.bytes(client.queuedBytes)),
                    .init(Quantities.count(client.inflight ?? 0)),
                ])
            }
            Terminal.say(table.text)
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "All about one client.", discussion: "EXAMPLE\n  roost clients show sensor-7"
        )

        @Argument(help: "Its Client Identifier.")
        var id: String

        @OptionGroup var admin: AdminOptions

        func run() throws {
            let body = try admin.get("/clients/\(id.percentEncoded)")
            if admin.json { return Document.print(body) }
            for (name, value) in try Document.decode(JSONValue.self, body).members {
                let title = name.split(separator: "_").joined(separator: " ")
                Terminal.say(title + String(repeating: " ", count: max(1, 18 - title.count)) + value.text.printable)
            }
        }
    }

    struct Kick: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "kick", abstract: "Close a client's connection; its session stays.",
            discussion: "EXAMPLE\n  roost clients kick sensor-7")

        @Argument(help: "Its Client Identifier.")
        var id: String

        @OptionGroup var admin: AdminOptions

        func run() throws {
            let body = try admin.post("/clients/\(id.percentEncoded)/kick")
            if admin.json { Document.print(body) } else { Terminal.say("\(id) is disconnected.") }
        }
    }
}
