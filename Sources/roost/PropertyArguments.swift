import ArgumentParser
import Client
import MQTT

/// `-D COMMAND NAME VALUE`, as in mosquitto_pub: MQTT 5 properties by the packet they go into.
struct PropertyArguments {
    private struct Entry {
        var command: String
        var identifier: PropertyIdentifier
        var value: String
        /// The name of a User Property.
        var name = ""
    }

    private static let commands = ["connect", "publish", "subscribe", "will"]

    private static let identifiers: [String: PropertyIdentifier] = [
        "payload-format-indicator": .payloadFormatIndicator,
        "message-expiry-interval": .messageExpiryInterval,
        "content-type": .contentType,
        "response-topic": .responseTopic,
        "correlation-data": .correlationData,
        "subscription-identifier": .subscriptionIdentifier,
        "session-expiry-interval": .sessionExpiryInterval,
        "will-delay-interval": .willDelayInterval,
        "receive-maximum": .receiveMaximum,
        "maximum-packet-size": .maximumPacketSize,
        "topic-alias-maximum": .topicAliasMaximum,
        "user-property": .userProperty,
    ]

    private static let ofMessage: [PropertyIdentifier] = [
        .payloadFormatIndicator, .messageExpiryInterval, .contentType, .responseTopic, .correlationData, .userProperty,
    ]

    private static let allowed: [String: [PropertyIdentifier]] = [
        "connect": [
            .sessionExpiryInterval, .receiveMaximum, .maximumPacketSize, .topicAliasMaximum, .userProperty,
        ],
        "publish": ofMessage,
        "subscribe": [.subscriptionIdentifier],
        "will": ofMessage + [.willDelayInterval],
    ]

    private var entries: [Entry] = []

    var isEmpty: Bool { entries.isEmpty }

    /// - Parameter words: all `-D`s, one behind the other.
    init(_ words: [String]) throws {
        var rest = words[...]
        while let command = rest.popFirst() {
            guard Self.commands.contains(command) else {
                throw ValidationError("-D \(command): the commands are \(Self.commands.joined(separator: ", "))")
            }
            guard let word = rest.popFirst(), let identifier = Self.identifiers[word] else {
                throw ValidationError(
                    "-D \(command): the properties are \(Self.identifiers.keys.sorted().joined(separator: ", "))")
            }
            guard Self.allowed[command]?.contains(identifier) == true else {
                throw ValidationError("-D \(command) \(word): \(command) has no such property")
            }
            var entry = Entry(command: command, identifier: identifier, value: "")
            if identifier == .userProperty, let name = rest.popFirst() { entry.name = name }
            guard let value = rest.popFirst() else {
                throw ValidationError("-D \(command) \(word): the value is missing")
            }
            entry.value = value
            guard Self.isValid(entry) else {
                throw ValidationError("-D \(command) \(word): \(value) is no value for it")
            }
            entries.append(entry)
        }
    }

    private static func isValid(_ entry: Entry) -> Bool {
        switch entry.identifier {
        case .payloadFormatIndicator: entry.value == "0" || entry.value == "1"
        case .messageExpiryInterval, .sessionExpiryInterval, .willDelayInterval: UInt32(entry.value) != nil
        case .topicAliasMaximum: UInt16(entry.value) != nil
        case .receiveMaximum: UInt16(entry.value).map { $0 > 0 } ?? false
        case .maximumPacketSize: UInt32(entry.value).map { $0 > 0 } ?? false
        case .subscriptionIdentifier: UInt32(entry.value).map { 1...0x0FFF_FFFF ~= $0 } ?? false
        case .responseTopic: entry.value.isTopicName
        default: entry.value.utf8.count <= 65_535 && entry.name.utf8.count <= 65_535
        }
    }

    // MARK: - Where they go

    /// Encoded properties of PUBLISH.
    var publish: [UInt8] {
        var writer = PropertyWriter()
        for entry in entries where entry.command == "publish" { Self.append(entry, to: &writer) }
        return writer.bytes
    }

    var subscriptionIdentifier: UInt32? {
        entries.last { $0.identifier == .subscriptionIdentifier }.flatMap { UInt32($0.value) }
    }

    func apply(to options: inout MQTTClient.Options) {
        for entry in entries where entry.command == "connect" {
            switch entry.identifier {
            case .sessionExpiryInterval: options.sessionExpiryInterval = UInt32(entry.value) ?? 0
            case .receiveMaximum: options.receiveMaximum = UInt16(entry.value) ?? 65_535
            case .maximumPacketSize: options.maximumPacketSize = Int(entry.value) ?? options.maximumPacketSize
            case .topicAliasMaximum: options.topicAliasMaximum = UInt16(entry.value) ?? 0
            default: options.userProperties.append(UserProperty(entry.name, entry.value))
            }
        }
    }

    func apply(to will: inout Will) {
        var writer = PropertyWriter()
        for entry in entries where entry.command == "will" {
            switch entry.identifier {
            case .willDelayInterval: will.delay = UInt32(entry.value) ?? 0
            case .messageExpiryInterval: will.messageExpiryInterval = UInt32(entry.value)
            default: Self.append(entry, to: &writer)
            }
        }
        will.properties = writer.bytes
    }

    private static func append(_ entry: Entry, to writer: inout PropertyWriter) {
        switch entry.identifier {
        case .payloadFormatIndicator: writer.append(entry.identifier, byte: entry.value == "1" ? 1 : 0)
        case .messageExpiryInterval: writer.append(entry.identifier, fourBytes: UInt32(entry.value) ?? 0)
        case .userProperty: writer.append(UserProperty(entry.name, entry.value))
        default: writer.append(entry.identifier, entry.value.utf8)
        }
    }
}
