/// What the free firmwares of Xiaomi's thermometers send as service data of UUID 0x181A: atc1441's format, pvvx's, and both
/// encrypted (https://github.com/pvvx/ATC_MiThermometer#bluetooth-advertising-formats). Their lengths tell them apart.
enum Thermometer {
    static let service: UInt16 = 0x181A

    static func decode(
        _ data: [UInt8], from address: DeviceAddress, key: BindKey?
    ) throws(DecodingFailure) -> Decoded {
        switch data.count {
        case 13, 15:
            guard key == nil else { throw .notEncrypted }
            return data.count == 13 ? atc(data) : pvvx(data)
        case 8: return encryptedATC(try open(data, from: address, key: key), counter: data[0])
        case 11: return encryptedPVVX(try open(data, from: address, key: key), counter: data[0])
        default: throw .unknownFormat
        }
    }

    /// Address, then big-endian tenths of a degree, percent, percent, millivolts, a counter.
    private static func atc(_ data: [UInt8]) -> Decoded {
        let temperature = ByteCursor.signed(ByteCursor.unsigned(data[6..<8], littleEndian: false), bytes: 2)
        return Decoded(
            .atc,
            [
                .scaled("temperature", temperature, decimals: 1, unit: "°C"),
                .scaled("humidity", Int(data[8]), unit: "%"),
                .scaled("battery", Int(data[9]), unit: "%"),
                .scaled(
                    "voltage", ByteCursor.unsigned(data[10..<12], littleEndian: false), decimals: 3, unit: "V"),
            ], sequence: UInt32(data[12]))
    }

    /// Address, then little-endian hundredths of a degree, hundredths of a percent, millivolts, percent, a counter, flags.
    private static func pvvx(_ data: [UInt8]) -> Decoded {
        let found =
            hundredths(data[6..<10]) + [
                .scaled("voltage", ByteCursor.unsigned(data[10..<12]), decimals: 3, unit: "V"),
                .scaled("battery", Int(data[12]), unit: "%"),
            ]
        return Decoded(.pvvx, found + switches(data[14]), sequence: UInt32(data[13]))
    }

    private static func encryptedATC(_ plain: [UInt8], counter: UInt8) -> Decoded {
        Decoded(
            .atc,
            [
                // Half degrees above -40, half percents.
                .scaled("temperature", Int(plain[0]) * 5 - 400, decimals: 1, unit: "°C"),
                .scaled("humidity", Int(plain[1]) * 5, decimals: 1, unit: "%"),
                .scaled("battery", min(100, Int(plain[2] & 0x7F)), unit: "%"),
                Measurement("switch", .boolean(plain[2] & 0x80 != 0)),
            ], sequence: UInt32(counter))
    }

    private static func encryptedPVVX(_ plain: [UInt8], counter: UInt8) -> Decoded {
        let battery = Measurement.scaled("battery", min(100, Int(plain[4])), unit: "%")
        return Decoded(.pvvx, hundredths(plain[0..<4]) + [battery] + switches(plain[5]), sequence: UInt32(counter))
    }

    private static func hundredths(_ data: ArraySlice<UInt8>) -> [Measurement] {
        let temperature = ByteCursor.signed(ByteCursor.unsigned(data.prefix(2)), bytes: 2)
        return [
            .scaled("temperature", temperature, decimals: 2, unit: "°C"),
            .scaled("humidity", ByteCursor.unsigned(data.suffix(2)), decimals: 2, unit: "%"),
        ]
    }

    /// Bit 0: the reed switch; bit 1: what the pin TRG puts out.
    private static func switches(_ flags: UInt8) -> [Measurement] {
        [Measurement("opening", .boolean(flags & 1 != 0)), Measurement("switch", .boolean(flags & 2 != 0))]
    }

    /// A counter, the text, a tag. The nonce is the address backwards, the advertisement's header (length, type, UUID) and the
    /// counter.
    private static func open(
        _ data: [UInt8], from address: DeviceAddress, key: BindKey?
    ) throws(DecodingFailure) -> [UInt8] {
        guard let key else { throw .keyMissing }
        let nonce = address.bytes.reversed() + [UInt8(data.count + 3), 0x16, 0x1A, 0x18, data[0]]
        guard
            let plain = AESCCM(key: key).open(
                data[1..<(data.count - 4)], tag: data.suffix(4), nonce: nonce, associated: [0x11])
        else { throw .keyWrong }
        return plain
    }
}
