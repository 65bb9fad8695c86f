import Configuration

/// One `[[module.device]]`: a device with a name, a twin, or characteristics to connect for.
package struct DeviceSettings: Sendable, Equatable {
    package var address: DeviceAddress?
    /// Takes the address's place in topics; empty: the address.
    package var name = ""
    package var twin = false
    /// Silence after which it is offline; nil: the module's.
    package var timeout: Duration?
    package var characteristics: [CharacteristicSettings] = []

    package init() {}

    /// What stands for it in topics.
    var label: String { name.isEmpty ? address?.compact ?? "" : name }

    /// A connection for notifications is kept, and so is one that would be made again every few seconds.
    var staysConnected: Bool {
        characteristics.contains { $0.notify || ($0.interval ?? .seconds(3600)) <= .seconds(30) }
    }
}

extension DeviceSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("address", &address, .optional(DeviceAddress.kind))
        fields.value("name", &name, .level)
        fields.value("twin", &twin, .flag)
        fields.value("timeout", &timeout, .optional(.time(in: .seconds(1) ... .seconds(30 * 86_400))))
        fields.tables("characteristic", &characteristics)
    }
}
