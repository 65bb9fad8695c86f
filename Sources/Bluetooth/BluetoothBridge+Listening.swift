import Bridge
import EventLoop

/// What becomes of an advertisement.
extension BluetoothBridge {
    /// Devices without a table of their own that are kept in mind; whoever invents addresses finds an end here.
    static let mostStrangers = 1000

    package func radio(didHear advertisement: Advertisement) {
        guard !isStopping, allowed.allows(advertisement.address, name: advertisement.name) else { return }
        let now = loop.now
        var known = devices[advertisement.address]
        var isAccepted = false
        var isBelieved = advertisement.parts.isEmpty
        for part in advertisement.parts {
            if let known, known.duplicates.isRepeated(part, at: now) {
                isBelieved = true
                continue
            }
            do throws(DecodingFailure) {
                let decoded = try decoder.decode(part, from: advertisement.address)
                guard let device = known ?? stranger(advertisement.address) else { return }
                known = device
                isBelieved = true
                device.complaint = nil
                guard !device.duplicates.isRepeated(part, decoded, at: now) else { continue }
                isAccepted = true
                for measurement in decoded.measurements { tell(device, measurement) }
            } catch {
                guard let known else { continue }
                if error == .unknownFormat { _ = known.duplicates.isRepeated(part, nil, at: now) }
                isBelieved = isBelieved || error == .unknownFormat || error == .repeated || error == .keyMissing
                complain(of: known, error, part)
            }
        }
        guard let known else { return }
        if isAccepted, settings.rssi, let rssi = advertisement.rssi {
            tell(known, Measurement("rssi", .integer(Int64(rssi)), unit: "dBm"))
        }
        if isBelieved { heard(known, at: now) }
    }

    private func complain(of device: Device, _ reason: DecodingFailure, _ part: Advertisement.Part) {
        let text: String
        switch reason {
        case .unknownFormat, .repeated: return
        case .malformed: text = "\(part.kind.name) is not well formed (\(Hexadecimal.text(part.bytes.prefix(40))))"
        case .keyMissing: text = "it encrypts, and keys_file has no key for it"
        case .keyWrong: text = "its key in keys_file doesn't open what it sends"
        case .replayed: text = "an old message was sent again, and is ignored"
        case .notEncrypted: text = "it has a key, and what came wasn't encrypted; ignored"
        }
        guard device.complaint != reason else { return }
        device.complaint = reason
        BridgeOutput.log(.warning, "\(device.label): \(text)")
    }

    // MARK: - Who is there

    func begin(_ device: Device) {
        devices[device.address] = device
        watch(device, for: device.timeout)
        guard let settings = device.settings else { return }
        if settings.twin {
            let twin = TwinBinding(device: device.label, connection: connection) { [weak self, weak device] in
                guard let self, let device else { return }
                self.desire(device, $0, $1)
            }
            device.twin = twin
            twin.start()
        }
        if !settings.characteristics.isEmpty { connect(device, settings) }
    }

    /// nil: there are too many already.
    private func stranger(_ address: DeviceAddress) -> Device? {
        if strangers >= Self.mostStrangers, !forgetOne() {
            if !isFull { BridgeOutput.log(.warning, "more than \(strangers) devices: no more are taken; see `allow`") }
            isFull = true
            return nil
        }
        isFull = false
        strangers += 1
        let device = Device(address, nil, timeout: settings.timeout, dedup: settings.dedup, now: loop.now)
        begin(device)
        return device
    }

    /// The one that has been silent for longest, with what is retained of it.
    private func forgetOne() -> Bool {
        let silent = devices.values.filter { $0.settings == nil && $0.isOnline == false }
        guard let oldest = silent.min(by: { $0.seen < $1.seen }) else { return false }
        devices[oldest.address] = nil
        strangers -= 1
        loop.cancel(oldest.timer)
        connection.publish(topic(oldest, "state"), [], retain: true)
        return true
    }

    func heard(_ device: Device, at now: Instant) {
        device.seen = now
        // Of a device that we stay connected to, that it calls for a connection says the opposite.
        guard !device.staysConnected || device.isConnected, device.isOnline != true else { return }
        tell(device, isOnline: true)
        watch(device, for: device.timeout)
    }

    private func watch(_ device: Device, for time: Duration) {
        loop.cancel(device.timer)
        device.timer = loop.schedule(after: time) { [weak self, weak device] in
            guard let self, let device, !self.isStopping else { return }
            let silence = self.loop.now - device.seen
            if device.isConnected {
                self.watch(device, for: device.timeout)
            } else if silence < device.timeout {
                self.watch(device, for: device.timeout - silence)
            } else {
                self.tell(device, isOnline: false)
            }
        }
    }
}
