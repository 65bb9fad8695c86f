import Bridge
import Configuration

/// One `[[module.device.characteristic]]`: a value that a connection is made for.
package struct CharacteristicSettings: Sendable, Equatable {
    package var uuid: AttributeUUID?
    /// Where several services have one of this UUID; nil: the first.
    package var service: AttributeUUID?
    /// Takes the measurement's place in topics, and is the property of the twin.
    package var name = ""
    package var type = CharacteristicType.unsigned(bytes: 1)
    package var order = ByteOrder.lowFirst
    package var scale = 1.0
    package var offset = 0.0
    package var unit = ""
    /// Texts for numbers: `{ "0" = "off", "1" = "on" }`.
    package var names: [String: String] = [:]
    /// How often it is read; nil: never.
    package var interval: Duration?
    package var notify = false
    package var writable = false
    /// Of what is written, as it is published; nil: no limit but the type's.
    package var least: Double?
    package var most: Double?
    package var onChange = false
    package var deadband: ChangeGate.Deadband?
    package var heartbeat: Duration?

    package init() {}
}

extension CharacteristicSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("uuid", &uuid, .optional(AttributeUUID.kind))
        fields.value("service", &service, .optional(AttributeUUID.kind))
        fields.value("name", &name, .level)
        fields.value("type", &type, CharacteristicType.kind)
        fields.value("order", &order, .word())
        fields.value("scale", &scale, .number(in: -1e15...1e15))
        fields.value("offset", &offset, .number(in: -1e15...1e15))
        fields.value("unit", &unit, .text)
        fields.value("enum", &names, .textTable)
        fields.value("interval", &interval, .optional(.time(in: .seconds(1) ... .seconds(30 * 86_400))))
        fields.value("notify", &notify, .flag)
        fields.value("writable", &writable, .flag)
        fields.value("min", &least, .optional(.number(in: -1e300...1e300)))
        fields.value("max", &most, .optional(.number(in: -1e300...1e300)))
        fields.value("on_change", &onChange, .flag)
        fields.value("deadband", &deadband, .deadband)
        fields.value("heartbeat", &heartbeat, .optional(.time(in: .seconds(1) ... .seconds(30 * 86_400))))
    }
}

extension AttributeUUID {
    package static var kind: Kind<AttributeUUID> {
        Kind(
            read: { (node) throws(Refusal) in
                guard let uuid = AttributeUUID(parsing: try Kind<String>.text.read(node)) else {
                    throw Refusal(
                        "\(node.shown) is not a UUID (\"2a19\" or \"00002a19-0000-1000-8000-00805f9b34fb\")")
                }
                return uuid
            },
            write: { .string($0.description) })
    }
}

extension DeviceAddress {
    package static var kind: Kind<DeviceAddress> {
        Kind(
            read: { (node) throws(Refusal) in
                guard let address = DeviceAddress(parsing: try Kind<String>.text.read(node)) else {
                    throw Refusal("\(node.shown) is not an address (\"A4:C1:38:00:11:22\")")
                }
                return address
            },
            write: { .string($0.description) })
    }
}

extension Kind where Value == ChangeGate.Deadband? {
    /// A number, or "2%" of the last value; the empty text is none.
    static var deadband: Kind {
        Kind(
            read: { (node) throws(Refusal) in
                if case .string(let text) = node.value {
                    if text.isEmpty { return nil }
                    guard text.hasSuffix("%"), let share = Double(text.dropLast()), share >= 0, share.isFinite else {
                        throw Refusal("\(node.shown) is not a deadband (a number, or like \"2%\")")
                    }
                    return .percent(share)
                }
                return .absolute(try Kind<Double>.number(in: 0...1e15).read(node))
            },
            write: { deadband in
                switch deadband {
                case nil: .string("")
                case .absolute(let least): .float(least)
                case .percent(let share): .string("\(NumberText.shortest(share))%")
                }
            })
    }
}
