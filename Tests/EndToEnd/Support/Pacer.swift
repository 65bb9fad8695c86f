import Client
import EventLoop
import MQTT

/// Publishes as many messages as it is allowed to, at the given QoS in turn.
final class Pacer: MQTTClientDelegate {
    private let client: MQTTClient
    private let qualities: [QoS]
    private var waiting = 0
    private(set) var sent = 0
    var allowed = 0 {
        didSet { pump() }
    }

    init(_ scenario: Scenario, _ qualities: [QoS], to endpoint: Endpoint) {
        self.qualities = qualities
        client = MQTTClient(loop: scenario.loop, network: scenario.network)
        client.delegate = self
        client.connect(to: endpoint)
    }

    /// All are sent and answered, as far as they are answered.
    var isIdle: Bool { sent == allowed && waiting == 0 && client.unsentBytes == 0 }

    private func pump() {
        guard client.isConnected else { return }
        while sent < allowed {
            let qos = qualities[sent % qualities.count]
            guard client.publish(topic: "load/paced", payload: Array("message \(sent)".utf8), qos: qos) != nil else {
                return
            }
            sent += 1
            if qos != .atMostOnce { waiting += 1 }
        }
    }

    func client(_ client: MQTTClient, didConnect connack: Connack) { pump() }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {}

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {
        waiting -= 1
        pump()
    }

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {}
}
