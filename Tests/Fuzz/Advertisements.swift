import Bridge

@testable import Bluetooth

/// Parts of advertisements, one after the other from one device: a byte of choices, then for each part a byte of kind, one of length,
/// and that many bytes.
enum Advertisements {
    private static let kinds: [Advertisement.Part.Kind] = [
        .service(AttributeUUID(short: 0xFCD2)), .service(AttributeUUID(short: 0xFEAA)),
        .service(AttributeUUID(short: 0x181A)), .manufacturer(0x0499), .manufacturer(0x004C),
    ]
    /// Of the published test vectors.
    private static let senders: [(address: UInt64, key: String?)] = [
        (0xA4C1_3800_1122, nil), (0x5448_E68F_80A5, "231d39c1d7cc1ab1aee224cd096db932"),
        (0xA4C1_388D_18B2, "b9ea895fac7eea6d30532432a516f3a3"),
    ]

    static func take(_ input: [UInt8]) {
        guard let choice = input.first else { return }
        let sender = senders[Int(choice) % senders.count]
        let address = DeviceAddress(bits: sender.address)
        let key = sender.key.flatMap { Hexadecimal.bytes($0) }.flatMap { BindKey($0) }
        var decoder = AdvertisementDecoder(keys: key.map { [address: $0] } ?? [:])
        var raw = AdvertisementDecoder(isRaw: true)
        var rest = input.dropFirst()
        while let kind = rest.popFirst(), let length = rest.popFirst() {
            let part = Advertisement.Part(kinds[Int(kind) % kinds.count], Array(rest.prefix(Int(length))))
            rest = rest.dropFirst(Int(length))
            if let decoded = try? decoder.decode(part, from: address) { check(decoded) }
            guard let hexadecimal = try? raw.decode(part, from: address) else { preconditionFailure("nothing at all") }
            check(hexadecimal)
        }
    }

    private static func check(_ decoded: Decoded) {
        var names: Set<String> = []
        for measurement in decoded.measurements {
            precondition(names.insert(measurement.name).inserted, "two values of one name")
            precondition(!measurement.name.isEmpty && !measurement.name.utf8.contains { "/+#\0".utf8.contains($0) })
            if let number = measurement.value.number { precondition(number.isFinite) }
        }
    }
}
