import Bridge
import Configuration

/// What must hold between the keys of a Bluetooth module, or that needs a file to be judged.
package enum BluetoothChecks {
    package static func check(_ settings: BluetoothSettings, _ findings: Findings) {
        topic(settings, findings)
        if settings.retry.min > settings.retry.max { findings.report("min is longer than max", path: "retry.min") }
        keys(settings, findings)
        var addresses: Set<DeviceAddress> = []
        var labels: Set<String> = []
        for (index, device) in settings.devices.enumerated() {
            let path = "device.\(index)"
            if let address = device.address {
                if !addresses.insert(address).inserted {
                    findings.report("another device has the address \(address)", path: "\(path).address")
                }
            } else if !findings.hasProblem(at: "\(path).address") {
                findings.report("is missing", path: "\(path).address")
            }
            if !device.label.isEmpty, !labels.insert(device.label).inserted {
                findings.report("another device has the name \"\(device.label)\"", path: "\(path).name")
            }
            if device.twin, let problem = twinProblem(device.label) {
                findings.report(problem, path: "\(path).name")
            }
            characteristics(device, path, findings)
        }
        connections(settings, findings)
    }

    private static func topic(_ settings: BluetoothSettings, _ findings: Findings) {
        do throws(TopicTemplate.Problem) {
            let template = try TopicTemplate(settings.topic, names: BluetoothSettings.placeholders)
            for name in ["device", "measurement"] where !template.contains(name) {
                findings.report("needs {\(name)}, or different values would share a topic", path: "topic")
            }
        } catch {
            findings.report(error.message, path: "topic")
        }
    }

    private static func keys(_ settings: BluetoothSettings, _ findings: Findings) {
        guard !settings.keysFile.isEmpty else { return }
        do throws(KeysFile.Unreadable) {
            let (file, _) = try KeysFile.read(settings.keysFile)
            for problem in file.problems { findings.report("\(settings.keysFile): \(problem)", path: "keys_file") }
        } catch {
            findings.report("\"\(settings.keysFile)\": \(error.message)", path: "keys_file")
        }
    }

    private static func characteristics(_ device: DeviceSettings, _ path: String, _ findings: Findings) {
        var names: Set<String> = []
        for (index, item) in device.characteristics.enumerated() {
            let path = "\(path).characteristic.\(index)"
            if item.uuid == nil, !findings.hasProblem(at: "\(path).uuid") {
                findings.report("is missing", path: "\(path).uuid")
            }
            if item.name.isEmpty {
                if !findings.hasProblem(at: "\(path).name") { findings.report("is missing", path: "\(path).name") }
            } else if item.name == "state" {
                findings.report("\"state\" is where online and offline are told", path: "\(path).name")
            } else if !names.insert(item.name).inserted {
                findings.report("another characteristic of this device has this name", path: "\(path).name")
            }
            if !item.notify, item.interval == nil, !item.writable {
                findings.report("needs interval, notify or writable: nothing is done with it", path: path)
            }
            number(item, path, findings)
        }
    }

    private static func number(_ item: CharacteristicSettings, _ path: String, _ findings: Findings) {
        if item.scale == 0 { findings.report("0 would make every value the same", path: "\(path).scale") }
        let isScaled = item.scale != 1 || item.offset != 0
        if isScaled, !item.type.isNumber {
            findings.report("is for numbers, and the type is \(item.type.text)", path: "\(path).scale")
        }
        if let least = item.least, let most = item.most, least > most {
            findings.report("min is more than max", path: "\(path).min")
        }
        if item.least != nil || item.most != nil, !item.type.isNumber {
            findings.report("is for numbers, and the type is \(item.type.text)", path: "\(path).min")
        }
        if !item.names.isEmpty {
            if isScaled { findings.report("cannot be had with scale or offset", path: "\(path).enum") }
            for text in item.names.keys.sorted() where Int64(text) == nil {
                findings.report("\"\(text)\" is not a whole number", path: "\(path).enum")
            }
        }
        if let count = item.type.fixedBytes, count % 2 != 0 && count > 1,
            item.order == .wordsSwapped || item.order == .bytesSwapped
        {
            findings.report("\(item.order.rawValue) needs an even number of bytes", path: "\(path).order")
        }
    }

    private static func connections(_ settings: BluetoothSettings, _ findings: Findings) {
        let staying = settings.devices.count(where: \.staysConnected)
        guard staying > settings.connections else { return }
        findings.report(
            "\(staying) devices stay connected (notify, or an interval of 30s or less), and \(settings.connections) may",
            path: "connections")
    }

    /// As TWIN.md has names of devices, one level.
    private static func twinProblem(_ label: String) -> String? {
        label.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) ? "a twin's name has no blanks" : nil
    }
}
