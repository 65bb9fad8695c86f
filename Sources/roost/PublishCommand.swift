import ArgumentParser
import Client
import EventLoop
import Glibc
import MQTT

/// `roost pub`: mosquitto_pub's options.
struct PublishCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pub",
        abstract: "Publish messages.",
        discussion: """
            EXAMPLES
              roost pub -t plant/press-7/temperature -m 21.5
              roost pub -h broker -q 1 -r -t config/press-7 -f press-7.json
              tail -f log | roost pub -t logs -l
              roost pub -t t -m x -D publish user-property origin bench
            """,
        helpNames: .long)

    @OptionGroup var connection: MQTTOptions
    @OptionGroup var message: MessageOptions

    @Flag(
        name: [.customShort("l"), .long], help: "A message for each line of standard input; empty lines are left out.")
    var stdinLine = false

    @Option(help: "Send the message this many times.")
    var `repeat` = 1

    @Option(help: ArgumentHelp("Pause between repetitions.", valueName: "seconds"))
    var repeatDelay = 0.0

    @Option(
        name: [.customShort("M"), .long],
        help: ArgumentHelp("The most messages with QoS 1 or 2 under way at once.", valueName: "count"))
    var maxInflight: UInt16 = 65_535

    @Flag(help: "Print what became of the messages, as JSON.")
    var json = false

    func validate() throws {
        guard message.isGiven != stdinLine else {
            throw ValidationError("what to send: exactly one of -m, -f, -s, -n and -l")
        }
        guard `repeat` >= 1 else { throw ValidationError("--repeat: 1 or more") }
        guard repeatDelay >= 0, repeatDelay < 1e9 else { throw ValidationError("--repeat-delay: seconds") }
        guard maxInflight > 0 else { throw ValidationError("--max-inflight: 1 to 65535") }
    }

    func run() throws {
        let run = try MQTTRun(connection, role: "pub") { $0.sendMaximum = maxInflight }
        let topic = try message.topic(run.address)
        let payload = stdinLine ? nil : try message.payload()
        let publisher = Publisher(
            run, topic: topic, qos: message.level, retain: message.retain,
            properties: try PropertyArguments(connection.property).publish, payload: payload, repetitions: `repeat`,
            delay: .nanoseconds(Int64(repeatDelay * 1e9)))
        defer {
            if json { Terminal.say(publisher.report) }
        }
        try run.run(publisher)
    }
}

/// Topic, payload, QoS and retain: what `pub` and `rr` share.
struct MessageOptions: ParsableArguments {
    @Option(name: .shortAndLong, parsing: .unconditional, help: "Topic Name.")
    var topic: String?

    @Option(name: .shortAndLong, parsing: .unconditional, help: "Payload.")
    var message: String?

    @Option(name: .shortAndLong, help: "Payload from a file.")
    var file: String?

    @Flag(name: [.customShort("s"), .long], help: "Payload: all of standard input.")
    var stdinFile = false

    @Flag(name: [.customShort("n"), .long], help: "No payload.")
    var nullMessage = false

    @Option(name: .shortAndLong, help: ArgumentHelp("Quality of Service.", valueName: "0-2"))
    var qos = 0

    @Flag(name: .shortAndLong, help: "Retain the message.")
    var retain = false

    func validate() throws {
        guard (0...2).contains(qos) else { throw ValidationError("-q \(qos): 0, 1 or 2") }
        guard [message != nil, file != nil, stdinFile, nullMessage].filter({ $0 }).count <= 1 else {
            throw ValidationError("what to send: one of -m, -f, -s and -n")
        }
        if let topic, !topic.isTopicName { throw ValidationError("-t \(topic): no Topic Name to publish to") }
    }

    var isGiven: Bool { message != nil || file != nil || stdinFile || nullMessage }
    var level: QoS { QoS(rawValue: UInt8(qos)) ?? .atMostOnce }

    func topic(_ address: MQTTAddress) throws -> [UInt8] {
        guard let topic = topic ?? address.topic else { throw Failure.usage("which topic? -t TOPIC") }
        guard topic.isTopicName else { throw Failure.usage("\(topic): no Topic Name to publish to") }
        return Array(topic.utf8)
    }

    func payload() throws -> [UInt8] {
        if let message { return Array(message.utf8) }
        if let file { return try Self.read(file) }
        return stdinFile ? try Self.readAll(STDIN_FILENO, "standard input") : []
    }

    private static func read(_ path: String) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure.usage("\(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        return try readAll(descriptor, path)
    }

    private static func readAll(_ descriptor: Int32, _ name: String) throws -> [UInt8] {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return all }
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure.usage("\(name): \(String(cString: strerror(errno)))")
            }
            all.append(contentsOf: chunk[..<count])
            guard all.count <= VariableByteInteger.maximum else {
                throw Failure.usage("\(name): more than an MQTT packet holds (256 MiB)")
            }
        }
    }
}
