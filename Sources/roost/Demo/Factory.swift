import MQTT

/// The devices of the demo: two plants, with presses, ovens, pumps, meters and vibration probes, and what each measures.
enum Factory {
    /// One topic that a device publishes to.
    struct Series {
        var topic: String
        var qos: QoS
        /// Milliseconds between two readings.
        var period: Int
        var quantities: [Quantity]
    }

    struct Device {
        var name: String
        /// A session that outlives connections; without it a publisher at QoS 2 can't resume what a lost connection left.
        var keepsSession: Bool
        var series: [Series]
    }

    static let devices: [Device] = {
        var devices: [Device] = []
        for (plant, line) in [("north", 1), ("north", 2), ("south", 1), ("south", 2)] {
            let place = "\(plant)/line-\(line)"
            let press = "\(place)/press"
            devices.append(
                Device(
                    name: press, keepsSession: false,
                    series: [
                        Series(
                            topic: "\(press)/telemetry", qos: .atLeastOnce, period: 80,
                            quantities: [.temperature(62), .pressure(180), .cycles]),
                        Series(topic: "alarm/\(press)", qos: .atLeastOnce, period: 2_600, quantities: [.pressure(210)]),
                    ]))
            let oven = Series(
                topic: "\(place)/oven/telemetry", qos: .atLeastOnce, period: 100,
                quantities: [.temperature(214), .power(38)])
            devices.append(Device(name: "\(place)/oven", keepsSession: false, series: [oven]))
            let pump = Series(
                topic: "\(place)/pump/telemetry", qos: .atLeastOnce, period: 100,
                quantities: [.flow(12), .pressure(6), .temperature(41)])
            devices.append(Device(name: "\(place)/pump", keepsSession: false, series: [pump]))
            let meter = Series(
                topic: "\(place)/meter/energy", qos: .exactlyOnce, period: 1_000,
                quantities: [.energy(8_412), .power(96)])
            devices.append(Device(name: "\(place)/meter", keepsSession: true, series: [meter]))
            let probe = Series(
                topic: "\(place)/probe/vibration", qos: .atMostOnce, period: 100, quantities: [.vibration(2)])
            devices.append(Device(name: "\(place)/probe", keepsSession: false, series: [probe]))
        }
        return devices
    }()
}

/// A measured quantity: where its slow walk starts, in hundredths of its unit, and how far one step goes.
struct Quantity {
    var name: String
    var unit: String
    var start: Int
    var step: Int
    /// A counter: it never falls.
    var onlyRises = false

    static func temperature(_ degrees: Int) -> Quantity {
        Quantity(name: "temperature", unit: "\u{B0}C", start: degrees * 100, step: 15)
    }
    static func pressure(_ bar: Int) -> Quantity { Quantity(name: "pressure", unit: "bar", start: bar * 100, step: 8) }
    static func power(_ kilowatts: Int) -> Quantity {
        Quantity(name: "power", unit: "kW", start: kilowatts * 100, step: 20)
    }
    static func flow(_ litres: Int) -> Quantity { Quantity(name: "flow", unit: "l/s", start: litres * 100, step: 5) }
    static func vibration(_ speed: Int) -> Quantity {
        Quantity(name: "vibration", unit: "mm/s", start: speed * 100, step: 12)
    }
    static func energy(_ hours: Int) -> Quantity {
        Quantity(name: "energy", unit: "kWh", start: hours * 100, step: 3, onlyRises: true)
    }
    static let cycles = Quantity(name: "cycles", unit: "1", start: 4_200_000, step: 100, onlyRises: true)
}
