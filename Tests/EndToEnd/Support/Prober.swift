import Client
import EventLoop
import MQTT

/// Publishes named messages and writes down how each was answered.
final class Prober: MQTTClientDelegate {
    private let client: MQTTClient
    private unowned let scenario: Scenario
    private let endpoint: Endpoint
    private let name: String
    private let topic: String
    private let qos: QoS
    private let count: Int
    private let retries: Bool
    private var next = 0
    private var again: [Int] = []
    private var sent: [UInt16: Int] = [:]
    private var stopped = false

    private(set) var accepted: [String] = []
    private(set) var refusals: [ReasonCode: Int] = [:]
    private(set) var closes = 0
    private(set) var lastError: MQTTClientError?

    /// - Parameter retries: what is refused is published once more, after a while.
    init(
        _ scenario: Scenario, _ name: String, version: ProtocolVersion, count: Int, qos: QoS = .atLeastOnce,
        topic: String = "load/x", retries: Bool = false, to endpoint: Endpoint
    ) {
        self.scenario = scenario
        self.endpoint = endpoint
        self.name = name
        self.topic = topic
        self.qos = qos
        self.count = count
        self.retries = retries
        var options = MQTTClient.Options()
        options.clientIdentifier = Array("prober-\(name)".utf8)
        options.version = version
        options.sendMaximum = 20
        client = MQTTClient(loop: scenario.loop, network: scenario.network, options: options)
        client.delegate = self
        client.connect(to: endpoint)
    }

    var isDone: Bool { next == count && sent.isEmpty }

    func stop() {
        stopped = true
        client.abort()
    }

    private func pump() {
        while client.room > 0, next < count || !again.isEmpty {
            let number = again.last ?? next
            guard let identifier = client.publish(topic: topic, payload: payload(number), qos: qos) else { return }
            if again.popLast() == nil { next += 1 }
            if qos != .atMostOnce { sent[identifier] = number }
        }
    }

    /// A name, and a kilobyte that doesn't compress.
    private func payload(_ number: Int) -> [UInt8] {
        Array("\(name) \(number)".utf8) + [0]
            + (0..<1000).map { _ in UInt8.random(in: 0...255, using: &scenario.random) }
    }

    func client(_ client: MQTTClient, didConnect connack: Connack) { pump() }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {}

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {
        guard let number = sent.removeValue(forKey: identifier) else { return }
        if reason.isError {
            refusals[reason, default: 0] += 1
            if retries {
                scenario.loop.schedule(after: .milliseconds(100)) { [weak self] in
                    self?.again.append(number)
                    self?.pump()
                }
            }
        } else {
            accepted.append("\(name) \(number)")
        }
        pump()
    }

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {
        closes += 1
        lastError = error
        again += sent.values
        sent = [:]
        guard retries, !stopped else { return }
        scenario.loop.schedule(after: .milliseconds(100)) { [weak self] in
            guard let self else { return }
            self.client.connect(to: self.endpoint)
        }
    }
}
