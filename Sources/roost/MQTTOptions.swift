import ArgumentParser
import Client
import EventLoop
import Glibc
import MQTT

/// Which broker, and how to introduce ourselves: what mosquitto_pub and mosquitto_sub call by the same letters.
struct MQTTOptions: ParsableArguments {
    @Option(
        name: [.customShort("L"), .long],
        help: "mqtt[s]://[user[:password]@]host[:port][/topic], ws[s]://...[/path], or unix:/path.")
    var url: String?

    @Option(name: .shortAndLong, help: "The broker's host.")
    var host: String?

    @Option(name: .shortAndLong, help: "The broker's port.")
    var port: UInt16?

    @Option(help: ArgumentHelp("A broker's Unix socket, in place of host and port.", valueName: "path"))
    var unix: String?

    @OptionGroup(title: "TLS") var tls: TLSOptions

    @Option(name: [.customShort("i"), .long], help: "Client Identifier.")
    var id: String?

    @Option(
        name: [.customShort("I"), .long],
        help: ArgumentHelp("Client Identifier: this, then the process id.", valueName: "prefix"))
    var idPrefix: String?

    @Option(name: .shortAndLong, help: "User name.")
    var username: String?

    @Option(name: [.customShort("P"), .customLong("pw")], parsing: .unconditional, help: "Password.")
    var password: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("Keep Alive.", valueName: "seconds"))
    var keepalive: UInt16 = 60

    @Option(
        name: [.customShort("V"), .long],
        help: ArgumentHelp("mqttv5 or mqttv311 (5, 311).", valueName: "version"))
    var protocolVersion = Version.v5

    @Flag(name: [.customShort("c"), .customLong("disable-clean-session")], help: "Keep the session: needs --id.")
    var keepSession = false

    @Option(
        name: [.customShort("x"), .long], parsing: .unconditional,
        help: ArgumentHelp("Session Expiry Interval; -1: never. Default: -1 with -c, else 0.", valueName: "seconds"))
    var sessionExpiryInterval: String?

    @Option(help: ArgumentHelp("Topic of the Will Message.", valueName: "topic"))
    var willTopic: String?

    @Option(parsing: .unconditional, help: ArgumentHelp("Payload of the Will Message.", valueName: "payload"))
    var willPayload: String?

    @Option(help: ArgumentHelp("QoS of the Will Message.", valueName: "0-2"))
    var willQos = 0

    @Flag(help: "Retain the Will Message.")
    var willRetain = false

    @Option(
        name: [.customShort("D"), .long], parsing: .upToNextOption,
        help: ArgumentHelp(
            "An MQTT 5 property: COMMAND NAME VALUE, or COMMAND user-property NAME VALUE.", valueName: "property"))
    var property: [String] = []

    @Flag(help: "Say nothing about errors.")
    var quiet = false

    @Flag(name: .customLong("nodelay"), help: .hidden)
    var noDelay = false

    /// mosquitto_pub's words for the protocol, and the bare numbers.
    enum Version: String, ExpressibleByArgument {
        case v5, v311

        init?(argument: String) {
            switch argument.lowercased() {
            case "mqttv5", "5": self = .v5
            case "mqttv311", "311", "4", "3.1.1": self = .v311
            default: return nil
            }
        }

        var version: ProtocolVersion { self == .v5 ? .v5 : .v311 }
        var defaultValueDescription: String { self == .v5 ? "mqttv5" : "mqttv311" }
    }

    func validate() throws {
        guard !keepSession || id != nil else { throw ValidationError("-c keeps a session: name it with --id") }
        guard (0...2).contains(willQos) else { throw ValidationError("--will-qos: 0, 1 or 2") }
        guard willTopic != nil || (willPayload == nil && !willRetain && willQos == 0) else {
            throw ValidationError("a Will Message needs --will-topic")
        }
        if let willTopic, !willTopic.isTopicName { throw ValidationError("--will-topic \(willTopic): no Topic Name") }
        if url != nil, host != nil || port != nil || unix != nil {
            throw ValidationError("--url takes the place of --host, --port and --unix")
        }
        if tls.isWanted, unix != nil || url.map({ (try? MQTTAddress(url: $0))?.usesTLS == false }) ?? false {
            throw ValidationError("certificates are for mqtts:// and wss:// alone")
        }
        _ = try expiry()
        let properties = try PropertyArguments(property)
        guard protocolVersion == .v5 || properties.isEmpty else {
            throw ValidationError("properties exist on MQTT 5 alone: -V mqttv5")
        }
        do throws(Failure) { _ = try address() } catch { throw ValidationError(error.message) }
    }

    /// Where to connect, and what else the URL said.
    func address() throws(Failure) -> MQTTAddress {
        if let url { return try MQTTAddress(url: url) }
        if let unix { return MQTTAddress(endpoint: .unix(path: unix)) }
        var address = MQTTAddress(endpoint: .tcp(host: host ?? "localhost", port: port ?? (tls.isWanted ? 8883 : 1883)))
        address.usesTLS = tls.isWanted
        return address
    }

    /// - Parameter role: "pub", "sub": a part of the Client Identifier if none was given.
    func clientOptions(role: String) throws -> MQTTClient.Options {
        let address = try address()
        let properties = try PropertyArguments(property)
        var options = MQTTClient.Options()
        options.clientIdentifier = Array((id ?? (idPrefix ?? "roost-\(role)-") + "\(getpid())").utf8)
        options.version = protocolVersion.version
        options.cleanStart = !keepSession
        options.sessionExpiryInterval = try expiry()
        options.keepAlive = keepalive
        options.username = (username ?? address.username).map { Array($0.utf8) }
        options.password = (password ?? address.password).map { Array($0.utf8) }
        if let willTopic {
            var will = Will(topic: Array(willTopic.utf8), payload: Array((willPayload ?? "").utf8))
            will.qos = QoS(rawValue: UInt8(willQos)) ?? .atMostOnce
            will.retain = willRetain
            properties.apply(to: &will)
            options.will = will
        }
        properties.apply(to: &options)
        return options
    }

    private func expiry() throws -> UInt32 {
        switch sessionExpiryInterval {
        case nil: return keepSession ? .max : 0
        case "-1", "∞": return .max
        case let text?:
            guard let seconds = UInt32(text) else { throw ValidationError("-x \(text): seconds, or -1 for ever") }
            return seconds
        }
    }
}

extension String {
    var isTopicName: Bool { utf8.count <= 65_535 && Array(utf8).withUnsafeBytes { TopicName.isValid($0) } }
    var isTopicFilter: Bool { utf8.count <= 65_535 && Array(utf8).withUnsafeBytes { TopicFilter.isValid($0) } }
}
