/// One `[[uplink.route]]`: which messages go to the cloud, and how.
public struct RouteSettings: Sendable, Equatable {
    /// Empty: the filter. See `placeName`.
    public var name = ""
    /// The first route in the file that matches takes the message.
    public var filter = ""
    public var priority = Priority.normal
    public var mode = RouteMode.batch
    public var batch = BatchSettings()
    /// Where the message goes, with placeholders.
    public var topic = "{topic}"
    public var storeQoS0 = true
    /// `each` mode: 1, at least once; 2, exactly once.
    public var qos = 1
    public var ack = RouteAcknowledgement.stored
    /// With `ack == .upstream` only.
    public var ackTimeout: Duration = .seconds(30)
    public var send = SendOrder.oldest
    public var keep = KeepMessages.all
    /// For backlog alone, bits a second; 0: no limit of its own.
    public var replayBitsPerSecond = 0
    /// This route's share of the store's budget; nil: no limit of its own.
    public var budgetBytes: Int?
    /// User Property `t` with the time of receipt (`each` mode, MQTT 5).
    public var stamp = false
    /// When it may send, local time; empty: always.
    public var window: [DailyWindow] = []
    /// nil: the store's.
    public var ttl: Duration?

    public init() {}

    /// The name by which the route keeps its place: unique in the uplink.
    public var placeName: String { name.isEmpty ? filter : name }
}

/// A route's class; the order of the cases is the order of precedence.
public enum Priority: String, Sendable, CaseIterable {
    case critical
    case high
    case normal
    case bulk
}

/// What a route sends.
public enum RouteMode: String, Sendable, CaseIterable {
    /// To a Roost receiver.
    case batch
    /// One PUBLISH a message, to any MQTT broker.
    case each
}

/// When a publisher gets its acknowledgement.
public enum RouteAcknowledgement: String, Sendable, CaseIterable {
    /// Safe on disk or delivered.
    case stored
    /// Only once the far end has it.
    case upstream
}

/// Which of the waiting messages goes first, within its priority.
public enum SendOrder: String, Sendable, CaseIterable {
    case oldest
    case newest
}

/// Which messages wait.
public enum KeepMessages: String, Sendable, CaseIterable {
    case all
    /// One message a topic.
    case latest
}

/// How a route's batches are made.
public struct BatchSettings: Sendable, Equatable {
    public var bytes = 256 << 10
    public var delay: Duration = .seconds(1)
    public var level = CompressionLevel.auto
    /// No delay while an acknowledgement waits that can settle.
    public var eager = true

    public init() {}
}

/// LZ4's effort.
public enum CompressionLevel: String, Sendable, CaseIterable {
    case fast
    case hc
    /// `hc` unless the core is busy.
    case auto
}

extension RouteSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("name", &name, .text)
        fields.value("filter", &filter, .topicFilter)
        fields.value("priority", &priority, .word())
        fields.value("mode", &mode, .word())
        fields.table("batch", &batch)
        fields.value("topic", &topic, .topicName)
        fields.value("store_qos0", &storeQoS0, .flag)
        fields.value("qos", &qos, .count(in: 1...2))
        fields.value("ack", &ack, .word())
        fields.value("ack_timeout", &ackTimeout, .time(in: .milliseconds(1) ... .seconds(86400)))
        fields.value("send", &send, .word())
        fields.value("keep", &keep, .word())
        fields.value("replay_rate", &replayBitsPerSecond, .rate)
        fields.value("budget", &budgetBytes, .optional(.size(in: (1 << 20) ... .max)))
        fields.value("stamp", &stamp, .flag)
        fields.value("window", &window, .windows)
        fields.value("ttl", &ttl, .optional(.time(in: .seconds(1) ... .longest)))
    }
}

extension BatchSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("bytes", &bytes, .size(in: 1024...(64 << 20)))
        fields.value("delay", &delay, .time(in: .zero ... .seconds(86400)))
        fields.value("level", &level, .word())
        fields.value("eager", &eager, .flag)
    }
}
