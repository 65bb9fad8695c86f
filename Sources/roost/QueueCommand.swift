import ArgumentParser
import FoundationEssentials

/// `roost queue [ROUTE] [peek | drop]`: what waits for the cloud.
struct QueueCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue",
        abstract: "What waits for the cloud: messages, bytes, age by route and priority.",
        discussion: """
            A route is named UPLINK/ROUTE, or ROUTE alone where that is enough.

            EXAMPLES
              roost queue
              roost queue cloud/alarms peek     the next ten messages
              roost queue cloud/debug drop      throw away all that waits there
            """)

    @Argument(help: "A route, and what to do with it: peek or drop.")
    var words: [String] = []

    @Option(help: "How many messages peek shows.")
    var count = 10

    @Flag(help: "Drop without asking.")
    var yes = false

    @OptionGroup var admin: AdminOptions

    func validate() throws {
        guard words.count <= 2 else { throw ValidationError("queue takes a route and a word: peek or drop") }
        guard words.count < 2 || verb != nil else {
            throw ValidationError("\(words[1]): the words are peek and drop")
        }
        guard (1...10_000).contains(count) else { throw ValidationError("--count: 1 to 10000") }
    }

    private var verb: String? { words.first { $0 == "peek" || $0 == "drop" } }
    private var route: String? { words.first { $0 != "peek" && $0 != "drop" } }

    func run() throws {
        let body = try admin.get("/queue")
        guard let verb else { return try list(body) }
        let queue = try find(in: try Document.decode([QueueDocument].self, body))
        let path = "/queue/" + "\(queue.uplink)/\(queue.route)".percentEncoded
        if verb == "peek" { try peek(path) } else { try drop(queue, path) }
    }

    private func find(in queues: [QueueDocument]) throws -> QueueDocument {
        guard let route else {
            guard queues.count == 1 else {
                throw Failure.usage(
                    "name the route: \(queues.map { "\($0.uplink)/\($0.route)" }.joined(separator: ", "))")
            }
            return queues[0]
        }
        let found = queues.filter { "\($0.uplink)/\($0.route)" == route || $0.route == route }
        guard let queue = found.first else { throw Failure.refused("no route \(route). See them all: roost queue") }
        guard found.count == 1 else {
            throw Failure.usage("\(route) is in several uplinks: \(found.map(\.uplink).joined(separator: ", "))")
        }
        return queue
    }

    private func list(_ body: [UInt8]) throws {
        let all = try Document.decode([QueueDocument].self, body)
        let shown = try route.map { _ in [try find(in: all)] } ?? all
        if admin.json {
            guard route == nil else {
                // One route's element, cut from the whole as it came.
                return try printElement(
                    of: body, all.firstIndex { $0.route == shown[0].route && $0.uplink == shown[0].uplink })
            }
            return Document.print(body)
        }
        guard !shown.isEmpty else {
            return Terminal.say("No routes: nothing goes anywhere. ([[uplink]] in roost.toml)")
        }
        var table = Table([
            ("route", .left), ("priority", .left), ("messages", .right), ("size", .right), ("oldest", .right),
            ("lost", .left), ("", .left),
        ])
        for queue in shown {
            table.add([
                .init("\(queue.uplink)/\(queue.route)"), .init(queue.priority),
                .init(Quantities.count(queue.messages)), .init(size(queue)),
                .init(queue.messages == 0 ? "-" : Quantities.duration(seconds: queue.oldestSeconds)),
                .init(lost(queue), queue.lost?.isEmpty == false ? .red : nil),
                .init(state(queue), .yellow),
            ])
        }
        Terminal.say(table.text)
    }

    /// "1.2 MiB", or "1.2 MiB of 64.0 MiB" with a budget of its own.
    private func size(_ queue: QueueDocument) -> String {
        Quantities.bytes(queue.bytes) + (queue.budgetBytes.map { " of \(Quantities.bytes($0))" } ?? "")
    }

    private func state(_ queue: QueueDocument) -> String {
        guard queue.orphaned != true else { return "orphaned: its route left the file" }
        return [queue.atBudget == true ? "at its own budget" : nil, queue.holding].compactMap { $0 }
            .joined(separator: "; ")
    }

    /// "3,200 evicted, 1 refused": what will never arrive.
    private func lost(_ queue: QueueDocument) -> String {
        let lost = queue.lost ?? [:]
        guard !lost.isEmpty else { return "-" }
        return lost.sorted { $0.key < $1.key }.map { "\(Quantities.count($0.value)) \($0.key)" }
            .joined(separator: ", ")
    }

    private func printElement(of body: [UInt8], _ index: Int?) throws {
        guard let index else { return }
        let values = try JSONDecoder().decode([JSONValue].self, from: Data(body))
        Document.print(Array("[".utf8) + Array(try JSONEncoder().encode(values[index])) + Array("]".utf8))
    }

    private func peek(_ path: String) throws {
        let body = try admin.get("\(path)/peek?count=\(count)")
        if admin.json { return Document.print(body) }
        let messages = try Document.decode([QueuedMessageDocument].self, body)
        guard !messages.isEmpty else { return Terminal.say("Nothing waits there.") }
        var table = Table([
            ("number", .right), ("received", .left), ("qos", .right), ("topic", .left), ("payload", .left),
        ])
        for message in messages {
            table.add([
                .init("\(message.number)"), .init(received(message.receivedAt)), .init("\(message.qos)"),
                .init(message.topic), .init(oneLine(message.payload)),
            ])
        }
        Terminal.say(table.text)
    }

    private func received(_ time: QueuedMessageDocument.Time?) -> String {
        switch time {
        case .milliseconds(let milliseconds): LocalTime(milliseconds: Int64(max(0, min(milliseconds, 9e15)))).text
        case .text(let text): text
        case nil: "-"
        }
    }

    private func oneLine(_ payload: String) -> String {
        payload.count > 80 ? payload.prefix(79) + "\u{2026}" : payload
    }

    private func drop(_ queue: QueueDocument, _ path: String) throws {
        let what = "\(Quantities.counted(queue.messages, "message")) of \(queue.uplink)/\(queue.route)"
        guard yes || Terminal.confirms("Throw away \(what)? They will never reach the cloud.") else {
            throw Failure.refused("nothing was dropped. Without a terminal to ask on, say --yes.")
        }
        let body = try admin.post("\(path)/drop")
        if admin.json { Document.print(body) } else { Terminal.say("Dropped \(what).") }
    }
}
