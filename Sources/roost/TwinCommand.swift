import ArgumentParser
import FoundationEssentials
import MQTT

/// `roost twin [list | get | set | watch | add | remove]`.
struct TwinCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "twin",
        abstract: "Device twins: what each device reports, and what is expected of it.",
        discussion: """
            EXAMPLES
              roost twin                              all devices
              roost twin get press-7                  what it reports, what is expected
              roost twin set press-7 speed=20         expect another speed of it
              roost twin watch press-7                every change, as it happens
              roost twin list --node pump-7           at the cloud: a node's devices
            """,
        subcommands: [List.self, Get.self, Set.self, Watch.self, Add.self, Remove.self], defaultSubcommand: List.self)

    /// Whose.
    struct Node: ParsableArguments {
        @Option(help: "A node whose twins are kept here. Default: this one.")
        var node: String?

        func path(_ rest: String) -> String {
            "/twin\(rest)" + (node.map { "?node=\($0.percentEncoded)" } ?? "")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "All devices (what `roost twin` does).",
            discussion: "EXAMPLE\n  roost twin list --json | jq -r '.[] | select(.differing > 0) | .id'")

        @OptionGroup var node: Node
        @OptionGroup var admin: AdminOptions

        func run() throws {
            let body = try admin.get(node.path(""))
            if admin.json { return Document.print(body) }
            let twins = try Document.decode([TwinDocument].self, body)
            guard !twins.isEmpty else {
                return Terminal.say("No devices. (roost twin add ID, or a device's first update)")
            }
            var table = Table([
                ("device", .left), ("state", .left), ("last online", .left), ("properties", .right),
                ("differing", .right), ("version", .right),
            ])
            for twin in twins {
                table.add([
                    .init(twin.id), .init(twin.state ?? ""), .init(twin.lastOnline ?? ""),
                    .init(Quantities.count(twin.properties ?? 0)),
                    .init(Quantities.count(twin.differing ?? 0), twin.differing ?? 0 > 0 ? .yellow : nil),
                    .init("\(twin.version)"),
                ])
            }
            Terminal.say(table.text)
        }
    }

    struct Get: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "get", abstract: "One device's twin.",
            discussion: "EXAMPLE\n  roost twin get press-7 --json | jq .twin.temperature.actual.value")

        @Argument(help: "The device: name, or namespace/name.")
        var id: String

        @OptionGroup var node: Node
        @OptionGroup var admin: AdminOptions

        func run() throws {
            let body = try admin.get(node.path("/\(id.percentEncoded)"))
            if admin.json { return Document.print(body) }
            let twin = try JSONDecoder().decode(JSONValue.self, from: Data(body))
            for (name, value) in twin.members where name != "twin" && name != "attributes" {
                TwinCommand.say(name, value.text)
            }
            for (name, value) in twin.member("attributes")?.members ?? [] {
                TwinCommand.say(name, value.member("value")?.text ?? "")
            }
            let properties = twin.member("twin")?.members ?? []
            guard !properties.isEmpty else { return Terminal.say("\nNo properties yet.") }
            var table = Table([("property", .left), ("type", .left), ("actual", .left), ("expected", .left)])
            for (name, property) in properties {
                let actual = property.member("actual")?.member("value")?.text ?? "-"
                let expected = property.member("expected")?.member("value")?.text ?? "-"
                table.add([
                    .init(name), .init(property.member("metadata")?.member("type")?.text ?? ""), .init(actual),
                    .init(expected, expected == "-" || expected == actual ? nil : .yellow),
                ])
            }
            Terminal.say("\n" + table.text)
        }
    }

    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Expect values of a device, add properties, or take some away.",
            discussion: """
                EXAMPLES
                  roost twin set press-7 speed=20 mode=auto
                  roost twin set press-7 limit=3.5 --type float     a new property
                  roost twin set press-7 --delete limit
                  roost twin set press-7 speed=25 --if-version 12   unless somebody was faster
                """)

        @Argument(help: "The device: name, or namespace/name.")
        var id: String

        @Argument(help: ArgumentHelp("What is expected.", valueName: "name=value"))
        var values: [String] = []

        @Flag(help: "Set what the device reports, in its place.")
        var actual = false

        @Option(help: "string, int, float or boolean: of properties that are new.")
        var type: String?

        @Option(help: ArgumentHelp("Take this property away; may be repeated.", valueName: "name"))
        var delete: [String] = []

        @Option(help: "Only if the twin has this version.")
        var ifVersion: Int64?

        @OptionGroup var node: Node
        @OptionGroup var admin: AdminOptions

        func validate() throws {
            guard !values.isEmpty || !delete.isEmpty else {
                throw ValidationError("what? NAME=VALUE, or --delete NAME")
            }
            for value in values where !value.contains("=") || value.hasPrefix("=") {
                throw ValidationError("\(value): not NAME=VALUE")
            }
        }

        func run() throws {
            var properties: [String: JSONValue] = [:]
            for pair in values {
                let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                var property: [String: JSONValue] = [
                    actual ? "actual" : "expected": .object(["value": .string(String(parts[1]))])
                ]
                if let type { property["metadata"] = .object(["type": .string(type)]) }
                properties[String(parts[0])] = .object(property)
            }
            for name in delete { properties[name] = .null }
            var document: [String: JSONValue] = ["twin": .object(properties)]
            if let ifVersion { document["version"] = .integer(ifVersion) }
            let body = try admin.post(
                node.path("/\(id.percentEncoded)/update"), TwinCommand.encode(.object(document)))
            if admin.json { return Document.print(body) }
            let answer = try JSONDecoder().decode(JSONValue.self, from: Data(body))
            Terminal.say("\(id) has version \(answer.member("version")?.text ?? "?").")
        }
    }

    struct Watch: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "watch", abstract: "Print every change of twins, as it happens.",
            discussion: """
                This is an MQTT client as any other: it needs the broker's address, not its
                admin socket, and the right to $hw/events/device/#.

                EXAMPLES
                  roost twin watch
                  roost twin watch press-7 --json | jq .payload.twin
                  roost twin watch -h node.local -u desk --pw secret
                """,
            helpNames: .long)

        @Argument(help: "The device. Default: all.")
        var device: String?

        @Option(help: "A node whose twins are kept there. Default: the broker's own.")
        var node: String?

        @Option(name: [.customShort("C"), .customLong("count")], help: "End after this many changes.")
        var count: Int?

        @Option(
            name: [.customShort("W"), .customLong("timeout")],
            help: ArgumentHelp("End after this time.", valueName: "seconds"))
        var timeout: Double?

        @Flag(help: "Print a JSON document a line.")
        var json = false

        @OptionGroup var connection: MQTTOptions

        func run() throws {
            let run = try MQTTRun(connection, role: "twin") { $0.automaticAcknowledgement = false }
            let subscriber = Subscriber(run, format: try MessageFormat(json ? "%J" : "%I %t %p", newline: true))
            let prefix = node.map { "$hw/events/node/\($0)/device" } ?? "$hw/events/device"
            subscriber.subscriptions = (device.map { [$0] } ?? ["+", "+/+"]).map {
                Subscription(filter: Array("\(prefix)/\($0)/twin/update/document".utf8), qos: .atLeastOnce)
            }
            subscriber.limit = count
            subscriber.timeout = timeout.map { .nanoseconds(Int64($0 * 1e9)) }
            try run.run(subscriber)
        }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add", abstract: "Make a device, or describe one that is there.",
            discussion: """
                EXAMPLES
                  roost twin add press-7
                  roost twin add b/press-7 --description 'by the door' --attribute maker=Acme
                """)

        @Argument(help: "The device: name, or namespace/name.")
        var id: String

        @Option(help: "What it is called. Default: the id's last level.")
        var name: String?

        @Option(help: "What it is.")
        var description: String?

        @Option(
            help: ArgumentHelp("An attribute; an empty value takes it away. May be repeated.", valueName: "name=value"))
        var attribute: [String] = []

        @OptionGroup var admin: AdminOptions

        func run() throws {
            var document: [String: JSONValue] = [:]
            if let name { document["name"] = .string(name) }
            if let description { document["description"] = .string(description) }
            var attributes: [String: JSONValue] = [:]
            for pair in attribute {
                let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, !parts[0].isEmpty else { throw Failure.usage("\(pair): not NAME=VALUE") }
                attributes[String(parts[0])] = parts[1].isEmpty ? .null : .string(String(parts[1]))
            }
            if !attributes.isEmpty { document["attributes"] = .object(attributes) }
            let body = try admin.post("/twin/\(id.percentEncoded)/add", TwinCommand.encode(.object(document)))
            if admin.json { Document.print(body) } else { Terminal.say("\(id) is there.") }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Remove a device with its twin.",
            discussion: "EXAMPLE\n  roost twin remove press-7")

        @Argument(help: "The device: name, or namespace/name.")
        var id: String

        @OptionGroup var node: Node
        @OptionGroup var admin: AdminOptions

        func run() throws {
            let body = try admin.delete(node.path("/\(id.percentEncoded)"))
            if admin.json { Document.print(body) } else { Terminal.say("\(id) is removed.") }
        }
    }

    /// Names of properties stay as they are, whatever they look like.
    static func encode(_ value: JSONValue) throws -> [UInt8] { Array(try JSONEncoder().encode(value)) }

    static func say(_ name: String, _ value: String) {
        let title = name.split(separator: "_").joined(separator: " ")
        Terminal.say(title + String(repeating: " ", count: max(1, 18 - title.count)) + value.printable)
    }
}

struct TwinDocument: Decodable {
    var id: String
    var state: String?
    var lastOnline: String?
    var properties: Int64?
    var differing: Int64?
    var version: UInt64
}

extension JSONValue {
    /// An object's member; nil: there is none.
    func member(_ name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[name]
    }
}
