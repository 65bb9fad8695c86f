import ArgumentParser
import Client
import MQTT

/// `roost sub`: mosquitto_sub's options.
struct SubscribeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sub",
        abstract: "Subscribe, and print messages as fast as they come.",
        discussion: """
            FORMAT (-F)
              %t topic  %p payload  %x %X payload in hex  %l its length  %q QoS  %r retain
              %m identifier  %j JSON  %J JSON with the payload as JSON  %I time
              %U Unix time  %% a percent sign
              %C content type  %R response topic  %D correlation data  %E expiry
              %F payload format
              %P user properties  %S subscription identifier  @X strftime  \\n \\t \\0 \\\\

            EXAMPLES
              roost sub -t 'plant/#' -v
              roost sub -t 'plant/+/temperature' -F '%I %t %p'
              roost sub -t 'alarms/#' -q 1 -c -i desk  what came meanwhile, too
              roost sub -t state -C 1 -W 5           one message, or exit code 1 after 5 s
            """,
        helpNames: .long)

    @OptionGroup var connection: MQTTOptions

    @Option(name: .shortAndLong, parsing: .unconditionalSingleValue, help: "Topic Filter; may be repeated.")
    var topic: [String] = []

    @Option(
        name: [.customShort("T"), .long], parsing: .unconditionalSingleValue,
        help: ArgumentHelp("Don't print what matches; may be repeated.", valueName: "filter"))
    var filterOut: [String] = []

    @Option(
        name: [.customShort("U"), .long], parsing: .unconditionalSingleValue,
        help: ArgumentHelp("Unsubscribe, from a kept session; may be repeated.", valueName: "filter"))
    var unsubscribe: [String] = []

    @Option(name: .shortAndLong, help: ArgumentHelp("Quality of Service.", valueName: "0-2"))
    var qos = 0

    @Flag(name: .shortAndLong, help: "Print topic and payload.")
    var verbose = false

    @Flag(name: [.customShort("N"), .customLong("no-newline")], help: "No newline behind a message.")
    var noNewline = false

    @Option(name: [.customShort("F"), .long], parsing: .unconditional, help: "How to print a message.")
    var format: String?

    @Flag(name: [.customShort("R"), .long], help: "Don't print retained messages that were there before.")
    var noRetain = false

    @Flag(help: "Print retained messages alone, and end at the first other.")
    var retainedOnly = false

    @Flag(help: "Clear the retained messages that come; -T keeps some.")
    var removeRetained = false

    @Option(name: [.customShort("C"), .customLong("count")], help: "End after this many messages.")
    var count: Int?

    @Option(
        name: [.customShort("W"), .customLong("timeout")],
        help: ArgumentHelp("End after this time.", valueName: "seconds"))
    var timeout: Double?

    @Flag(name: [.customShort("E"), .customLong("exit-subscribed")], help: "End as soon as the subscription stands.")
    var exitWhenSubscribed = false

    @Flag(help: "Don't send what this client itself publishes (MQTT 5).")
    var noLocal = false

    @Flag(help: "Show the retain flag as published (MQTT 5).")
    var retainAsPublished = false

    @Option(help: ArgumentHelp("always, new or never: when retained messages are sent (MQTT 5).", valueName: "when"))
    var retainHandling = Retained.always

    @Flag(help: "Print a JSON document a line.")
    var json = false

    enum Retained: String, ExpressibleByArgument, CaseIterable {
        case always, new, never
        var handling: RetainHandling {
            switch self {
            case .always: .send
            case .new: .sendIfNew
            case .never: .doNotSend
            }
        }
    }

    func validate() throws {
        guard (0...2).contains(qos) else { throw ValidationError("-q \(qos): 0, 1 or 2") }
        for filter in topic + filterOut + unsubscribe where !filter.isTopicFilter {
            throw ValidationError("\(filter): no Topic Filter (# is a last level of its own, + a level)")
        }
        if let count, count < 1 { throw ValidationError("-C: 1 or more") }
        if let timeout, !(timeout > 0 && timeout < 1e9) { throw ValidationError("-W: seconds") }
        guard !json || (format == nil && !verbose) else {
            throw ValidationError("--json, -v and -F exclude each other")
        }
        guard connection.protocolVersion == .v5 || !(noLocal || retainAsPublished || retainHandling != .always) else {
            throw ValidationError("--no-local, --retain-as-published and --retain-handling need -V mqttv5")
        }
        _ = try messageFormat()
    }

    func run() throws {
        let run = try MQTTRun(connection, role: "sub") { $0.automaticAcknowledgement = false }
        var filters = topic
        if filters.isEmpty, unsubscribe.isEmpty, let topic = run.address.topic { filters = [topic] }
        guard !filters.isEmpty || !unsubscribe.isEmpty else { throw Failure.usage("which topic? -t FILTER") }
        for filter in filters where !filter.isTopicFilter { throw Failure.usage("\(filter): no Topic Filter") }
        let subscriber = Subscriber(run, format: try messageFormat())
        subscriber.subscriptions = filters.map {
            Subscription(
                filter: Array($0.utf8), qos: QoS(rawValue: UInt8(qos)) ?? .atMostOnce, noLocal: noLocal,
                retainAsPublished: retainAsPublished, retainHandling: retainHandling.handling)
        }
        subscriber.subscriptionIdentifier = try PropertyArguments(connection.property).subscriptionIdentifier
        subscriber.unsubscriptions = unsubscribe.map { Array($0.utf8) }
        subscriber.filteredOut = filterOut.map { Array($0.utf8) }
        subscriber.skipsRetained = noRetain
        subscriber.retainedOnly = retainedOnly
        subscriber.removesRetained = removeRetained
        subscriber.limit = count
        subscriber.timeout = timeout.map { .nanoseconds(Int64($0 * 1e9)) }
        subscriber.endsWhenSubscribed = exitWhenSubscribed
        try run.run(subscriber)
    }

    private func messageFormat() throws -> MessageFormat {
        if json { return .json }
        if let format { return try MessageFormat(format, newline: !noNewline) }
        return verbose ? .verbose(newline: !noNewline) : .payload(newline: !noNewline)
    }
}
