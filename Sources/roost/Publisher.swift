import Client
import EventLoop
import MQTT

/// Sends one payload, once or several times, or each line of standard input, as fast as the window and the network take
/// them; done when everything is acknowledged.
final class Publisher: MQTTClientDelegate {
    /// Unsent bytes above which it waits for the network.
    private static let outputLimit = 1 << 20

    private let run: MQTTRun
    private let topic: [UInt8]
    private let qos: QoS
    private let retain: Bool
    private let properties: [UInt8]
    /// Nil: lines.
    private let payload: [UInt8]?
    private let delay: Duration
    private var repetitions: Int
    private lazy var lines = LineReader(loop: run.loop) { [unowned self] in pump() }
    private var wakeIsScheduled = false

    private var published = 0
    private var acknowledged = 0
    private var refused = 0
    private var lastRefusal: ReasonCode?
    private var started = Instant(nanoseconds: 0)
    private var isFinished = false

    init(
        _ run: MQTTRun, topic: [UInt8], qos: QoS, retain: Bool, properties: [UInt8], payload: [UInt8]?,
        repetitions: Int, delay: Duration
    ) {
        self.run = run
        self.topic = topic
        self.qos = qos
        self.retain = retain
        self.properties = properties
        self.payload = payload
        self.repetitions = repetitions
        self.delay = delay
    }

    var report: String {
        let seconds = run.loop.now - started
        return "{\"published\":\(published),\"acknowledged\":\(acknowledged),\"refused\":\(refused),"
            + "\"seconds\":\(Double(seconds.milliseconds) / 1000)}"
    }

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        started = run.loop.now
        guard qos <= connack.maximumQoS else {
            return run.failAndDisconnect(.refused("the broker takes QoS \(connack.maximumQoS.rawValue) at most"))
        }
        guard !retain || connack.retainAvailable else {
            return run.failAndDisconnect(.refused("the broker keeps no retained messages"))
        }
        pump()
    }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {}

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {
        if reason.isError {
            refused += 1
            if reason != lastRefusal { run.warn("the broker refuses the message: \(reason)") }
            lastRefusal = reason
        } else {
            acknowledged += 1
        }
        pump()
    }

    func clientDidDrain(_ client: MQTTClient) { pump() }

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {
        lines.stop()
        let open = published - acknowledged - refused
        if var failure = run.failure(for: error) {
            if qos > .atMostOnce && open > 0 {
                failure.message += " (\(Quantities.counted(open, "message")) unacknowledged)"
            }
            run.fail(failure)
        } else if refused > 0 {
            run.fail(Failure(code: .refused, message: ""))
        } else {
            run.stop()
        }
    }

    // MARK: - Sending

    private func pump() {
        guard run.client.isConnected, !isFinished else { return }
        while canSend {
            if let payload {
                guard repetitions > 0 else { return finishIfDone() }
                payload.withUnsafeBytes { send($0) }
                repetitions -= 1
                if delay > .zero && repetitions > 0 { return wake(after: delay) }
            } else {
                guard lines.take({ if $0.count > 0 { send($0) } }) else {
                    if lines.isExhausted { finishIfDone() }
                    return
                }
            }
        }
    }

    private var canSend: Bool {
        guard !wakeIsScheduled, run.client.isConnected else { return false }
        if qos > .atMostOnce && run.client.room == 0 { return false }
        if run.client.unsentBytes < Self.outputLimit { return true }
        // What was written this tick leaves at its end; only what then still waits is told of.
        if !run.client.isBlocked { wake(after: .zero) }
        return false
    }

    private func send(_ payload: UnsafeRawBufferPointer) {
        let identifier = topic.withUnsafeBytes { topic in
            properties.withUnsafeBytes {
                run.client.publish(topic: topic, payload: payload, qos: qos, retain: retain, properties: $0)
            }
        }
        if identifier == nil {
            run.failAndDisconnect(
                .refused("a message of \(payload.count) bytes is more than the broker takes (its Maximum Packet Size)"))
            isFinished = true
        } else {
            published += 1
        }
    }

    private func wake(after delay: Duration) {
        wakeIsScheduled = true
        run.loop.schedule(after: delay) { [weak self] in
            self?.wakeIsScheduled = false
            self?.pump()
        }
    }

    private func finishIfDone() {
        guard qos == .atMostOnce || run.client.unacknowledged == 0 else { return }
        isFinished = true
        run.client.disconnect()
    }
}
