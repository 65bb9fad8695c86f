import Client
import EventLoop
import MQTT

/// A subscriber at QoS 2 in a session that outlives connections: the application at the cloud, or one on the node. What it
/// gets goes to the ledger.
final class ProveReader: MQTTClientDelegate {
    private static let reconnectDelay: Duration = .milliseconds(30)

    private let place: Ledger.Place
    private let filter: [UInt8]
    private let loop: EventLoop
    private let client: MQTTClient
    private let broker: Endpoint
    private unowned let ledger: Ledger
    private var hadSession = false
    private var isEnding = false
    private var pause: Duration?
    private(set) var isSubscribed = false
    /// How often it went away by itself.
    private(set) var absences = 0

    var isConnected: Bool { client.isConnected }

    init(
        _ place: Ledger.Place, filter: String, _ ledger: Ledger, loop: EventLoop, network: any Network, broker: Endpoint
    ) {
        self.place = place
        self.filter = Array(filter.utf8)
        self.loop = loop
        self.broker = broker
        self.ledger = ledger
        var options = MQTTClient.Options()
        options.clientIdentifier = Array("reader".utf8)
        options.cleanStart = false
        options.sessionExpiryInterval = 86_400
        options.keepAlive = 10
        options.receiveMaximum = 500
        options.connectTimeout = .seconds(5)
        client = MQTTClient(loop: loop, network: network, options: options)
        client.delegate = self
    }

    func connect() {
        if !isEnding { client.connect(to: broker) }
    }

    /// Goes away without a word, and comes back after that time.
    func leave(for pause: Duration) {
        guard client.isConnected else { return }
        absences += 1
        self.pause = pause
        client.abort()
    }

    func end() {
        isEnding = true
        if client.isConnected { client.disconnect() } else { client.abort() }
    }

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        ledger.connected(place)
        if hadSession && !connack.sessionPresent {
            ledger.complain("the \(place == .cloud ? "cloud" : "node") has lost its subscriber's session")
            isSubscribed = false
        }
        if !isSubscribed { _ = client.subscribe([Subscription(filter: filter, qos: .exactlyOnce)]) }
    }

    func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) {
        isSubscribed = reasons.allSatisfy { !$0.isError }
        hadSession = isSubscribed
    }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {
        ledger.arrived(at: place, topic: publish.topic, payload: publish.payload)
    }

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {}

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {
        if case .protocolError(let error) = error { ledger.complain("a subscriber was told nonsense: \(error)") }
        guard !isEnding else { return }
        let delay = pause ?? Self.reconnectDelay
        pause = nil
        loop.schedule(after: delay) { [weak self] in self?.connect() }
    }
}
