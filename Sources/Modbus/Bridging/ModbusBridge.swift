import Bridge
import EventLoop
import JSON
import MQTT

/// The Modbus bridge of one module: a poller for each connection, and what they find on its way to the broker.
package final class ModbusBridge: Bridge {
    package let pollers: [DevicePoller]
    private let connection: BridgeConnection
    private let settings: ModbusSettings
    private let template: TopicTemplate?
    private var publishers: [ObjectIdentifier: DevicePublisher] = [:]
    private var sets: [String: (publisher: DevicePublisher, point: Int)] = [:]
    private var statisticsTimer = Timer.none
    private var waitTimer = Timer.none
    private var isStopping = false

    /// How long a write under way may take when the bridge is to stop.
    private static let lastWrites: Duration = .seconds(3)

    package init(_ settings: ModbusSettings, _ connection: BridgeConnection) {
        self.connection = connection
        self.settings = settings
        template = try? TopicTemplate(settings.topic, names: ModbusSettings.topicNames)
        pollers = settings.connections.compactMap { $0.poller(on: connection.loop, connection.network) }
        for (index, poller) in pollers.enumerated() {
            poller.delegate = self
            for device in poller.devices {
                makePublisher(device, of: poller, settings.connections[index].devices[device.index])
            }
        }
    }

    private func makePublisher(_ device: PolledDevice, of poller: DevicePoller, _ settings: DeviceSettings) {
        guard let topics = topics(of: poller, settings.name) else { return }
        let publishing = DevicePublisher.Publishing(
            qos: self.settings.qos == 0 ? .atMostOnce : .atLeastOnce, retain: self.settings.retain,
            writer: ReadingWriter(self.settings.format, node: connection.node, module: connection.module))
        let publisher = DevicePublisher(
            connection: connection, poller: poller, device: device, settings: settings, topics: topics,
            publishing: publishing)
        publishers[ObjectIdentifier(device)] = publisher
        for (topic, point) in publisher.setTopics { sets[topic] = (publisher, point) }
    }

    private func topics(of poller: DevicePoller, _ device: String?) -> ModbusTopics? {
        template.map {
            ModbusTopics($0, node: connection.node, module: connection.module, connection: poller.name, device: device)
        }
    }

    // MARK: - Life

    package func start() {
        for filter in setFilters {
            // A retained wish is from another time: it writes nothing.
            connection.subscribe(filter, retained: false) { [weak self] topic, payload in self?.set(topic, payload) }
        }
        for publisher in publishers.values { publisher.start() }
        var phases = Phases()
        for poller in pollers { poller.start(&phases) }
        if settings.statistics > .zero { scheduleStatistics() }
    }

    /// One for each device with a writable point, so that a module that writes nothing listens to nothing.
    private var setFilters: [String] {
        var filters: Set<String> = []
        for (index, poller) in pollers.enumerated() {
            for device in poller.devices where device.options.points.contains(where: \.isWritable) {
                let name = settings.connections[index].devices[device.index].name
                if let topics = topics(of: poller, name) { filters.insert(topics.everyPoint + "/set") }
            }
        }
        return filters.sorted()
    }

    package func stop(then: @escaping () -> Void) {
        guard !isStopping else { return }
        isStopping = true
        connection.loop.cancel(statisticsTimer)
        finish(by: connection.loop.now + Self.lastWrites, then)
    }

    private func finish(by deadline: Instant, _ then: @escaping () -> Void) {
        if connection.loop.now < deadline, pollers.contains(where: \.isWriting) {
            waitTimer = connection.loop.schedule(after: .milliseconds(20)) { [weak self] in
                self?.finish(by: deadline, then)
            }
            return
        }
        for poller in pollers { poller.stop() }
        for publisher in publishers.values { publisher.stop() }
        then()
    }

    private func set(_ topic: String, _ payload: [UInt8]) {
        guard let (publisher, point) = sets[topic] else { return }
        guard !isStopping else { return publisher.refuse(point, payload, "the bridge is stopping") }
        publisher.set(point, payload)
    }

    // MARK: - Statistics

    private func scheduleStatistics() {
        statisticsTimer = connection.loop.schedule(after: settings.statistics) { [weak self] in
            guard let self else { return }
            for poller in self.pollers { self.publishStatistics(of: poller) }
            self.scheduleStatistics()
        }
    }

    private func publishStatistics(of poller: DevicePoller) {
        guard let topic = topics(of: poller, nil)?.statistics else { return }
        connection.publish(
            topic, poller.statistics(timestamp: connection.loop.clock.wallMilliseconds), qos: .atMostOnce)
    }
}

extension ModbusBridge: DevicePollerDelegate {
    package func poller(
        _ poller: DevicePoller, device: PolledDevice, didRead outcomes: [(point: Int, outcome: Reading.Outcome)]
    ) {
        publishers[ObjectIdentifier(device)]?.publish(outcomes)
    }

    package func poller(_ poller: DevicePoller, didChangeStateOf device: PolledDevice) {
        let name = "\(poller.name)/\(device.options.name)"
        switch device.state {
        case .online: BridgeOutput.log(.info, "\(name): online")
        case .unhealthy: BridgeOutput.log(.warning, "\(name): answers, and not to everything")
        case .offline where poller.line.isConnected:
            BridgeOutput.log(.warning, "\(name): \(device.problem) (unit \(device.options.unit))")
        case .offline, .unknown: break
        }
        publishers[ObjectIdentifier(device)]?.publishState()
    }

    package func poller(_ poller: DevicePoller, connectionIs problem: String?) {
        if let problem {
            BridgeOutput.log(.error, "\(poller.name): \(problem); tried again and again")
        } else {
            BridgeOutput.log(.info, "\(poller.name): connected to \(poller.line.address)")
        }
    }
}

extension ConnectionSettings {
    /// nil: it has no address.
    func poller(on loop: EventLoop, _ network: any Network) -> DevicePoller? {
        guard let url else { return nil }
        var options = Line.Options()
        options.timeout = timeout
        options.pipeline = pipeline
        options.connectTimeout = connectTimeout
        options.reconnect = Backoff(min: reconnect.min, max: reconnect.max)
        let line = Line(loop: loop, network: network, address: url, options: options)
        return DevicePoller(name: name, loop: loop, line: line, devices: devices.map { $0.options(retries: retries) })
    }
}

extension DeviceSettings {
    func options(retries: Int) -> PolledDevice.Options {
        var options = PolledDevice.Options(name: name, unit: UInt8(clamping: unit), points: points.compactMap(point))
        options.limits.gap = gap
        options.limits.registers = maximumRegisters
        options.limits.bits = maximumCoils
        options.retries = retries
        options.backoffMinimum = backoff.min
        options.backoffMaximum = backoff.max
        options.writesMultiple = writesMultiple
        options.readsModifiesWrites = readsModifiesWrites
        return options
    }

    private func point(_ settings: PointSettings) -> Point? {
        guard let table = settings.place, let start = settings.start else { return nil }
        var format = ValueFormat(settings.valueType)
        format.order = settings.order ?? order
        format.scale = settings.scale
        format.offset = settings.offset
        format.names = settings.names
        format.least = settings.least
        format.most = settings.most
        if case .string = format.type, format.order.swapsWords {
            format.order = format.order.swapsBytes ? .badc : .abcd
        }
        var point = Point(
            name: settings.name, table: table, address: start, format: format, interval: settings.interval ?? interval)
        point.isWritable = settings.isWritable
        point.isVerified = settings.isVerified
        return point
    }
}
