/// `[limits]`: what one client, session or address may take. Zero is "no limit" where the comment says so.
public struct LimitSettings: Sendable, Equatable {
    /// Maximum Packet Size that is accepted and announced, bytes.
    public var packetBytes = 1 << 20
    public var connectTimeout: Duration = .seconds(10)
    /// Receive Maximum that is announced.
    public var inflight = 100
    /// Messages queued for one offline or slow session.
    public var sessionMessages = 100_000
    public var sessionBytes = 64 << 20
    /// Unsent bytes for one connection; QoS 0 beyond it is dropped and counted.
    public var outputBufferBytes = 4 << 20
    /// The longest Session Expiry Interval that is granted; 3.1.1 sessions get this.
    public var sessionExpiry: Duration = .seconds(7 * 86400)
    /// Messages a second for one client, 0: no limit.
    public var publishRate = 0
    public var topicLevels = 32
    /// Topic Alias Maximum that is announced.
    public var topicAliases = 10
    /// Maximum QoS.
    public var qos = 2
    /// Subscriptions of one session.
    public var subscriptions = 1000
    /// Topics with a retained message.
    public var retained = 100_000
    /// Connection attempts a second from one address, 0: no limit.
    public var connectRate = 0
    public var sessionFull = SessionFull.oldest
    /// Refuse payloads that claim to be UTF-8 and are not.
    public var checkUTF8 = false
    /// Retain Available.
    public var retain = true
    /// The largest payload in bytes, 0: only `packetBytes` limits it.
    public var payloadBytes = 0
    /// The longest Keep Alive accepted (Server Keep Alive on 5), 0: any.
    public var keepAlive: Duration = .zero
    /// May a client leave its identifier to the server.
    public var emptyClientID = true
    public var clientIDPrefix = "auto-"
    /// Response Information for those who ask for it, with `{client}`; empty: none.
    public var responseInformation = ""
    /// Over all listeners, 0: no limit.
    public var connections = 0
    /// 0: no limit.
    public var sessions = 0

    public init() {}
}

/// Which message a full session loses.
public enum SessionFull: String, Sendable, CaseIterable {
    case oldest
    case newest
}

extension LimitSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("packet", &packetBytes, .size(in: 128...268_435_460))
        fields.value("connect_timeout", &connectTimeout, .time(in: .milliseconds(1) ... .seconds(3600)))
        fields.value("inflight", &inflight, .count(in: 1...65535))
        fields.value("session_messages", &sessionMessages, .count(in: 1...1_000_000_000))
        fields.value("session_bytes", &sessionBytes, .size(in: 1024 ... .max))
        fields.value("output_buffer", &outputBufferBytes, .size(in: 1024...(1 << 32)))
        fields.value("session_expiry", &sessionExpiry, .time(in: .zero ... .seconds(Int64(UInt32.max))))
        fields.value("publish_rate", &publishRate, .count(in: 0...1_000_000_000))
        fields.value("topic_levels", &topicLevels, .count(in: 1...65536))
        fields.value("topic_aliases", &topicAliases, .count(in: 0...65535))
        fields.value("qos", &qos, .count(in: 0...2))
        fields.value("subscriptions", &subscriptions, .count(in: 1...10_000_000))
        fields.value("retained", &retained, .count(in: 0...1_000_000_000))
        fields.value("connect_rate", &connectRate, .count(in: 0...1_000_000))
        fields.value("session_full", &sessionFull, .word())
        fields.value("check_utf8", &checkUTF8, .flag)
        fields.value("retain", &retain, .flag)
        fields.value("payload", &payloadBytes, .size(in: 0...268_435_455))
        fields.value("keep_alive", &keepAlive, .time(in: .zero ... .seconds(65535)))
        fields.value("empty_client_id", &emptyClientID, .flag)
        fields.value("client_id_prefix", &clientIDPrefix, .text)
        fields.value("response_information", &responseInformation, .text)
        fields.value("connections", &connections, .count(in: 0...10_000_000))
        fields.value("sessions", &sessions, .count(in: 0...1_000_000_000))
    }
}
