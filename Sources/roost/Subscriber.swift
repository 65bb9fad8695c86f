import Client
import EventLoop
import Glibc
import MQTT

/// Subscribes and prints: messages gather in one buffer, which is written once a tick and before their acknowledgements
/// leave, so that what is acknowledged has been handed on.
final class Subscriber: MQTTClientDelegate {
    private static let bufferLimit = 1 << 20

    var subscriptions: [Subscription] = []
    var subscriptionIdentifier: UInt32?
    var unsubscriptions: [[UInt8]] = []
    var filteredOut: [[UInt8]] = []
    var skipsRetained = false
    var retainedOnly = false
    var removesRetained = false
    var limit: Int?
    var timeout: Duration?
    var endsWhenSubscribed = false

    private let run: MQTTRun
    private let format: MessageFormat
    private var buffer = ByteBuffer()
    private var printed = 0
    private var wasConnected = false
    private var retryDelay = Duration.seconds(1)

    init(_ run: MQTTRun, format: MessageFormat) {
        self.run = run
        self.format = format
        run.loop.atTickEnd { [unowned self] in flush() }
    }

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        retryDelay = .seconds(1)
        if !wasConnected, let timeout {
            run.loop.schedule(after: timeout) { [unowned self] in timedOut() }
        }
        wasConnected = true
        if !unsubscriptions.isEmpty { _ = client.unsubscribe(unsubscriptions) }
        if !subscriptions.isEmpty {
            _ = client.subscribe(subscriptions, subscriptionIdentifier: subscriptionIdentifier)
        }
    }

    func client(_ client: MQTTClient, didSubscribe identifier: UInt16, reasons: [ReasonCode]) {
        for (subscription, reason) in zip(subscriptions, reasons) where reason.isError {
            run.warn("the broker refuses \(String(decoding: subscription.filter, as: UTF8.self)): \(reason)")
        }
        if reasons.allSatisfy(\.isError) {
            run.failAndDisconnect(Failure(code: .refused, message: ""))
        } else if endsWhenSubscribed {
            client.disconnect()
        }
    }

    func client(_ client: MQTTClient, didUnsubscribe identifier: UInt16, reasons: [ReasonCode]) {
        if subscriptions.isEmpty { client.disconnect() }
    }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {
        if retainedOnly && !publish.retain { return client.disconnect() }
        if isShown(publish) {
            format.append(publish, to: &buffer)
            printed += 1
            if removesRetained && publish.retain { clear(publish.topic) }
            if buffer.count >= Self.bufferLimit { flush() }
        }
        if publish.qos > .atMostOnce { client.acknowledge(identifier: publish.packetIdentifier, qos: publish.qos) }
        if let limit, printed >= limit { client.disconnect() }
    }

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {}

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {
        guard let failure = run.failure(for: error) else { return run.stop() }
        // A subscription lives on where a first attempt that fails is the user's to correct.
        guard wasConnected, failure.code == .cannotConnect, !run.isInterrupted else { return run.fail(failure) }
        run.warn("\(failure.message). Trying again in \(retryDelay.milliseconds / 1000) s.")
        run.loop.schedule(after: retryDelay) { [unowned self] in
            if !run.isInterrupted { run.connect() }
        }
        retryDelay = min(retryDelay * 2, .seconds(30))
    }

    private func isShown(_ publish: PublishView) -> Bool {
        if skipsRetained && publish.retain { return false }
        for filter in filteredOut
        where filter.withUnsafeBytes({ TopicFilter.matches(filter: $0, topic: publish.topic) }) {
            return false
        }
        return true
    }

    /// An empty retained message takes the retained one away [MQTT-3.3.1-6].
    private func clear(_ topic: UnsafeRawBufferPointer) {
        _ = run.client.publish(topic: topic, payload: UnsafeRawBufferPointer(start: nil, count: 0), retain: true)
    }

    private func timedOut() {
        if let limit, printed < limit {
            run.failAndDisconnect(.refused("\(printed) of \(Quantities.counted(limit, "message")) came in time"))
        } else if run.client.isActive {
            run.client.disconnect()
        } else {
            run.stop()
        }
    }

    private func flush() {
        guard !buffer.isEmpty else { return }
        let written = buffer.withBytes { Terminal.writeAll($0, to: STDOUT_FILENO) }
        buffer.consume(buffer.count)
        // Nobody reads any more (`| head`): a good end.
        if !written { run.stop() }
    }
}
