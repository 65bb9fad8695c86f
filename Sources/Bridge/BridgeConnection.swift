import Client
import DequeModule
import EventLoop
import MQTT

/// A module's MQTT connection to roostd. What the broker has no room for yet waits here, bounded; what it refuses is counted, and
/// said once an episode.
package final class BridgeConnection {
    package let loop: EventLoop
    /// Of the node, for what the machines are connected by.
    package let network: any Network
    package let module: String
    package let node: String
    var onConnect: (() -> Void)?
    var onLost: ((String) -> Void)?
    /// Messages that didn't reach the broker: refused, or more than wait here.
    package private(set) var lost: UInt64 = 0

    private let client: MQTTClient
    private var waiting = Deque<Outgoing>()
    private var waitingBytes = 0
    private var acknowledgements: [UInt16: (ReasonCode) -> Void] = [:]
    private var subscriptions: [(filter: [UInt8], receive: (String, [UInt8]) -> Void)] = []
    private var asked: [UInt16: [UInt8]] = [:]
    private var refusedEpisode = false
    private var whenDrained: (() -> Void)?

    /// Bytes that may wait for the broker.
    private static let room = 16 << 20

    private struct Outgoing {
        var topic: [UInt8]
        var payload: [UInt8]
        var qos: QoS
        var retain: Bool
        var answer: ((ReasonCode) -> Void)?

        var bytes: Int { topic.count + payload.count + 64 }
    }

    package init(loop: EventLoop, network: any Network, module: String, node: String) {
        self.loop = loop
        self.network = network
        self.module = module
        self.node = node
        var options = MQTTClient.Options()
        options.clientIdentifier = Array(module.utf8)
        options.keepAlive = 30
        options.sendMaximum = 1000
        client = MQTTClient(loop: loop, network: network, options: options)
        client.delegate = self
    }

    /// Published for the module when it ends without a word; before `open`.
    package var will: Will? {
        get { client.options.will }
        set { client.options.will = newValue }
    }

    func open(descriptor: consuming Descriptor) {
        guard let network = network as? SocketNetwork else { return }
        do throws(NetworkError) {
            open(over: try network.adopt(descriptor, peer: "roostd"))
        } catch {
            onLost?("\(error)")
        }
    }

    /// Over a stream that is open already.
    package func open(over stream: ByteStream) { client.connect(over: stream) }

    /// Sends what waits, waits for the answers, and disconnects.
    func stop(then: @escaping () -> Void) {
        guard client.isConnected else { return then() }
        whenDrained = { [client] in client.disconnect() }
        onLost = { _ in then() }
        drained()
    }

    // MARK: - What bridges do

    /// - Parameter answer: the broker's Reason Code, once; for QoS 0 none.
    package func publish(
        _ topic: String, _ payload: [UInt8], qos: QoS = .atLeastOnce, retain: Bool = false,
        answer: ((ReasonCode) -> Void)? = nil
    ) {
        let message = Outgoing(topic: Array(topic.utf8), payload: payload, qos: qos, retain: retain, answer: answer)
        guard waiting.isEmpty, send(message) else { return wait(message) }
    }

    /// Every message that matches `filter`, as text topic and payload, from now on. More than one subscription may have it.
    ///
    /// - Parameter retained: false: what the broker has retained before is not wanted.
    package func subscribe(
        _ filter: String, retained: Bool = true, _ receive: @escaping (_ topic: String, _ payload: [UInt8]) -> Void
    ) {
        let filter = Array(filter.utf8)
        subscriptions.append((filter, receive))
        let subscription = Subscription(
            filter: filter, qos: .atLeastOnce, retainHandling: retained ? .send : .doNotSend)
        guard let identifier = client.subscribe([subscription]) else { return }
        asked[identifier] = filter
    }

    // MARK: -

    private func send(_ message: Outgoing) -> Bool {
        guard client.isConnected, message.qos == .atMostOnce || client.room > 0 else { return false }
        let identifier = message.topic.withUnsafeBytes { topic in
            message.payload.withUnsafeBytes { payload in
                client.publish(topic: topic, payload: payload, qos: message.qos, retain: message.retain)
            }
        }
        guard let identifier else {
            // Connected and with room: it is too large.
            lose("a message to \(String(decoding: message.topic, as: UTF8.self)) is larger than roostd takes")
            message.answer?(.packetTooLarge)
            return true
        }
        if identifier != 0, let answer = message.answer { acknowledgements[identifier] = answer }
        return true
    }

    private func wait(_ message: Outgoing) {
        waiting.append(message)
        waitingBytes += message.bytes
        while waitingBytes > Self.room, let oldest = waiting.popFirst() {
            waitingBytes -= oldest.bytes
            lose("roostd doesn't keep up; the oldest messages are dropped")
            oldest.answer?(.quotaExceeded)
        }
    }

    private func sendWaiting() {
        while let next = waiting.first, send(next) {
            waiting.removeFirst()
            waitingBytes -= next.bytes
        }
        drained()
    }

    private func drained() {
        guard let whenDrained, waiting.isEmpty, client.unacknowledged == 0 else { return }
        self.whenDrained = nil
        whenDrained()
    }

    private func lose(_ why: String) {
        lost += 1
        if !refusedEpisode { BridgeOutput.log(.warning, why) }
        refusedEpisode = true
    }
}

extension BridgeConnection: MQTTClientDelegate {
    package func client(_ client: MQTTClient, didConnect connack: Connack) {
        onConnect?()
        sendWaiting()
    }

    package func client(_ client: MQTTClient, didReceive publish: PublishView) {
        let topic = String(decoding: publish.topic, as: UTF8.self)
        let payload = [UInt8](publish.payload)
        for subscription in subscriptions
        where subscription.filter.withUnsafeBytes({ TopicFilter.matches(filter: $0, topic: publish.topic) }) {
            subscription.receive(topic, payload)
        }
    }

    package func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {
        if reason.isError { lose("roostd refuses messages: \(reason.name)") } else { refusedEpisode = false }
        acknowledgements.removeValue(forKey: identifier)?(reason)
        sendWaiting()
    }

    package func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) {
        guard let filter = asked.removeValue(forKey: identifier), reasons.contains(where: \.isError) else { return }
        BridgeOutput.log(
            .error,
            "roostd refuses the subscription to \(String(decoding: filter, as: UTF8.self)): is it in `subscribe`?")
    }

    package func client(_ client: MQTTClient, didClose error: MQTTClientError) { onLost?("\(error)") }

    package func clientDidDrain(_ client: MQTTClient) { sendWaiting() }
}
