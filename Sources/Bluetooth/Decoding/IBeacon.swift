/// iBeacon (Proximity Beacon Specification R1): manufacturer data of company 0x004C, type 0x02, length 0x15.
enum IBeacon {
    static let company: UInt16 = 0x004C

    static func decode(_ data: [UInt8]) throws(DecodingFailure) -> Decoded {
        guard data.first == 0x02 else { throw .unknownFormat }
        guard data.count == 23, data[1] == 0x15 else { throw .malformed }
        var uuid = ""
        for (place, digit) in Hexadecimal.text(data[2..<18]).enumerated() {
            if [8, 12, 16, 20].contains(place) { uuid.append("-") }
            uuid.append(digit)
        }
        return Decoded(
            .ibeacon,
            [
                Measurement("ibeacon_uuid", .text(uuid)),
                .scaled("ibeacon_major", ByteCursor.unsigned(data[18..<20], littleEndian: false)),
                .scaled("ibeacon_minor", ByteCursor.unsigned(data[20..<22], littleEndian: false)),
                .scaled("ibeacon_tx_power", Int(Int8(bitPattern: data[22])), unit: "dBm"),
            ])
    }
}
