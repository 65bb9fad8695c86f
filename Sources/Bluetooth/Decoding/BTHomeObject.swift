/// What an object identifier of BTHome v2 means (https://bthome.io/format).
struct BTHomeObject: Sendable {
    enum Kind: Sendable {
        case packetIdentifier
        /// Little-endian; the value is `raw * factor / 10^decimals`.
        case number(bytes: Int, signed: Bool, factor: Int, decimals: Int)
        case flag
        /// UTF-8, behind a byte of length.
        case text
        /// Behind a byte of length.
        case raw
        /// Least significant component first.
        case version(bytes: Int)
        case button, dimmer, command
    }

    let name: String
    let kind: Kind
    var unit = ""

    /// How many bytes of value follow; takes the byte of length where there is one. Nil: that byte is missing.
    func length(_ cursor: inout ByteCursor) -> Int? {
        switch kind {
        case .number(let bytes, _, _, _), .version(let bytes): return bytes
        case .packetIdentifier, .flag, .button: return 1
        case .dimmer: return 2
        case .text, .raw: return cursor.byte().map(Int.init)
        // The opcode, and as many arguments as the lower five bits say.
        case .command: return cursor.byte().map { 1 + Int($0 & 0x1F) }
        }
    }

    static let buttonEvents: [UInt8: String] = [
        1: "press", 2: "double_press", 3: "triple_press", 4: "long_press", 5: "long_double_press",
        6: "long_triple_press", 0x80: "hold_press", 0x81: "hold_release",
    ]
    static let dimmerEvents: [UInt8: String] = [1: "rotate_left", 2: "rotate_right"]
    static let commandEvents: [UInt8: String] = [0: "off", 1: "on", 2: "toggle", 3: "step_up", 4: "step_down"]

    static let table: [BTHomeObject?] = {
        var table = [BTHomeObject?](repeating: nil, count: 256)
        for (identifier, object) in numbers { table[identifier] = object }
        for (identifier, name) in flags { table[identifier] = BTHomeObject(name: name, kind: .flag) }
        for (identifier, object) in others { table[identifier] = object }
        return table
    }()

    private static func unsigned(
        _ name: String, _ bytes: Int, _ decimals: Int = 0, _ unit: String = ""
    ) -> BTHomeObject {
        BTHomeObject(
            name: name, kind: .number(bytes: bytes, signed: false, factor: 1, decimals: decimals), unit: unit)
    }

    private static func signed(
        _ name: String, _ bytes: Int, _ decimals: Int = 0, _ unit: String = "", factor: Int = 1
    ) -> BTHomeObject {
        BTHomeObject(
            name: name, kind: .number(bytes: bytes, signed: true, factor: factor, decimals: decimals), unit: unit)
    }

    private static let numbers: [(Int, BTHomeObject)] = [
        (0x01, unsigned("battery", 1, 0, "%")),
        (0x02, signed("temperature", 2, 2, "°C")),
        (0x03, unsigned("humidity", 2, 2, "%")),
        (0x04, unsigned("pressure", 3, 2, "hPa")),
        (0x05, unsigned("illuminance", 3, 2, "lx")),
        (0x06, unsigned("mass", 2, 2, "kg")),
        (0x07, unsigned("mass", 2, 2, "lb")),
        (0x08, signed("dew_point", 2, 2, "°C")),
        (0x09, unsigned("count", 1)),
        (0x0A, unsigned("energy", 3, 3, "kWh")),
        (0x0B, unsigned("power", 3, 2, "W")),
        (0x0C, unsigned("voltage", 2, 3, "V")),
        (0x0D, unsigned("pm25", 2, 0, "µg/m³")),
        (0x0E, unsigned("pm10", 2, 0, "µg/m³")),
        (0x12, unsigned("co2", 2, 0, "ppm")),
        (0x13, unsigned("tvoc", 2, 0, "µg/m³")),
        (0x14, unsigned("moisture", 2, 2, "%")),
        (0x2E, unsigned("humidity", 1, 0, "%")),
        (0x2F, unsigned("moisture", 1, 0, "%")),
        (0x3D, unsigned("count", 2)),
        (0x3E, unsigned("count", 4)),
        (0x3F, signed("rotation", 2, 1, "°")),
        (0x40, unsigned("distance", 2, 0, "mm")),
        (0x41, unsigned("distance", 2, 1, "m")),
        (0x42, unsigned("duration", 3, 3, "s")),
        (0x43, unsigned("current", 2, 3, "A")),
        (0x44, unsigned("speed", 2, 2, "m/s")),
        (0x45, signed("temperature", 2, 1, "°C")),
        (0x46, unsigned("uv_index", 1, 1)),
        (0x47, unsigned("volume", 2, 1, "L")),
        (0x48, unsigned("volume", 2, 0, "mL")),
        (0x49, unsigned("volume_flow_rate", 2, 3, "m³/h")),
        (0x4A, unsigned("voltage", 2, 1, "V")),
        (0x4B, unsigned("gas", 3, 3, "m³")),
        (0x4C, unsigned("gas", 4, 3, "m³")),
        (0x4D, unsigned("energy", 4, 3, "kWh")),
        (0x4E, unsigned("volume", 4, 3, "L")),
        (0x4F, unsigned("water", 4, 3, "L")),
        // Seconds since 1970 UTC.
        (0x50, unsigned("timestamp", 4, 0, "s")),
        (0x51, unsigned("acceleration", 2, 3, "m/s²")),
        (0x52, unsigned("gyroscope", 2, 3, "°/s")),
        (0x55, unsigned("volume_storage", 4, 3, "L")),
        (0x56, unsigned("conductivity", 2, 0, "µS/cm")),
        (0x57, signed("temperature", 1, 0, "°C")),
        (0x58, signed("temperature", 1, 2, "°C", factor: 35)),
        (0x59, signed("count", 1)),
        (0x5A, signed("count", 2)),
        (0x5B, signed("count", 4)),
        (0x5C, signed("power", 4, 2, "W")),
        (0x5D, signed("current", 2, 3, "A")),
        (0x5E, unsigned("direction", 2, 2, "°")),
        (0x5F, unsigned("precipitation", 2, 1, "mm")),
        (0x60, unsigned("channel", 1)),
        (0x61, unsigned("rotational_speed", 2, 0, "rpm")),
        (0x62, signed("speed", 4, 6, "m/s")),
        (0x63, signed("acceleration", 4, 6, "m/s²")),
        (0x64, unsigned("light_level", 1)),
        (0x65, unsigned("settings_revision", 1)),
        (0xF0, unsigned("device_type_id", 2)),
    ]

    /// Named so that none shares a topic with a number: a battery has a charge and may be low.
    private static let flags: [(Int, String)] = [
        (0x0F, "generic"), (0x10, "power_on"), (0x11, "opening"), (0x15, "battery_low"), (0x16, "battery_charging"),
        (0x17, "carbon_monoxide"), (0x18, "cold"), (0x19, "connectivity"), (0x1A, "door"), (0x1B, "garage_door"),
        (0x1C, "gas_detected"), (0x1D, "heat"), (0x1E, "light"), (0x1F, "lock"), (0x20, "moisture_detected"),
        (0x21, "motion"), (0x22, "moving"), (0x23, "occupancy"), (0x24, "plug"), (0x25, "presence"), (0x26, "problem"),
        (0x27, "running"), (0x28, "safety"), (0x29, "smoke"), (0x2A, "sound"), (0x2B, "tamper"), (0x2C, "vibration"),
        (0x2D, "window"),
    ]

    private static let others: [(Int, BTHomeObject)] = [
        (0x00, BTHomeObject(name: "packet_id", kind: .packetIdentifier)),
        (0x3A, BTHomeObject(name: "button", kind: .button)),
        (0x3B, BTHomeObject(name: "command", kind: .command)),
        (0x3C, BTHomeObject(name: "dimmer", kind: .dimmer)),
        (0x53, BTHomeObject(name: "text", kind: .text)),
        (0x54, BTHomeObject(name: "raw", kind: .raw)),
        (0xF1, BTHomeObject(name: "firmware_version", kind: .version(bytes: 4))),
        (0xF2, BTHomeObject(name: "firmware_version", kind: .version(bytes: 3))),
    ]
}
