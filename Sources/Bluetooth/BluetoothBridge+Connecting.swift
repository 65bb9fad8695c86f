import Bridge
import EventLoop
import JSON

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

    /// `.../set` has a value by itself, or as it is published: `{"value": 21.5}`.
    private func set(_ device: Device, _ index: Int, _ payload: [UInt8]) {
        guard let item = device.settings?.characteristics[index] else { return }
        guard let value = Self.value(payload) else { return answer(device, item, nil, "the payload is not a value") }
        write(device, index, value) { [weak self, weak device] error in
            guard let self, let device else { return }
            self.answer(device, item, value, error)
        }
    }

    /// The twin expects something else of the device than it has.
    func desire(_ device: Device, _ property: String, _ text: String) {
        let items = device.settings?.characteristics ?? []
        guard let index = items.firstIndex(where: { $0.name == property && $0.writable }) else { return }
        write(device, index, .text(text)) { [weak device] error in
            guard let device, let error else { return }
            BridgeOutput.log(.warning, "\(device.label): \(property) cannot be set to \(text): \(error)")
        }
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

    private func answer(_ device: Device, _ item: CharacteristicSettings, _ value: Value?, _ error: String?) {
        var json = JSONWriter()
        json.object { json in
            json.member("ok", error == nil)
            if let value { json.member("value", value) }
            if let error { json.member("error", error) }
            json.member("timestamp", loop.clock.wallMilliseconds)
        }
        connection.publish("\(topic(device, item.name))/set/result", json.bytes)
    }

    /// nil: it is no value.
    static func value(_ payload: [UInt8]) -> Value? {
        guard let text = String(validating: payload, as: UTF8.self), !text.isEmpty else { return nil }
        guard let json = JSON(payload) else { return .text(text) }
        return scalar(json["value"] ?? json)
    }

    private static func scalar(_ json: JSON) -> Value? {
        switch json {
        case .boolean(let flag): .boolean(flag)
        case .string(let text): .text(text)
        case .number(let number):
            if let whole = Int64(number.literal) {
                .integer(whole)
            } else if let whole = UInt64(number.literal) {
                .unsigned(whole)
            } else {
                .number(number.double)
            }
        case .null, .array, .object: nil
        }
    }
}
