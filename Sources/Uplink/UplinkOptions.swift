import EventLoop
import MQTT
import Store

/// One `[[uplink]]`, checked: what roostd makes of the configuration.
public struct UplinkOptions: Sendable {
    public var name: String
    /// This node's id and labels, for topics and batch headers.
    public var node: String
    public var labels: [(name: String, value: String)]
    /// `mqtt://host:port`, in the order in which they are tried.
    public var urls: [String]
    public var username: [UInt8]?
    public var password: [UInt8]?
    public var clientIdentifier: String
    public var version: ProtocolVersion
    /// Seconds that the upstream keeps our Session; `UInt32.max`: for ever.
    public var sessionExpiry: UInt32
    /// Seconds.
    public var keepAlive: UInt16
    public var batchPrefix: String
    /// An empty batch goes when a route sent nothing else for this long; `.zero`: never.
    public var heartbeat: Duration
    public var reconnectMin: Duration
    public var reconnectMax: Duration
    /// Bits a second of everything on the connection, upwards; 0: no limit. See `TokenBucket` for the bursts, in bits.
    public var egressBitsPerSecond = 0
    public var egressBurstBits = 0
    public var ingressBitsPerSecond = 0
    public var ingressBurstBits = 0
    public var routes: [RouteOptions]
    public var subscriptions: [SubscribeOptions]
    /// The most PUBLISHes that are unacknowledged at once, whatever the upstream allows.
    public var inflight: UInt16

    public init(
        name: String, node: String, labels: [(name: String, value: String)] = [], urls: [String],
        username: [UInt8]? = nil, password: [UInt8]? = nil, clientIdentifier: String, version: ProtocolVersion = .v5,
        sessionExpiry: UInt32 = 7 * 86_400, keepAlive: UInt16 = 60, batchPrefix: String = "roost/batch",
        heartbeat: Duration = .seconds(300), reconnectMin: Duration = .seconds(1),
        reconnectMax: Duration = .seconds(120), routes: [RouteOptions] = [], subscriptions: [SubscribeOptions] = [],
        inflight: UInt16 = 100
    ) {
        self.name = name
        self.node = node
        self.labels = labels
        self.urls = urls
        self.username = username
        self.password = password
        self.clientIdentifier = clientIdentifier
        self.version = version
        self.sessionExpiry = sessionExpiry
        self.keepAlive = keepAlive
        self.batchPrefix = batchPrefix
        self.heartbeat = heartbeat
        self.reconnectMin = reconnectMin
        self.reconnectMax = reconnectMax
        self.routes = routes
        self.subscriptions = subscriptions
        self.inflight = inflight
    }
}

/// One `[[uplink.route]]`: how the messages of a `RouteQueue` are sent. Which messages it takes is the broker's to know.
public struct RouteOptions: Sendable {
    public enum Mode: Sendable { case batch, each }
    /// `auto`: high unless the core is busy (`BatchTuning`).
    public enum Level: Sendable { case fast, high, auto }

    /// The route's name within its uplink.
    public var name: String
    public var priority: EvictionClass
    public var mode: Mode
    /// Bytes of PUBLISH packets, before compression, at which a batch is made.
    public var batchBytes: Int
    /// The longest that a message waits for company.
    public var batchDelay: Duration
    public var level: Level
    /// No delay while a publisher's acknowledgement waits that can settle.
    public var eager: Bool
    /// Pattern for the topics.
    public var topic: String
    /// In place of the pattern.
    public var swap: PrefixSwap?
    /// In `each` mode false lets messages with QoS 0 go at QoS 0.
    public var storesQoS0: Bool
    /// In `each` mode: exactly once over whatever happens to this node, or at least once.
    public var qos = QoS.atLeastOnce
    /// In `each` mode on MQTT 5: User Property `t` with the time of receipt.
    public var stamp: Bool
    /// The most that the route's backlog takes, bits a second on the wire; 0: no limit of its own. See `ReplayLimit`.
    public var replayBitsPerSecond = 0
    /// When the route may send; none: always.
    public var windows: [SendingWindow] = []

    public init(
        name: String, priority: EvictionClass = .normal, mode: Mode = .batch, batchBytes: Int = 256 << 10,
        batchDelay: Duration = .seconds(1), level: Level = .auto, eager: Bool = true, topic: String = "{topic}",
        storesQoS0: Bool = true, stamp: Bool = false
    ) {
        self.name = name
        self.priority = priority
        self.mode = mode
        self.batchBytes = batchBytes
        self.batchDelay = batchDelay
        self.level = level
        self.eager = eager
        self.topic = topic
        self.storesQoS0 = storesQoS0
        self.stamp = stamp
    }
}

extension RouteOptions {
    func mapping(for uplink: UplinkOptions) throws(UplinkError) -> TopicMapping {
        if let swap { return TopicMapping(swap) }
        do throws(TopicMapping.PatternError) {
            return try TopicMapping(topic, node: uplink.node, labels: uplink.labels)
        } catch {
            throw .badTopic(pattern: topic, error)
        }
    }
}

/// One `[[uplink.subscribe]]`: what comes from the cloud.
public struct SubscribeOptions: Sendable {
    /// With `{node}` and labels already put in.
    public var filter: String
    public var qos: QoS
    /// Pattern for the topics on this node.
    public var topic: String
    /// In place of the pattern.
    public var swap: PrefixSwap?

    public init(filter: String, qos: QoS = .atLeastOnce, topic: String = "{topic}") {
        self.filter = filter
        self.qos = qos
        self.topic = topic
    }
}

/// Why an uplink can't be made of its options.
public enum UplinkError: Error, Equatable, Sendable, CustomStringConvertible {
    case noAddress(uplink: String)
    /// Not `SCHEME://HOST[:PORT]`.
    case badAddress(String)
    /// An address that wants TLS, and nothing to check the upstream's certificate by.
    case noTLS(String)
    case badTopic(pattern: String, TopicMapping.PatternError)
    case badFilter(String)

    public var description: String {
        switch self {
        case .noAddress(let uplink): "uplink \(uplink) has no urls"
        case .badAddress(let url): "\(url) is not an address (mqtt, mqtts, ws or wss://host:port)"
        case .noTLS(let url): "\(url): nothing says whom to trust"
        case .badTopic(let pattern, let error): "topic pattern \(pattern): \(error)"
        case .badFilter(let filter): "\(filter) is not a topic filter"
        }
    }
}

/// One address of an uplink.
struct UplinkAddress {
    let url: String
    let endpoint: Endpoint
    let usesTLS: Bool
    /// Nil: MQTT without WebSocket.
    let webSocket: WebSocketRequest?

    init(_ url: String) throws(UplinkError) {
        let parts = url.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].hasPrefix("//") else { throw .badAddress(url) }
        let rest = parts[1].dropFirst(2)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let path = rest.dropFirst(authority.count)
        let usualPort: String
        let usesWebSocket: Bool
        switch parts[0] {
        case "mqtt", "tcp": (usesTLS, usesWebSocket, usualPort) = (false, false, ":1883")
        case "mqtts", "ssl": (usesTLS, usesWebSocket, usualPort) = (true, false, ":8883")
        case "ws": (usesTLS, usesWebSocket, usualPort) = (false, true, ":80")
        case "wss": (usesTLS, usesWebSocket, usualPort) = (true, true, ":443")
        default: throw .badAddress(url)
        }
        // Behind an IPv6 address's bracket, or anywhere else in a name, a colon begins the port.
        let hasPort = authority.last != "]" && authority.contains(":")
        guard !authority.isEmpty, authority.first != ":", !authority.contains("@"),
            let endpoint = Endpoint(parsing: hasPort ? String(authority) : authority + usualPort),
            case .tcp(let host, let port) = endpoint
        else { throw .badAddress(url) }
        if usesWebSocket {
            let path = path.hasPrefix("/") ? String(path) : WebSocketRequest.usualPath + path
            guard let request = WebSocketRequest(host: host, port: port, path: path, usesTLS: usesTLS) else {
                throw .badAddress(url)
            }
            webSocket = request
        } else {
            guard path.isEmpty || path == "/" else { throw .badAddress(url) }
            webSocket = nil
        }
        self.url = url
        self.endpoint = endpoint
    }

    var host: String {
        switch endpoint {
        case .tcp(let host, _): host
        case .unix: ""
        }
    }
}
