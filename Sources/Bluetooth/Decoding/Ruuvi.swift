/// Ruuvi data format 5, RAWv2 (https://docs.ruuvi.com/communication/bluetooth-advertisements/data-format-5-rawv2): manufacturer
/// data of company 0x0499, big-endian. A value that the sensor doesn't have has a number of its own, and is left out.
enum Ruuvi {
    static let company: UInt16 = 0x0499

    static func decode(_ data: [UInt8]) throws(DecodingFailure) -> Decoded {
        guard let format = data.first else { throw .malformed }
        guard format == 5 else { throw .unknownFormat }
        guard data.count == 24 else { throw .malformed }
        func unsigned(_ place: Int) -> Int? {
            let raw = ByteCursor.unsigned(data[place..<place + 2], littleEndian: false)
            return raw == 0xFFFF ? nil : raw
        }
        func signed(_ place: Int) -> Int? {
            let raw = ByteCursor.unsigned(data[place..<place + 2], littleEndian: false)
            return raw == 0x8000 ? nil : ByteCursor.signed(raw, bytes: 2)
        }
        var found: [Measurement] = []
        func add(_ name: String, _ raw: Int?, _ decimals: Int, _ unit: String) {
            guard let raw else { return }
            found.append(.scaled(name, raw, decimals: decimals, unit: unit))
        }
        add("temperature", signed(1).map { $0 * 5 }, 3, "°C")
        add("humidity", unsigned(3).map { $0 * 25 }, 4, "%")
        add("pressure", unsigned(5).map { $0 + 50_000 }, 2, "hPa")
        add("acceleration_x", signed(7), 3, "g")
        add("acceleration_y", signed(9), 3, "g")
        add("acceleration_z", signed(11), 3, "g")
        // 11 bits of voltage above 1.6 V, 5 bits of transmission power above -40 dBm in steps of 2.
        let power = ByteCursor.unsigned(data[13..<15], littleEndian: false)
        add("voltage", power >> 5 == 0x7FF ? nil : power >> 5 + 1600, 3, "V")
        add("tx_power", power & 31 == 31 ? nil : (power & 31) * 2 - 40, 0, "dBm")
        add("movement_count", data[15] == 0xFF ? nil : Int(data[15]), 0, "")
        let sequence = unsigned(16)
        add("measurement_sequence", sequence, 0, "")
        guard !found.isEmpty else { throw .malformed }
        return Decoded(.ruuvi, found, sequence: sequence.map { UInt32($0) })
    }
}
