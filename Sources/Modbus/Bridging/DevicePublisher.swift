import Bridge
import EventLoop
import MQTT

/// What is said of a device to the broker: its points' values, its state, its twin, and the answers to writes.
final class DevicePublisher {
    private let connection: BridgeConnection
    private let poller: DevicePoller
    private let device: PolledDevice
    private let settings: DeviceSettings
    private let topics: ModbusTopics
    private let publishing: Publishing
    private var writer: ReadingWriter
    private var points: [PointPublisher]
    private var twin: TwinBinding?
    /// Values that the twin waits for: what was written for it.
    private var confirming: Set<Int> = []
    /// Properties that can't be written, and of which that has been said.
    private var refused: Set<String> = []
    private var isIdentified = false

    /// How values are published.
    struct Publishing {
        var qos: QoS
        var retain: Bool
        var writer: ReadingWriter
    }

    init(
        connection: BridgeConnection, poller: DevicePoller, device: PolledDevice, settings: DeviceSettings,
        topics: ModbusTopics,
        publishing: Publishing
    ) {
        self.connection = connection
        self.poller = poller
        self.device = device
        self.settings = settings
        self.topics = topics
        self.publishing = publishing
        writer = publishing.writer
        points = settings.points.map { PointPublisher($0, topic: topics.point($0.name)) }
        guard settings.twin else { return }
        twin = TwinBinding(device: settings.name, connection: connection) { [weak self] in self?.write(twin: $0, $1) }
    }

    /// Topics on which values are written, each with what it stands for.
    var setTopics: [(topic: String, point: Int)] {
        points.enumerated().map { (topic: $1.topic + "/set", point: $0) }
    }

    func start() { twin?.start() }

    func stop() {
        connection.publish(topics.state, Array("offline".utf8), retain: true)
        twin?.report(state: "offline")
    }

    // MARK: - Values

    func publish(_ outcomes: [(point: Int, outcome: Reading.Outcome)]) {
        let now = connection.loop.now
        let timestamp = connection.loop.clock.wallMilliseconds
        for (index, outcome) in outcomes {
            let passed = points[index].publishes(outcome, at: now)
            if let twin, case .good(let value) = outcome, passed != nil || confirming.remove(index) != nil {
                twin.report(points[index].name, value)
            }
            guard let passed else { continue }
            let reading = Reading(
                topic: points[index].topic, outcome: passed, unit: points[index].unit, timestamp: timestamp)
            guard let message = writer.message(reading) else { continue }
            connection.publish(reading.topic, message, qos: publishing.qos, retain: publishing.retain)
        }
    }

    func publishState() {
        connection.publish(topics.state, Array(device.state.rawValue.utf8), retain: true)
        twin?.report(state: device.state.rawValue)
        guard settings.identify, !isIdentified, device.state != .offline else { return }
        isIdentified = true
        poller.identify(device) { [weak self] result in self?.publish(result) }
    }

    private func publish(_ identification: Result<Identification, ModbusError>) {
        switch identification {
        case .failure(let error):
            // What can't be had now may be had when the device is back.
            isIdentified = !error.meansSilence
            BridgeOutput.log(.notice, "\(poller.name)/\(settings.name): no identification: \(error)")
        case .success(let identification):
            connection.publish(topics.identity, identification.json, retain: true)
        }
    }

    // MARK: - Writes

    /// A message on a point's `.../set`.
    func set(_ point: Int, _ payload: [UInt8]) {
        let command = WriteCommand(payload, for: device.options.points[point].format.type)
        guard let value = command.value else {
            return answer(point, command, .refused("not a value: {\"value\": 21.5}, or 21.5"))
        }
        poller.write(value, to: point, of: device) { [weak self] outcome in self?.answer(point, command, outcome) }
    }

    /// Answers a write that isn't even tried.
    func refuse(_ point: Int, _ payload: [UInt8], _ why: String) {
        answer(point, WriteCommand(payload, for: device.options.points[point].format.type), .refused(why))
    }

    private func answer(_ point: Int, _ command: WriteCommand, _ outcome: WriteOutcome) {
        let result = command.result(outcome, timestamp: connection.loop.clock.wallMilliseconds)
        connection.publish(points[point].topic + "/set/result", result)
    }

    /// The twin expects another value than the device has.
    private func write(twin property: String, _ text: String) {
        guard let point = points.firstIndex(where: { $0.name == property }) else { return }
        guard device.options.points[point].isWritable else {
            if refused.insert(property).inserted {
                BridgeOutput.log(
                    .warning, "\(poller.name)/\(settings.name): the twin expects \(property), which is not writable")
            }
            return
        }
        let format = device.options.points[point].format
        let isText: Bool = if case .string = format.type { true } else { false }
        let value = isText || format.names.values.contains(text) ? WantedValue.text(text) : WantedValue(plain: text)
        poller.write(value, to: point, of: device) { [weak self] outcome in
            guard let self else { return }
            switch outcome {
            case .written:
                self.refused.remove(property)
                self.confirming.insert(point)
            case .refused(let why):
                guard self.refused.insert(property).inserted else { return }
                BridgeOutput.log(
                    .warning,
                    "\(self.poller.name)/\(self.settings.name): \(property) = \(text), as the twin expects: \(why)")
            }
        }
    }
}
