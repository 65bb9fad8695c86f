/// A Bluetooth device address, 48 bits.
package struct DeviceAddress: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// In the lower 48 bits, as the text reads from left to right.
    package let bits: UInt64

    package init(bits: UInt64) { self.bits = bits & 0xFFFF_FFFF_FFFF }

    /// Reads "A4:C1:38:00:11:22" in either letter case; nil for anything else.
    package init?(parsing text: some StringProtocol) {
        var bits: UInt64 = 0
        var place = 0
        for byte in text.utf8 {
            if place % 3 == 2 {
                guard byte == UInt8(ascii: ":") else { return nil }
            } else {
                guard let digit = Hexadecimal.digit(byte) else { return nil }
                bits = bits << 4 | UInt64(digit)
            }
            place += 1
        }
        guard place == 17 else { return nil }
        self.bits = bits
    }

    /// From left to right, as cryptography takes it.
    package var bytes: [UInt8] { (0..<6).map { UInt8(truncatingIfNeeded: bits >> (40 - 8 * $0)) } }

    /// "A4C138001122", as it stands in topics.
    package var compact: String { Hexadecimal.text(bytes, uppercase: true) }

    package var description: String {
        var text: [UInt8] = []
        for (place, byte) in bytes.enumerated() {
            if place > 0 { text.append(UInt8(ascii: ":")) }
            text += Hexadecimal.text([byte], uppercase: true).utf8
        }
        return String(decoding: text, as: UTF8.self)
    }

    package static func < (left: DeviceAddress, right: DeviceAddress) -> Bool { left.bits < right.bits }
}
