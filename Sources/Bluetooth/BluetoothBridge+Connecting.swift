import Bridge
import EventLoop

/// Characteristics: reading, listening, writing.
extension BluetoothBridge {
    func connect(_ device: Device, _ table: DeviceSettings) {
        let peripheral = Peripheral(
            table, at: device.address, loop: loop, radio: radio, slots: slots, patience: settings.connectTimeout,
            backoff: Backoff(min: settings.retry.min, max: settings.retry.max))
        device.peripheral = peripheral
        peripheral.onValue = { [weak self, weak device] index, result in
            guard let self, let device else { return }
            self.take(result, of: device, index)
        }
        peripheral.onConnection = { [weak self, weak device] isConnected in
            guard let self, let device else { return }
            self.connectionChanged(device, isConnected)
        }
        for (index, item) in table.characteristics.enumerated() where item.writable {
            let topic = topic(device, item.name)
            connection.subscribe("\(topic)/set") { [weak self, weak device] _, payload in
                guard let self, let device else { return }
                self.set(device, index, payload)
            }
        }
        peripheral.start()
    }

    package func radio(didNotify bytes: [UInt8], of place: CharacteristicPlace) {
        guard let device = devices[place.device], let table = device.settings else { return }
        for (index, item) in table.characteristics.enumerated()
        where item.notify && item.uuid == place.uuid && (item.service == nil || item.service == place.service) {
            take(.success(bytes), of: device, index)
        }
    }

    private func connectionChanged(_ device: Device, _ isConnected: Bool) {
        device.seen = loop.now
        if isConnected {
            heard(device, at: loop.now)
        } else if device.staysConnected {
            tell(device, isOnline: false)
        }
    }

    /// Bytes that were read or told of become a value.
    private func take(_ result: RadioResult<[UInt8]>, of device: Device, _ index: Int) {
        guard let item = device.settings?.characteristics[index] else { return }
        let outcome: Reading.Outcome
        switch result {
        case .success(let bytes):
            heard(device, at: loop.now)
            do throws(CharacteristicCoder.Problem) {
                outcome = .good(try CharacteristicCoder(settings: item).value(of: bytes))
            } catch {
                outcome = .bad(error: error.message)
            }
        case .failure(let error): outcome = .bad(error: error.description)
        }
        let fresh = ChangeGate(onChange: item.onChange, deadband: item.deadband, heartbeat: item.heartbeat)
        guard device.gates[item.name, default: fresh].passes(outcome, at: loop.now) else { return }
        publish(device, item.name, outcome, unit: item.unit)
        if case .bad(let error) = outcome { BridgeOutput.log(.warning, "\(device.label): \(item.name): \(error)") }
    }

    // MARK: - Writing

    private func set(_ device: Device, _ index: Int, _ payload: [UInt8]) {
        guard let item = device.settings?.characteristics[index] else { return }
        let command = WriteCommand(payload)
        let topic = "\(topic(device, item.name))/set/result"
        guard let value = command.value else {
            return connection.publish(
                topic, command.result("not a value: {\"value\": 21.5}, or 21.5", loop.clock.wallMilliseconds))
        }
        write(device, index, value) { [connection] error in
            connection.publish(topic, command.result(error, connection.loop.clock.wallMilliseconds))
        }
    }

    /// The twin expects something else of the device than it has.
    func desire(_ device: Device, _ property: String, _ text: String) {
        let items = device.settings?.characteristics ?? []
        guard let index = items.firstIndex(where: { $0.name == property && $0.writable }) else {
            return refuse(device, property, "\(property) is not writable")
        }
        write(device, index, .text(text)) { [weak self, weak device] error in
            guard let self, let device else { return }
            if let error {
                self.refuse(device, property, "\(property) cannot be set to what the twin expects: \(error)")
            } else {
                device.refused.remove(property)
            }
        }
    }

    /// The twin asks again and again; it is told of once.
    private func refuse(_ device: Device, _ property: String, _ why: String) {
        guard device.refused.count < 64, device.refused.insert(property).inserted else { return }
        BridgeOutput.log(.warning, "\(device.label): \(why)")
    }

    private func write(_ device: Device, _ index: Int, _ value: Value, then: @escaping (_ error: String?) -> Void) {
        guard let peripheral = device.peripheral, let item = device.settings?.characteristics[index] else { return }
        let coder = CharacteristicCoder(settings: item)
        let bytes: [UInt8]
        do throws(CharacteristicCoder.Problem) {
            bytes = try coder.bytes(of: value)
        } catch {
            return then(error.message)
        }
        peripheral.write(bytes, to: index) { [weak self, weak device] result in
            switch result {
            case .failure(let error): then(error.description)
            case .success:
                then(nil)
                guard let self, let device, item.interval == nil, !item.notify else { return }
                // What can't be read is taken to be what was written.
                self.take(.success(bytes), of: device, index)
            }
        }
    }
}
