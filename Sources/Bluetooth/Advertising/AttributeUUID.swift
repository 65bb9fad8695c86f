/// A UUID of a service or characteristic. 16 and 32 bit ones stand for places in the Bluetooth Base UUID (Core Specification,
/// Vol 3, Part B, §2.5.1).
package struct AttributeUUID: Hashable, Sendable, CustomStringConvertible {
    let high: UInt64
    let low: UInt64

    private static let baseHigh: UInt64 = 0x0000_0000_0000_1000
    private static let baseLow: UInt64 = 0x8000_0080_5F9B_34FB

    package init(short: UInt16) {
        high = UInt64(short) << 32 | Self.baseHigh
        low = Self.baseLow
    }

    /// Reads "2a19", "00002a19" or "00002a19-0000-1000-8000-00805f9b34fb" in either letter case; nil for anything else.
    package init?(parsing text: some StringProtocol) {
        let utf8 = Array(text.utf8)
        switch utf8.count {
        case 4, 8:
            guard let bits = Self.bits(utf8[...]) else { return nil }
            high = bits << 32 | Self.baseHigh
            low = Self.baseLow
        case 36:
            guard [8, 13, 18, 23].allSatisfy({ utf8[$0] == UInt8(ascii: "-") }),
                let first = Self.bits(utf8[0..<8]), let second = Self.bits(utf8[9..<13]),
                let third = Self.bits(utf8[14..<18]), let fourth = Self.bits(utf8[19..<23]),
                let fifth = Self.bits(utf8[24..<36])
            else { return nil }
            high = first << 32 | second << 16 | third
            low = fourth << 48 | fifth
        default: return nil
        }
    }

    /// The 16 bit form; nil: it has none.
    package var short: UInt16? {
        guard low == Self.baseLow, high & 0xFFFF_FFFF == Self.baseHigh else { return nil }
        return UInt16(exactly: high >> 32)
    }

    /// The whole form, in small letters, as BlueZ writes it.
    package var description: String {
        let digits = Hexadecimal.text(bytes)
        var text = ""
        for (place, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(place) { text.append("-") }
            text.append(digit)
        }
        return text
    }

    private var bytes: [UInt8] {
        [high, low].flatMap { half in (0..<8).map { UInt8(truncatingIfNeeded: half >> (56 - 8 * $0)) } }
    }

    private static func bits(_ digits: ArraySlice<UInt8>) -> UInt64? {
        var bits: UInt64 = 0
        for byte in digits {
            guard let digit = Hexadecimal.digit(byte) else { return nil }
            bits = bits << 4 | UInt64(digit)
        }
        return bits
    }
}
