/// One `[[uplink]]`: a client of one upstream, with its routes and subscriptions.
public struct UplinkSettings: Sendable, Equatable {
    /// One topic level; unique among the uplinks.
    public var name = ""
    /// In the order in which they are tried; never empty after reading.
    public var urls: [UplinkURL] = []
    public var username = ""
    public var passwordFile = ""
    public var clientID = "{node}-{name}"
    /// The uplink's own session at the upstream.
    public var sessionExpiry: Duration = .seconds(7 * 86400)
    public var batchPrefix = "roost/batch"
    /// An empty batch when nothing else was sent for this long; zero: never.
    public var heartbeat: Duration = .seconds(300)
    /// Carry device twins and their topics.
    public var twin = false
    public var `protocol` = ProtocolVersion.v5
    public var tls = UplinkTLSSettings()
    public var keepAlive: Duration = .seconds(60)
    public var reconnect = BackoffSettings(min: .seconds(1), max: .seconds(120))
    /// Bits a second, 0: no limit.
    public var egressBitsPerSecond = 0
    /// Bits that may go at once, as in the CNI bandwidth plugin; 0: a second's worth.
    public var egressBurstBits = 0
    public var ingressBitsPerSecond = 0
    public var ingressBurstBits = 0
    public var routes: [RouteSettings] = []
    public var subscriptions: [SubscribeSettings] = []

    public init() {}
}

/// The protocol's number in CONNECT.
public enum ProtocolVersion: Int, Sendable, CaseIterable {
    /// MQTT 3.1.1.
    case v4 = 4
    case v5 = 5
}

/// How an uplink checks the upstream and shows itself.
public struct UplinkTLSSettings: Sendable, Equatable {
    /// A PEM file, or "system" for the system's own authorities.
    public var ca = "system"
    public var certificate = ""
    public var key = ""
    public var alpn: [String] = []
    /// Empty: the URL's host.
    public var serverName = ""

    public init() {}
}

/// The pause before another try: doubled from `min` up to `max`, with jitter.
public struct BackoffSettings: Sendable, Equatable {
    public var min: Duration
    public var max: Duration

    public init(min: Duration, max: Duration) {
        self.min = min
        self.max = max
    }
}

extension UplinkSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("name", &name, .level)
        fields.value("urls", &urls, .list(of: .uplinkURL))
        fields.value("username", &username, .text)
        fields.value("password_file", &passwordFile, .text)
        fields.value("client_id", &clientID, .requiredText)
        fields.value("session_expiry", &sessionExpiry, .time(in: .zero ... .seconds(Int64(UInt32.max))))
        fields.value("batch_prefix", &batchPrefix, .topicName)
        fields.value("heartbeat", &heartbeat, .time(in: .zero ... .longest))
        fields.value("twin", &twin, .flag)
        fields.value("protocol", &`protocol`, .number())
        fields.table("tls", &tls)
        fields.value("keep_alive", &keepAlive, .time(in: .seconds(1) ... .seconds(65535)))
        fields.table("reconnect", &reconnect)
        fields.value("egress_rate", &egressBitsPerSecond, .rate)
        fields.value("egress_burst", &egressBurstBits, .rate)
        fields.value("ingress_rate", &ingressBitsPerSecond, .rate)
        fields.value("ingress_burst", &ingressBurstBits, .rate)
        fields.tables("route", &routes)
        fields.tables("subscribe", &subscriptions)
    }
}

extension UplinkTLSSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("ca", &ca, .requiredText)
        fields.value("certificate", &certificate, .text)
        fields.value("key", &key, .text)
        fields.value("alpn", &alpn, .list(of: .requiredText))
        fields.value("server_name", &serverName, .text)
    }
}

extension BackoffSettings: SettingsTable {
    package init() { self.init(min: .seconds(1), max: .seconds(60)) }

    package mutating func visit(_ fields: inout some Fields) {
        fields.value("min", &min, .time(in: .milliseconds(10) ... .longest))
        fields.value("max", &max, .time(in: .milliseconds(10) ... .longest))
    }
}
