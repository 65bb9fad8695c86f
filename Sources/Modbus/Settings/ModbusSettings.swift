import Bridge
import Configuration

/// The part of a `[[module]]` with `program = "modbus"` that is the bridge's own (docs/modbus.md).
package struct ModbusSettings: Sendable, Equatable {
    package var format = ReadingFormat.json
    /// With `{connection}`, `{device}` and `{point}`; `{node}` and `{name}` may stand in it too.
    package var topic = "modbus/{connection}/{device}/{point}"
    /// Of values: 0 or 1.
    package var qos = 1
    package var retain = false
    /// How often figures of each connection are published; zero: never.
    package var statistics: Duration = .seconds(60)
    package var connections: [ConnectionSettings] = []

    package init() {}
}

extension ModbusSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("format", &format, .word())
        fields.value("topic", &topic, .topicName)
        fields.value("qos", &qos, .count(in: 0...1))
        fields.value("retain", &retain, .flag)
        fields.value("statistics", &statistics, .time(in: .zero ... .seconds(86400)))
        fields.tables("connection", &connections)
    }
}

/// One `[[module.connection]]`: a serial line, or a TCP connection.
package struct ConnectionSettings: Sendable, Equatable {
    package var name = ""
    /// nil: not given.
    package var url: ConnectionAddress?
    /// Until a device begins to answer.
    package var timeout: Duration = .milliseconds(500)
    /// Further tries of a request.
    package var retries = 1
    /// Requests under way at one time, on TCP.
    package var pipeline = 1
    package var connectTimeout: Duration = .seconds(5)
    package var reconnect = BackoffSettings(min: .seconds(1), max: .seconds(60))
    package var devices: [DeviceSettings] = []

    package init() {}
}

extension ConnectionSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("name", &name, .ownLevel)
        fields.value("url", &url, .address)
        fields.value("timeout", &timeout, .time(in: .milliseconds(1) ... .seconds(600)))
        fields.value("retries", &retries, .count(in: 0...100))
        fields.value("pipeline", &pipeline, .count(in: 1...16))
        fields.value("connect_timeout", &connectTimeout, .time(in: .milliseconds(10) ... .seconds(600)))
        fields.table("reconnect", &reconnect)
        fields.tables("device", &devices)
    }
}

/// One `[[module.connection.device]]`.
package struct DeviceSettings: Sendable, Equatable {
    package var name = ""
    package var unit = 1
    /// Of points that don't say otherwise.
    package var interval: Duration = .seconds(1)
    package var order = ByteOrder.abcd
    /// Its points are properties of the twin of the device's name.
    package var twin = false
    /// Its identification (function 43/14) is asked for and published.
    package var identify = false
    package var gap = 10
    package var maximumRegisters = 125
    package var maximumCoils = 2000
    /// How long a silent device is left alone.
    package var backoff = BackoffSettings(min: .seconds(1), max: .seconds(60))
    package var writesMultiple = false
    package var readsModifiesWrites = false
    package var points: [PointSettings] = []

    package init() {}
}

extension DeviceSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("name", &name, .ownLevel)
        fields.value("unit", &unit, .unit)
        fields.value("interval", &interval, .interval)
        fields.value("order", &order, .word())
        fields.value("twin", &twin, .flag)
        fields.value("identify", &identify, .flag)
        fields.value("gap", &gap, .count(in: 0...124))
        fields.value("max_registers", &maximumRegisters, .count(in: 1...125))
        fields.value("max_coils", &maximumCoils, .count(in: 1...2000))
        fields.table("backoff", &backoff)
        fields.value("write_multiple", &writesMultiple, .flag)
        fields.value("read_modify_write", &readsModifiesWrites, .flag)
        fields.tables("point", &points)
    }
}

/// One `[[module.connection.device.point]]`.
package struct PointSettings: Sendable, Equatable {
    package var name = ""
    /// nil: the reference says it.
    package var table: DataTable?
    /// As it is in requests, from 0.
    package var address: Int?
    package var reference: Reference?
    /// nil: `bool` for coils and discrete inputs, else `uint16`.
    package var type: ValueType?
    /// nil: the device's.
    package var order: ByteOrder?
    package var scale = DecimalNumber.one
    package var offset = DecimalNumber.zero
    package var unit = ""
    package var names: [Int128: String] = [:]
    /// nil: the device's.
    package var interval: Duration?
    package var deadband: ChangeGate.Deadband?
    /// Zero: no value is repeated.
    package var heartbeat: Duration = .seconds(60)
    package var onChange = true
    package var isWritable = false
    package var isVerified = true
    package var least: DecimalNumber?
    package var most: DecimalNumber?

    package init() {}
}

extension PointSettings: SettingsTable {
    package mutating func visit(_ fields: inout some Fields) {
        fields.value("name", &name, .ownLevel)
        fields.value("table", &table, .optional(.word()))
        fields.value("address", &address, .protocolAddress)
        fields.value("reference", &reference, .reference)
        fields.value("type", &type, .valueType)
        fields.value("order", &order, .optional(.word()))
        fields.value("scale", &scale, .decimal)
        fields.value("offset", &offset, .decimal)
        fields.value("unit", &unit, .text)
        fields.value("enum", &names, .names)
        fields.value("interval", &interval, .optional(.interval))
        fields.value("deadband", &deadband, .deadband)
        fields.value("heartbeat", &heartbeat, .time(in: .zero ... .seconds(30 * 86400)))
        fields.value("on_change", &onChange, .flag)
        fields.value("writable", &isWritable, .flag)
        fields.value("verify", &isVerified, .flag)
        fields.value("min", &least, .optional(.decimal))
        fields.value("max", &most, .optional(.decimal))
    }

    /// The table, whichever key says it.
    package var place: DataTable? { reference?.table ?? table }

    package var start: Int? { reference?.address ?? address }

    package var valueType: ValueType { type ?? (place?.holdsBits == true ? .bool : .uint16) }
}
