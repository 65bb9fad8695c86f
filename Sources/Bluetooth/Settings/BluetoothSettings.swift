import Bridge
import Configuration

/// The part of a `[[module]]` with `program = "bluetooth"` that is the bridge's own.
package struct BluetoothSettings: Sendable, Equatable {
    package var adapter = "hci0"
    /// Empty: everybody whose advertisements can be decoded.
    package var allow: [AllowRule] = []
    package var keysFile = ""
    /// How long the same bytes count once.
    package var dedup: Duration = .seconds(10)
    package var rssi = false
    package var raw = false
    package var format = ReadingFormat.json
    package var qos = 1
    package var retain = false
    package var topic = "bluetooth/{device}/{measurement}"
    /// Silence after which a device is offline.
    package var timeout: Duration = .seconds(300)
    /// Values that stay the same are published once, and every `heartbeat`.
    package var onChange = false
    package var heartbeat: Duration?
    /// Devices connected to at a time.
    package var connections = 3
    package var connectTimeout: Duration = .seconds(30)
    package var retry = BackoffSettings(min: .seconds(5), max: .seconds(300))
    package var devices: [DeviceSettings] = []

    package init() {}

    package static let placeholders = ["device", "measurement", "node", "name"]
}

extension BluetoothSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        let month = Duration.seconds(30 * 86_400)
        fields.value("adapter", &adapter, .adapter)
        fields.value("allow", &allow, .list(of: AllowRule.kind))
        fields.value("keys_file", &keysFile, .text)
        fields.value("dedup", &dedup, .time(in: .zero ... .seconds(86_400)))
        fields.value("rssi", &rssi, .flag)
        fields.value("raw", &raw, .flag)
        fields.value("format", &format, .word())
        fields.value("qos", &qos, .count(in: 0...1))
        fields.value("retain", &retain, .flag)
        fields.value("topic", &topic, .topicName)
        fields.value("timeout", &timeout, .time(in: .seconds(1)...month))
        fields.value("on_change", &onChange, .flag)
        fields.value("heartbeat", &heartbeat, .optional(.time(in: .seconds(1)...month)))
        fields.value("connections", &connections, .count(in: 1...64))
        fields.value("connect_timeout", &connectTimeout, .time(in: .seconds(1) ... .seconds(300)))
        fields.table("retry", &retry)
        fields.tables("device", &devices)
    }
}

extension Kind where Value == String {
    /// What the kernel calls a controller.
    fileprivate static var adapter: Kind {
        text.checked { text in
            let number = text.dropFirst(3)
            guard text.hasPrefix("hci"), !number.isEmpty, number.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                return "\"\(text)\" is not an adapter (hci0, hci1, ...)"
            }
            return nil
        }
    }
}
