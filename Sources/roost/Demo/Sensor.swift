import Client
import EventLoop
import MQTT

/// One device: an MQTT client that publishes its readings, connects again whenever its connection ends, and then sends again
/// what was not acknowledged. Readings at QoS 1 and 2 that find no connection wait in the device; those at QoS 0 are never
/// taken.
final class Sensor: MQTTClientDelegate {
    /// A reading on its way.
    private struct Reading {
        var series: Int
        var number: Int
        var payload: [UInt8]
        /// 0: not sent yet.
        var identifier: UInt16 = 0
    }

    private struct Series {
        var topic: [UInt8]
        var qos: QoS
        var period: Duration
        var readings: Readings
        /// The topic's index in the tally.
        var tally: Int
        var due: Instant
    }

    private static let reconnectDelay: Duration = .milliseconds(200)

    private let loop: EventLoop
    private let client: MQTTClient
    private let edge: Endpoint
    private unowned let counts: Counts
    private var series: [Series] = []
    /// Not acknowledged, oldest first: first those that were sent, then those that were not.
    private var readings: [Reading] = []
    private var isMeasuring = false
    private var isResuming = false
    private var isEnding = false

    var isConnected: Bool { client.isConnected }
    /// Everything measured at QoS 1 and 2 has been acknowledged.
    var isDrained: Bool { readings.isEmpty }

    init(_ device: Factory.Device, loop: EventLoop, network: any Network, edge: Endpoint, counts: Counts) {
        self.loop = loop
        self.edge = edge
        self.counts = counts
        var options = MQTTClient.Options()
        options.clientIdentifier = Array(device.name.utf8)
        options.cleanStart = !device.keepsSession
        options.sessionExpiryInterval = device.keepsSession ? 3_600 : 0
        options.keepAlive = 10
        options.sendMaximum = 50
        options.connectTimeout = .seconds(3)
        client = MQTTClient(loop: loop, network: network, options: options)
        client.delegate = self
        let label = String(device.name.split(separator: "/").last ?? "")
        for item in device.series {
            series.append(
                Series(
                    topic: Array(item.topic.utf8), qos: item.qos, period: .milliseconds(item.period),
                    readings: Readings(item, device: label), tally: counts.add(topic: item.topic, item.qos),
                    due: loop.now))
        }
    }

    func connect() { client.connect(to: edge) }

    func startMeasuring() {
        guard !isMeasuring else { return }
        isMeasuring = true
        for index in series.indices {
            let phase = Duration.nanoseconds(Int64.random(in: 0..<series[index].period.nanoseconds))
            series[index].due = loop.now + phase
            schedule(index)
        }
    }

    /// No more readings; those that wait are still sent.
    func stopMeasuring() { isMeasuring = false }

    func end() {
        isMeasuring = false
        isEnding = true
        if client.isConnected { client.disconnect() } else { client.abort() }
    }

    // MARK: - Measuring

    private func schedule(_ index: Int) {
        loop.schedule(at: series[index].due) { [weak self] in self?.measure(index) }
    }

    private func measure(_ index: Int) {
        guard isMeasuring else { return }
        series[index].due = max(series[index].due + series[index].period, loop.now)
        schedule(index)
        if series[index].qos == .atMostOnce {
            guard client.isConnected else { return }
            let payload = series[index].readings.next(milliseconds: loop.clock.wallMilliseconds)
            if send(payload, of: index, duplicate: false, identifier: nil) != nil {
                counts.tally.published(series[index].tally)
            }
        } else {
            let payload = series[index].readings.next(milliseconds: loop.clock.wallMilliseconds)
            readings.append(Reading(series: index, number: series[index].readings.number, payload: payload))
            pump()
        }
    }

    // MARK: - Sending

    /// Sends what has not been sent, as far as the window lets it.
    private func pump() {
        guard client.isConnected, !isResuming else { return }
        for index in readings.indices where readings[index].identifier == 0 {
            let reading = readings[index]
            guard let identifier = send(reading.payload, of: reading.series, duplicate: false, identifier: nil) else {
                return
            }
            readings[index].identifier = identifier
            counts.tally.published(series[reading.series].tally)
        }
    }

    /// Sends again, in order and before anything new, what an earlier connection left unacknowledged. Where the session is
    /// gone these are new PUBLISHes; else they keep their identifiers, and those whose PUBREC had come are left alone.
    private func resume(sessionPresent: Bool) {
        isResuming = false
        guard client.isConnected else { return }
        for index in readings.indices where readings[index].identifier != 0 {
            let reading = readings[index]
            let identifier = send(
                reading.payload, of: reading.series, duplicate: sessionPresent,
                identifier: sessionPresent ? reading.identifier : nil)
            guard let identifier else { continue }
            readings[index].identifier = identifier
            counts.tally.resent(series[reading.series].tally, reading.number)
        }
        pump()
    }

    private func send(_ payload: [UInt8], of index: Int, duplicate: Bool, identifier: UInt16?) -> UInt16? {
        series[index].topic.withUnsafeBytes { topic in
            payload.withUnsafeBytes { payload in
                client.publish(
                    topic: topic, payload: payload, qos: series[index].qos, duplicate: duplicate, identifier: identifier
                )
            }
        }
    }

    // MARK: - MQTTClientDelegate

    func client(_ client: MQTTClient, didConnect connack: Connack) {
        isResuming = true
        // Acknowledgements that a lost session stands for are told after this call.
        let sessionPresent = connack.sessionPresent
        loop.onNextTickEnd { [weak self] in self?.resume(sessionPresent: sessionPresent) }
    }

    func client(_ client: MQTTClient, didReceive publish: PublishView) {}

    func client(_ client: MQTTClient, didAcknowledge identifier: UInt16, reason: ReasonCode) {
        guard let index = readings.firstIndex(where: { $0.identifier == identifier }) else { return }
        let reading = readings.remove(at: index)
        let topic = series[reading.series].tally
        if reason.isError {
            counts.tally.refused(topic, reading.number)
        } else {
            counts.tally.acknowledged(topic, reading.number)
        }
        pump()
    }

    func client(_ client: MQTTClient, didClose error: MQTTClientError) {
        guard !isEnding else { return }
        loop.schedule(after: Self.reconnectDelay) { [weak self] in
            guard let self, !isEnding else { return }
            connect()
        }
    }
}
