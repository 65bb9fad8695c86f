import Client
import EventLoop
import MQTT

/// The application at the cloud: subscribes to everything at QoS 2 in a session that outlives connections, so that what it
/// counts is exactly what the cloud has.
final class Reader: MQTTClientDelegate {
    private let loop: EventLoop
    private let client: MQTTClient
    private let cloud: Endpoint
    private unowned let counts: Counts
    private var isEnding = false
    private(set) var isSubscribed = false

    init(loop: EventLoop, network: any Network, cloud: Endpoint, counts: Counts) {
        self.loop = loop
        self.cloud = cloud
        self.counts = counts
        var options = MQTTClient.Options()
        options.clientIdentifier = Array("reader".utf8)
        options.cleanStart = false
        options.sessionExpiryInterval = 3_600
        options.keepAlive = 10
        client = MQTTClient(loop: loop, network: network, options: options)
        client.delegate = self
    }

    func connect() { client.connect(to: cloud) }

    func end() {
        isEnding = true
        if client.isConnected { client.disconnect() } else { client.abort() }
    }

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        _ = client.subscribe([Subscription(filter: Array("#".utf8), qos: .exactlyOnce)])
    }

    func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) {
        isSubscribed = reasons.allSatisfy { !$0.isError }
    }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {
        counts.arrived(topic: publish.topic, payload: publish.payload)
    }

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {}

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {
        guard !isEnding else { return }
        loop.schedule(after: .milliseconds(100)) { [weak self] in
            guard let self, !isEnding else { return }
            connect()
        }
    }
}
