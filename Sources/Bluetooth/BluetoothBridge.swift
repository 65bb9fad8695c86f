import Bridge
import Configuration
import EventLoop
import MQTT

/// The Bluetooth module: what devices advertise, or hold in characteristics, becomes messages; what is published to a `.../set`
/// becomes a write.
package final class BluetoothBridge: Bridge {
    let settings: BluetoothSettings
    let connection: BridgeConnection
    let radio: any Radio
    let slots: ConnectionSlots
    var devices: [DeviceAddress: Device] = [:]
    /// Devices without a table of their own, among these.
    var strangers = 0
    var isFull = false
    var decoder: AdvertisementDecoder
    let allowed: AllowList
    var isStopping = false
    private let template: TopicTemplate?
    private var writer: ReadingWriter
    private var state: RadioState?

    var loop: EventLoop { connection.loop }

    package init(
        _ settings: BluetoothSettings, keys: [DeviceAddress: BindKey] = [:], connection: BridgeConnection,
        radio: any Radio
    ) {
        self.settings = settings
        self.connection = connection
        self.radio = radio
        slots = ConnectionSlots(settings.connections)
        decoder = AdvertisementDecoder(keys: keys, isRaw: settings.raw)
        allowed = AllowList(settings.allow, always: settings.devices.compactMap(\.address))
        // Reading the table has refused a template that can't be read.
        template = try? TopicTemplate(settings.topic, names: BluetoothSettings.placeholders)
        writer = ReadingWriter(settings.format, node: connection.node, module: connection.module)
        radio.delegate = self
        connection.will = .init(
            topic: Array(topic(settings.adapter, "state").utf8), payload: Array("offline".utf8), qos: .atLeastOnce,
            retain: true)
    }

    // MARK: - Bridge

    package func start() {
        for device in settings.devices {
            guard let address = device.address else { continue }
            begin(Device(address, device, timeout: settings.timeout, dedup: settings.dedup, now: loop.now))
        }
        radio.start()
    }

    package func stop(then: @escaping () -> Void) {
        isStopping = true
        var left = 1
        let finished = { [weak self] in
            left -= 1
            guard left == 0, let self else { return }
            radio.stop()
            for device in devices.values where device.isOnline == true { tell(device, isOnline: false) }
            tellAdapter("offline")
            then()
        }
        for device in devices.values {
            guard let peripheral = device.peripheral else { continue }
            left += 1
            peripheral.stop(then: finished)
        }
        finished()
    }

    // MARK: - Telling

    func topic(_ label: String, _ measurement: String) -> String {
        template?.topic([
            "device": label, "measurement": measurement, "node": connection.node, "name": connection.module,
        ]) ?? ""
    }

    func topic(_ device: Device, _ measurement: String) -> String {
        device.topic(of: measurement) { topic($0, $1) }
    }

    /// An advertised value.
    func tell(_ device: Device, _ measurement: Measurement) {
        let outcome = Reading.Outcome.good(measurement.value)
        // Names of raw parts are up to the device, and not without number.
        if settings.onChange, !measurement.isEvent, device.gates.count < 64 {
            let fresh = ChangeGate(onChange: true, heartbeat: settings.heartbeat)
            guard device.gates[measurement.name, default: fresh].passes(outcome, at: loop.now) else { return }
        }
        publish(device, measurement.name, outcome, unit: measurement.unit, isEvent: measurement.isEvent)
    }

    /// - Parameter isEvent: never retained: whoever comes later has missed it.
    func publish(
        _ device: Device, _ name: String, _ outcome: Reading.Outcome, unit: String, isEvent: Bool = false
    ) {
        let topic = topic(device, name)
        let reading = Reading(
            topic: topic, outcome: outcome, unit: unit, timestamp: loop.clock.wallMilliseconds)
        if let message = writer.message(reading) {
            let qos = settings.qos == 0 ? QoS.atMostOnce : .atLeastOnce
            connection.publish(topic, message, qos: qos, retain: settings.retain && !isEvent)
        }
        if case .good(let value) = outcome { device.twin?.report(name, value) }
    }

    func tell(_ device: Device, isOnline: Bool) {
        guard device.isOnline != isOnline else { return }
        device.isOnline = isOnline
        let text = isOnline ? "online" : "offline"
        connection.publish(topic(device, "state"), Array(text.utf8), retain: true)
        device.twin?.report(state: text)
    }

    /// The adapter is told of as if it were a device.
    private func tellAdapter(_ text: String) {
        connection.publish(topic(settings.adapter, "state"), Array(text.utf8), retain: true)
    }
}

extension BluetoothBridge: RadioDelegate {
    package func radio(didChange state: RadioState) {
        guard state != self.state else { return }
        self.state = state
        switch state {
        case .scanning:
            BridgeOutput.log(.notice, "listening on \(settings.adapter)")
            tellAdapter("online")
            for device in devices.values { device.peripheral?.proceed() }
        case .unavailable(let why):
            BridgeOutput.log(.warning, why)
            tellAdapter("offline")
        }
    }

    package func radio(didFind device: DeviceAddress) { devices[device]?.peripheral?.proceed() }

    package func radio(didLose device: DeviceAddress) { devices[device]?.peripheral?.lost() }
}
