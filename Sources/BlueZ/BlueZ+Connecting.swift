import Bluetooth
import EventLoop

/// Connections, and the characteristics behind them.
extension BlueZ {
    package func knows(_ device: DeviceAddress) -> Bool { isPowered == true && devices[device] != nil }

    package func connect(to device: DeviceAddress, then: @escaping (RadioResult<Void>) -> Void) {
        guard knows(device), connecting[device] == nil else {
            loop.schedule(after: .zero) { then(.failure(.notHeard)) }
            return
        }
        let deadline = loop.schedule(after: connectTimeout) { [weak self] in
            guard let self else { return }
            // bluetoothd goes on trying otherwise.
            self.disconnect(from: device)
            self.finish(device, .failure(.timeout))
        }
        connecting[device] = Connecting(deadline: deadline, then: then)
        call(paths.path(of: device), Self.deviceInterface, "Connect", timeout: connectTimeout + .seconds(5)) {
            [weak self] result in
            guard let self, self.connecting[device] != nil else { return }
            if case .failure(let error) = result, error.name != "org.bluez.Error.AlreadyConnected" {
                return self.finish(device, .failure(Self.failure(error)))
            }
            self.connecting[device]?.isAnswered = true
            self.resolved(device)
        }
    }

    /// Its services are known, or the connection stands: with both it is done.
    func resolved(_ device: DeviceAddress) {
        guard connecting[device]?.isAnswered == true, devices[device]?.isResolved == true else { return }
        devices[device]?.isOurs = true
        finish(device, .success(()))
    }

    private func finish(_ device: DeviceAddress, _ result: RadioResult<Void>) {
        guard let pending = connecting.removeValue(forKey: device) else { return }
        loop.cancel(pending.deadline)
        pending.then(result)
    }

    package func disconnect(from device: DeviceAddress) {
        devices[device]?.isOurs = false
        call(paths.path(of: device), Self.deviceInterface, "Disconnect") { _ in }
    }

    /// The device has left, with or without us.
    func disconnected(_ device: DeviceAddress) {
        finish(device, .failure(.disconnected))
        guard devices[device]?.isOurs == true else { return }
        devices[device]?.isOurs = false
        delegate?.radio(didLose: device)
    }

    // MARK: - Characteristics

    /// Of a read or a write; ATT gives a device 30 seconds (Core Specification, Vol 3, Part F, §3.3.3).
    private static let patience = Duration.seconds(30)

    package func read(_ place: CharacteristicPlace, then: @escaping (RadioResult<[UInt8]>) -> Void) {
        guard let path = path(of: place, orTell: then) else { return }
        call(
            path, Self.characteristicInterface, "ReadValue", timeout: Self.patience,
            arguments: { message in message.appendMap {} },
            answer: { result in
                switch result {
                case .success(let message): then(.success(message.bytes() ?? []))
                case .failure(let error): then(.failure(Self.failure(error)))
                }
            })
    }

    package func write(
        _ bytes: [UInt8], to place: CharacteristicPlace, then: @escaping (RadioResult<Void>) -> Void
    ) {
        guard let path = path(of: place, orTell: then) else { return }
        // Without a type bluetoothd takes the one that the characteristic has: with an answer, where there can be one.
        call(
            path, Self.characteristicInterface, "WriteValue", timeout: Self.patience,
            arguments: { message in
                message.append(bytes)
                message.appendMap {}
            },
            answer: { then(Self.outcome($0)) })
    }

    package func notify(of place: CharacteristicPlace, then: @escaping (RadioResult<Void>) -> Void) {
        guard let path = path(of: place, orTell: then) else { return }
        call(path, Self.characteristicInterface, "StartNotify", timeout: Self.patience) { then(Self.outcome($0)) }
    }

    private func path<Success>(
        of place: CharacteristicPlace, orTell then: @escaping (RadioResult<Success>) -> Void
    ) -> String? {
        if let path = devices[place.device]?.path(of: place) { return path }
        let isConnected = devices[place.device]?.isConnected ?? false
        loop.schedule(after: .zero) { then(.failure(isConnected ? .noCharacteristic(place.uuid) : .disconnected)) }
        return nil
    }

    private static func outcome(_ result: Result<BusMessage, BusError>) -> RadioResult<Void> {
        switch result {
        case .success: .success(())
        case .failure(let error): .failure(failure(error))
        }
    }

    private static func failure(_ error: BusError) -> RadioError {
        switch error.name {
        case "": .unavailable
        case "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Timeout",
            "System.Error.ETIMEDOUT":
            .timeout
        case "org.bluez.Error.NotConnected": .disconnected
        case "org.freedesktop.DBus.Error.UnknownObject": .notHeard
        default: .refused(error.text)
        }
    }
}
