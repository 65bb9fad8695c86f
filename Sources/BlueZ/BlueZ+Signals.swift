import Bluetooth
import Glibc

/// What bluetoothd tells unasked.
extension BlueZ {
    func bus(didReceive signal: BusMessage) {
        if signal.isSignal("org.freedesktop.DBus", "NameOwnerChanged") {
            guard let sender = signal.sender, strcmp(sender, "org.freedesktop.DBus") == 0 else { return }
            guard signal.string() == "org.bluez", signal.string() != nil, let new = signal.string() else { return }
            return arrived(new.isEmpty ? nil : new)
        }
        // Only bluetoothd itself is believed.
        guard let owner, let sender = signal.sender, strcmp(sender, owner) == 0 else { return }
        if signal.isSignal("org.freedesktop.DBus.Properties", "PropertiesChanged") {
            guard let path = signal.path, let interface = signal.text() else { return }
            changed(path, interface, signal)
        } else if signal.isSignal("org.freedesktop.DBus.ObjectManager", "InterfacesAdded") {
            guard let path = signal.text("o") else { return }
            added(path, signal, isNews: true)
        } else if signal.isSignal("org.freedesktop.DBus.ObjectManager", "InterfacesRemoved") {
            guard let path = signal.text("o") else { return }
            removed(path, signal)
        }
    }

    /// An object, with the properties of all its interfaces (`a{sa{sv}}`).
    ///
    /// - Parameter isNews: it came just now; otherwise it was there before we were.
    func added(_ path: BusMessage.Text, _ message: BusMessage, isNews: Bool) {
        let isAdapter = strcmp(path, paths.adapter) == 0
        let found = paths.device(path)
        var hasCome = false
        message.forEachEntry(valued: "a{sv}") { interface in
            if isAdapter, strcmp(interface, Self.adapterInterface) == 0 {
                isPowered = false
                readAdapter(message)
                hasCome = true
            } else if let found, !found.isPart, strcmp(interface, Self.deviceInterface) == 0 {
                update(found.address, DeviceProperties(message), isHeard: isNews)
            } else if let found, found.isPart, strcmp(interface, Self.serviceInterface) == 0 {
                let uuid = uuid(message).uuid
                devices[found.address]?.services[String(cString: path)] = uuid
            } else if let found, found.isPart, strcmp(interface, Self.characteristicInterface) == 0 {
                let (uuid, service) = uuid(message)
                guard let uuid else { return }
                let path = String(cString: path)
                devices[found.address]?.characteristics.removeAll { $0.path == path }
                devices[found.address]?.characteristics.append(.init(path: path, uuid: uuid, servicePath: service))
            } else {
                message.skip("a{sv}")
            }
        }
        if hasCome, isNews { consider() }
    }

    private func uuid(_ message: BusMessage) -> (uuid: AttributeUUID?, service: String) {
        var uuid: AttributeUUID?
        var service = ""
        message.forEachEntry(valued: "v") { key in
            if strcmp(key, "UUID") == 0 {
                uuid = message.variant("s") { message.string() }.flatMap { AttributeUUID(parsing: $0) }
            } else if strcmp(key, "Service") == 0 {
                service = message.variant("o") { message.string("o") } ?? ""
            } else {
                message.skip("v")
            }
        }
        return (uuid, service)
    }

    /// Returns whether the adapter says that it scans.
    @discardableResult
    private func readAdapter(_ message: BusMessage) -> Bool? {
        var isDiscovering: Bool?
        message.forEachEntry(valued: "v") { key in
            if strcmp(key, "Powered") == 0 {
                if let powered = message.variant("b", { message.boolean() }) { isPowered = powered }
            } else if strcmp(key, "Discovering") == 0 {
                isDiscovering = message.variant("b") { message.boolean() }
            } else {
                message.skip("v")
            }
        }
        return isDiscovering
    }

    private func changed(_ path: BusMessage.Text, _ interface: BusMessage.Text, _ message: BusMessage) {
        if strcmp(interface, Self.deviceInterface) == 0 {
            guard let found = paths.device(path), !found.isPart else { return }
            update(found.address, DeviceProperties(message), isHeard: true)
        } else if strcmp(interface, Self.characteristicInterface) == 0 {
            guard let found = paths.device(path) else { return }
            notified(found.address, String(cString: path), message)
        } else if strcmp(interface, Self.adapterInterface) == 0, strcmp(path, paths.adapter) == 0 {
            let isDiscovering = readAdapter(message)
            consider()
            if isDiscovering == false { scanEnded() }
        }
    }

    private func removed(_ path: BusMessage.Text, _ message: BusMessage) {
        let isAdapter = strcmp(path, paths.adapter) == 0
        let found = paths.device(path)
        let text = String(cString: path)
        message.forEach(in: "s") {
            guard let interface = message.text() else { return false }
            if isAdapter, strcmp(interface, Self.adapterInterface) == 0 {
                isPowered = nil
                forgetDevices()
                consider()
            } else if let found, !found.isPart, strcmp(interface, Self.deviceInterface) == 0 {
                forget(found.address)
            } else if let found, strcmp(interface, Self.characteristicInterface) == 0 {
                devices[found.address]?.characteristics.removeAll { $0.path == text }
            } else if let found, strcmp(interface, Self.serviceInterface) == 0 {
                devices[found.address]?.services[text] = nil
            }
            return true
        }
    }

    // MARK: - Devices

    private static let mostDevices = 20_000

    private func update(_ address: DeviceAddress, _ properties: DeviceProperties, isHeard: Bool) {
        let isNew = devices[address] == nil
        // bluetoothd forgets whom it doesn't hear any more, and tells; this is for one that doesn't.
        if isNew, devices.count >= Self.mostDevices { return }
        if let name = properties.name { devices[address, default: KnownDevice()].name = name }
        if let isResolved = properties.isResolved { devices[address, default: KnownDevice()].isResolved = isResolved }
        if let isConnected = properties.isConnected {
            devices[address, default: KnownDevice()].isConnected = isConnected
            if !isConnected { devices[address]?.isResolved = false }
        }
        let name = devices[address, default: KnownDevice()].name
        // Before anybody hears of the device, and connects to it.
        if properties.isConnected == false { disconnected(address) }
        if isHeard, properties.isHeard {
            isHeardSince = true
            delegate?.radio(
                didHear: Advertisement(
                    address: address, name: name, rssi: properties.rssi, parts: properties.parts))
        }
        if isNew { delegate?.radio(didFind: address) }
        if properties.isResolved == true { resolved(address) }
    }

    private func notified(_ device: DeviceAddress, _ path: String, _ message: BusMessage) {
        guard let place = devices[device]?.place(of: path, on: device) else { return }
        message.forEachEntry(valued: "v") { key in
            guard strcmp(key, "Value") == 0 else { return message.skip("v") }
            if let bytes = message.variant("ay", { message.bytes() }) {
                delegate?.radio(didNotify: bytes, of: place)
            }
        }
    }

    func forget(_ address: DeviceAddress) {
        disconnected(address)
        devices[address] = nil
    }

    func forgetDevices() {
        for address in devices.keys.filter({ devices[$0]?.isOurs == true || connecting[$0] != nil }) {
            disconnected(address)
        }
        devices = [:]
    }
}
