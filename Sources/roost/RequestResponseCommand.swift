import ArgumentParser
import Client
import EventLoop
import Glibc
import MQTT

/// `roost rr`: publishes a request, prints the first response.
struct RequestResponseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rr",
        abstract: "Publish a request and wait for its response (MQTT 5).",
        discussion: "EXAMPLE\n  roost rr -t cmd/press-7/read -e reply/desk -m temperature -W 5",
        helpNames: .long)

    @OptionGroup var connection: MQTTOptions
    @OptionGroup var message: MessageOptions

    @Option(name: [.customShort("e"), .long], help: "The topic the response comes to.")
    var responseTopic: String

    @Option(
        name: [.customShort("W"), .customLong("timeout")],
        help: ArgumentHelp("How long to wait for the response.", valueName: "seconds"))
    var timeout: Double?

    @Flag(name: .shortAndLong, help: "Print topic and payload.")
    var verbose = false

    @Flag(name: [.customShort("N"), .customLong("no-newline")], help: "No newline behind the response.")
    var noNewline = false

    @Option(
        name: [.customShort("F"), .long], parsing: .unconditional, help: "How to print it; see `roost sub --help`.")
    var format: String?

    @Flag(help: "Print the response as JSON.")
    var json = false

    func validate() throws {
        guard message.isGiven else { throw ValidationError("what to send: one of -m, -f, -s and -n") }
        guard responseTopic.isTopicName else { throw ValidationError("-e \(responseTopic): no Topic Name") }
        guard connection.protocolVersion == .v5 else { throw ValidationError("responses exist on MQTT 5 alone") }
        if let timeout, !(timeout > 0 && timeout < 1e9) { throw ValidationError("-W: seconds") }
    }

    func run() throws {
        let run = try MQTTRun(connection, role: "rr")
        var format = MessageFormat.payload(newline: !noNewline)
        if verbose { format = .verbose(newline: !noNewline) }
        if let text = self.format { format = try MessageFormat(text, newline: !noNewline) }
        if json { format = .json }
        var properties = PropertyWriter(try PropertyArguments(connection.property).publish)
        properties.append(.responseTopic, responseTopic.utf8)
        let requester = Requester(
            run, topic: try message.topic(run.address), payload: try message.payload(), qos: message.level,
            retain: message.retain, responseTopic: Array(responseTopic.utf8), properties: properties, format: format,
            timeout: timeout.map { .nanoseconds(Int64($0 * 1e9)) })
        try run.run(requester)
    }
}

/// One request. Its Correlation Data, unless the user gave some, is what tells its response from others'.
private final class Requester: MQTTClientDelegate {
    private let run: MQTTRun
    private let topic: [UInt8]
    private let payload: [UInt8]
    private let qos: QoS
    private let retain: Bool
    private let responseTopic: [UInt8]
    private var properties: PropertyWriter
    private let format: MessageFormat
    private let timeout: Duration?
    private var correlation: [UInt8] = []

    init(
        _ run: MQTTRun, topic: [UInt8], payload: [UInt8], qos: QoS, retain: Bool, responseTopic: [UInt8],
        properties: PropertyWriter, format: MessageFormat, timeout: Duration?
    ) {
        self.run = run
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.retain = retain
        self.responseTopic = responseTopic
        self.properties = properties
        self.format = format
        self.timeout = timeout
        correlation = Self.correlation(in: properties.bytes) ?? []
        if correlation.isEmpty {
            correlation = Array("roost-\(getpid())-\(UInt32.random(in: 0 ... .max))".utf8)
            self.properties.append(.correlationData, correlation)
        }
    }

    private static func correlation(in properties: [UInt8]) -> [UInt8]? {
        properties.withUnsafeBytes { bytes in
            for case let property in PropertyReader(bytes) where property.identifier == .correlationData {
                if case .binary(let value) = property.value { return Array(value) }
            }
            return nil
        }
    }

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        _ = client.subscribe([Subscription(filter: responseTopic, qos: max(qos, .atLeastOnce), noLocal: true)])
        guard let timeout else { return }
        run.loop.schedule(after: timeout) { [unowned self] in
            run.failAndDisconnect(.refused("no response came in time"))
        }
    }

    func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) {
        if let reason = reasons.first, reason.isError {
            return run.failAndDisconnect(.refused("the broker refuses the response topic: \(reason)"))
        }
        let sent = topic.withUnsafeBytes { topic in
            payload.withUnsafeBytes { payload in
                properties.bytes.withUnsafeBytes {
                    client.publish(topic: topic, payload: payload, qos: qos, retain: retain, properties: $0)
                }
            }
        }
        if sent == nil { run.failAndDisconnect(.refused("the request is more than the broker takes")) }
    }

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {
        if reason.isError { run.failAndDisconnect(.refused("the broker refuses the request: \(reason)")) }
        if reason == .noMatchingSubscribers { run.warn("nobody subscribes to the request's topic") }
    }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {
        guard !publish.retain, Self.correlation(in: Array(publish.properties)) ?? correlation == correlation else {
            return
        }
        var buffer = ByteBuffer()
        format.append(publish, to: &buffer)
        _ = buffer.withBytes { Terminal.writeAll($0, to: STDOUT_FILENO) }
        client.disconnect()
    }

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {
        if let failure = run.failure(for: error) { run.fail(failure) } else { run.stop() }
    }
}
