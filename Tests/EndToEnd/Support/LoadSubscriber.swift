import Client
import EventLoop
import MQTT

/// A persistent subscriber that writes down what it gets of a load, drops its connection when told, and comes back.
final class LoadSubscriber: MQTTClientDelegate {
    struct Delivery {
        var connection: Int
        /// Which run of the broker it came from.
        var run: Int
        var isDuplicate: Bool
    }

    private let endpoint: Endpoint
    private let filter: String
    let receiveMaximum: Int
    private let client: MQTTClient
    private unowned let scenario: Scenario
    private let highest: QoS
    private let lowest: QoS
    private weak var roostd: Roostd?
    private var run = 0
    private var hadSession = false
    private var stopped = false

    private(set) var deliveries: [MessageName: [Delivery]] = [:]
    /// Numbers of first deliveries, by stream, as they came.
    private(set) var order: [String: [Int]] = [:]
    private(set) var received = 0
    private(set) var connections = 0
    private(set) var isSubscribed = false
    private(set) var complaints: [String] = []
    /// Called after every delivery.
    var onReceive: (() -> Void)?

    convenience init(_ scenario: Scenario, name: String = "subscriber", to roostd: Roostd) {
        self.init(scenario, name: name, to: roostd.endpoint)
        self.roostd = roostd
    }

    /// - Parameters:
    ///   - highest: the QoS that the way here leaves of QoS 2.
    ///   - lowest: the QoS that it raises everything to.
    init(
        _ scenario: Scenario, name: String = "subscriber", filter: String = "load/#", receiveMaximum: UInt16 = 200,
        highest: QoS = .exactlyOnce, lowest: QoS = .atMostOnce, to endpoint: Endpoint
    ) {
        self.filter = filter
        self.scenario = scenario
        self.endpoint = endpoint
        self.receiveMaximum = Int(receiveMaximum)
        self.highest = highest
        self.lowest = lowest
        var options = MQTTClient.Options()
        options.clientIdentifier = Array(name.utf8)
        options.cleanStart = false
        options.sessionExpiryInterval = 3600
        options.receiveMaximum = receiveMaximum
        client = MQTTClient(loop: scenario.loop, network: scenario.network, options: options)
        client.delegate = self
        connect()
    }

    var uniqueCount: Int { deliveries.count }
    var isConnected: Bool { client.isConnected }

    private func connect() {
        if !stopped { client.connect(to: endpoint) }
    }

    /// Cuts the connection, without DISCONNECT; it comes back after `pause`.
    func drop(for pause: Duration) {
        guard client.isActive else { return }
        self.pause = pause
        client.abort()
    }

    private var pause: Duration?

    func stop() {
        stopped = true
        client.abort()
    }

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        connections += 1
        run = roostd?.runs ?? connections
        if hadSession && !connack.sessionPresent { complaints.append("the session of the subscriber is gone") }
        if !isSubscribed { _ = client.subscribe([Subscription(filter: Array(filter.utf8), qos: .exactlyOnce)]) }
    }

    func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) {
        isSubscribed = true
        hadSession = true
    }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {
        received += 1
        guard let name = MessageName(topic: publish.topic, payload: publish.payload) else {
            complaints.append("a message that nobody sent, on \(String(decoding: publish.topic, as: UTF8.self))")
            return
        }
        if publish.qos != max(min(name.qos, highest), lowest) {
            complaints.append("\(name) came at QoS \(publish.qos.rawValue)")
        }
        let delivery = Delivery(
            connection: client.connectionNumber, run: run, isDuplicate: publish.isDuplicate)
        if deliveries[name] == nil {
            deliveries[name] = [delivery]
            order[name.stream, default: []].append(name.number)
        } else {
            deliveries[name]?.append(delivery)
        }
        onReceive?()
    }

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {}

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {
        if case .protocolError(let error) = error { complaints.append("the broker broke the protocol: \(error)") }
        let after = pause ?? .milliseconds(20)
        pause = nil
        scenario.loop.schedule(after: after) { [weak self] in self?.connect() }
    }

    var state: String {
        "subscriber: \(received) received, \(uniqueCount) different, \(connections) connections, "
            + (client.isConnected ? "connected" : "not connected")
    }
}
