import Client
import EventLoop
import MQTT

/// Publishes numbered messages to its topics in turn, as fast as it is allowed to, keeps its session over lost connections,
/// and sends again what wasn't acknowledged, as MQTT has it: the same identifiers, the same order, DUP set.
final class ProvePublisher: MQTTClientDelegate {
    private struct Sent {
        var identifier: UInt16
        var series: Int
        var number: UInt64
    }

    static let window: UInt16 = 100
    private static let reconnectDelay: Duration = .milliseconds(30)
    /// What was refused is not asked again at once.
    private static let refusalDelay: Duration = .milliseconds(200)

    private let name: String
    private let loop: EventLoop
    private let client: MQTTClient
    private let node: Endpoint
    private let series: [Int]
    private unowned let ledger: Ledger
    /// Not acknowledged, in the order of sending.
    private var sent: [Sent] = []
    private var turn = 0
    private var payload: [UInt8] = []
    private var hadSession = false
    private var isEnding = false
    private var isResuming = false
    private var isRefused = false
    /// At QoS 1 alone.
    private let plain: [Int]
    /// Leaves its topics at QoS 0 and 2 out, as most devices do.
    var isPlain = false
    /// How many messages it may publish; nil: as many as it can.
    private(set) var allowance: Int? = 0
    /// Answered in the last while; for whoever wants to know whether anything moves.
    private(set) var answered = 0

    var isConnected: Bool { client.isConnected }
    /// Everything that it published has been answered.
    var isDrained: Bool { sent.isEmpty }

    init(_ index: Int, _ ledger: Ledger, loop: EventLoop, network: any Network, node: Endpoint) {
        name = "machine-\(index)"
        self.loop = loop
        self.node = node
        self.ledger = ledger
        series = ledger.workload.series.indices.filter { ledger.workload.series[$0].publisher == index }
        plain = series.filter { ledger.workload.series[$0].qos == .atLeastOnce }
        var options = MQTTClient.Options()
        options.clientIdentifier = Array(name.utf8)
        options.version = index % 2 == 0 ? .v5 : .v311
        options.cleanStart = false
        options.sessionExpiryInterval = 86_400
        options.keepAlive = 10
        options.sendMaximum = Self.window
        options.connectTimeout = .seconds(5)
        client = MQTTClient(loop: loop, network: network, options: options)
        client.delegate = self
    }

    func connect() {
        if !isEnding { client.connect(to: node) }
    }

    func end() {
        isEnding = true
        allowance = 0
        if client.isConnected { client.disconnect() } else { client.abort() }
    }

    /// - Parameter messages: nil: as many as it can.
    func allow(_ messages: Int?) {
        allowance = messages
        pump()
    }

    private func pump() {
        guard client.isConnected, !isResuming, !isRefused else { return }
        let series = isPlain ? plain : series
        while allowance ?? 1 > 0, client.room > 0, sent.count < Int(Self.window), !client.isBlocked {
            let index = series[turn % series.count]
            let number = ledger.next(index)
            let qos = ledger.workload.series[index].qos
            guard let identifier = send(index, number, qos, duplicate: false, identifier: nil) else { return }
            turn += 1
            allowance = allowance.map { $0 - 1 }
            ledger.published(index)
            if qos != .atMostOnce { sent.append(Sent(identifier: identifier, series: index, number: number)) }
        }
    }

    private func send(_ index: Int, _ number: UInt64, _ qos: QoS, duplicate: Bool, identifier: UInt16?) -> UInt16? {
        ledger.workload.write(index, number, into: &payload)
        return ledger.workload.series[index].topic.withUnsafeBytes { topic in
            payload.withUnsafeBytes {
                client.publish(topic: topic, payload: $0, qos: qos, duplicate: duplicate, identifier: identifier)
            }
        }
    }

    /// Before anything new. Where the session is gone these are new PUBLISHes; else those whose PUBREC had come are left
    /// alone, the client has sent PUBREL again.
    private func resume(sessionPresent: Bool) {
        isResuming = false
        guard client.isConnected else { return }
        for index in sent.indices {
            let entry = sent[index]
            let qos = ledger.workload.series[entry.series].qos
            let identifier = send(
                entry.series, entry.number, qos, duplicate: sessionPresent,
                identifier: sessionPresent ? entry.identifier : nil)
            guard let identifier else { continue }
            sent[index].identifier = identifier
            ledger.resent(entry.series, entry.number)
        }
        pump()
    }

    private func pause() {
        guard !isRefused else { return }
        isRefused = true
        loop.schedule(after: Self.refusalDelay) { [weak self] in
            self?.isRefused = false
            self?.pump()
        }
    }

    // MARK: - MQTTClientDelegate

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        if hadSession && !connack.sessionPresent { ledger.complain("the node has lost the session of \(name)") }
        hadSession = true
        isResuming = true
        // Acknowledgements that a lost session stands for are told after this call.
        let sessionPresent = connack.sessionPresent
        loop.onNextTickEnd { [weak self] in self?.resume(sessionPresent: sessionPresent) }
    }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {}

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {
        guard let place = sent.firstIndex(where: { $0.identifier == identifier }) else {
            return ledger.complain("the node acknowledged to \(name) what it had not published")
        }
        let entry = sent.remove(at: place)
        answered += 1
        if reason.isError {
            ledger.refused(entry.series, entry.number)
            pause()
        } else {
            ledger.acknowledged(entry.series, entry.number)
        }
        pump()
    }

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {
        if case .protocolError(let error) = error {
            ledger.complain("the node broke the protocol to \(name): \(error)")
        }
        guard !isEnding else { return }
        loop.schedule(after: Self.reconnectDelay) { [weak self] in self?.connect() }
    }
}
