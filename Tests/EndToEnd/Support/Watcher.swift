import Client
import EventLoop
import MQTT

/// A subscriber that takes anything.
final class Watcher: MQTTClientDelegate {
    private let client: MQTTClient
    private let filter: String
    private(set) var isSubscribed = false
    private(set) var received = 0
    private(set) var payloads: Set<String> = []

    /// - Parameter name: of a session to continue; nil: a new one that ends with the connection.
    init(_ scenario: Scenario, name: String? = nil, filter: String, to endpoint: Endpoint) {
        self.filter = filter
        var options = MQTTClient.Options()
        options.cleanStart = name == nil
        options.clientIdentifier = Array((name ?? "watcher").utf8)
        options.sessionExpiryInterval = name == nil ? 0 : 3600
        client = MQTTClient(loop: scenario.loop, network: scenario.network, options: options)
        client.delegate = self
        client.connect(to: endpoint)
    }

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        _ = client.subscribe([Subscription(filter: Array(filter.utf8), qos: .exactlyOnce)])
    }

    func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) { isSubscribed = true }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {
        received += 1
        payloads.insert(String(decoding: publish.payload.prefix { $0 != 0 }, as: UTF8.self))
    }

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {}

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {}
}
