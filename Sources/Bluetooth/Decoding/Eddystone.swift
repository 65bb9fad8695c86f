/// Eddystone (https://github.com/google/eddystone), service data of UUID 0xFEAA: UID, URL, and TLM that isn't encrypted.
/// Identifiers that change (EID) mean nothing to anybody but their owner.
enum Eddystone {
    static let service: UInt16 = 0xFEAA

    static func decode(_ data: [UInt8]) throws(DecodingFailure) -> Decoded {
        guard let frame = data.first else { throw .malformed }
        switch frame {
        case 0x00: return Decoded(.eddystone, try identifier(data))
        case 0x10: return Decoded(.eddystone, try url(data))
        case 0x20: return Decoded(.eddystone, try telemetry(data))
        default: throw .unknownFormat
        }
    }

    private static func power(_ byte: UInt8) -> Measurement {
        Measurement("eddystone_tx_power", .integer(Int64(Int8(bitPattern: byte))), unit: "dBm")
    }

    /// A power, ten bytes of namespace, six of instance, and two that are reserved and often left away.
    private static func identifier(_ data: [UInt8]) throws(DecodingFailure) -> [Measurement] {
        guard data.count == 18 || data.count == 20 else { throw .malformed }
        return [
            power(data[1]),
            Measurement("eddystone_namespace", .text(Hexadecimal.text(data[2..<12]))),
            Measurement("eddystone_instance", .text(Hexadecimal.text(data[12..<18]))),
        ]
    }

    private static let schemes = ["http://www.", "https://www.", "http://", "https://"]
    private static let endings = [
        ".com/", ".org/", ".edu/", ".net/", ".info/", ".biz/", ".gov/", ".com", ".org", ".edu", ".net", ".info", ".biz",
        ".gov",
    ]

    private static func url(_ data: [UInt8]) throws(DecodingFailure) -> [Measurement] {
        guard data.count >= 3, data.count <= 20, Int(data[2]) < schemes.count else { throw .malformed }
        var url = schemes[Int(data[2])]
        for byte in data[3...] {
            switch byte {
            case 0x00..<UInt8(endings.count): url += endings[Int(byte)]
            case 0x21...0x7E: url.unicodeScalars.append(Unicode.Scalar(byte))
            default: throw .malformed
            }
        }
        return [power(data[1]), Measurement("eddystone_url", .text(url))]
    }

    private static func telemetry(_ data: [UInt8]) throws(DecodingFailure) -> [Measurement] {
        guard data.count >= 2 else { throw .malformed }
        // Version 1 is encrypted, with a key that is made anew for each beacon.
        guard data[1] == 0 else { throw .unknownFormat }
        guard data.count == 14 else { throw .malformed }
        var found: [Measurement] = []
        let millivolts = ByteCursor.unsigned(data[2..<4], littleEndian: false)
        if millivolts > 0 { found.append(.scaled("voltage", millivolts, decimals: 3, unit: "V")) }
        // Fixed point, 8 bits before and behind it.
        let temperature = ByteCursor.unsigned(data[4..<6], littleEndian: false)
        if temperature != 0x8000 {
            let degrees = Double(ByteCursor.signed(temperature, bytes: 2)) / 256
            found.append(Measurement("temperature", .number((degrees * 100).rounded() / 100), unit: "°C"))
        }
        let advertisements = ByteCursor.unsigned(data[6..<10], littleEndian: false)
        found.append(.scaled("advertisement_count", advertisements))
        let tenths = ByteCursor.unsigned(data[10..<14], littleEndian: false)
        found.append(.scaled("uptime", tenths, decimals: 1, unit: "s"))
        return found
    }
}
