/// Base 64 (RFC 4648).
public enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    public static func encode(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { encode($0) } }

    /// With padding (§4).
    public static func encode(_ bytes: UnsafeRawBufferPointer) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let left = min(bytes.count - index, 3)
            var group = UInt32(bytes[index]) << 16
            if left > 1 { group |= UInt32(bytes[index + 1]) << 8 }
            if left > 2 { group |= UInt32(bytes[index + 2]) }
            for place in 0..<4 {
                let sextet = Int(group >> UInt32(18 - 6 * place) & 63)
                text.append(place <= left ? alphabet[sextet] : UInt8(ascii: "="))
            }
            index += 3
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Strict: what isn't canonical is nil. With `isURL` the alphabet is that of §5, without padding.
    public static func decode(_ text: some Sequence<UInt8>, isURL: Bool = false) -> [UInt8]? {
        var digits: [UInt8] = []
        var padding = 0
        for byte in text {
            if byte == UInt8(ascii: "="), !isURL {
                padding += 1
                continue
            }
            guard padding == 0, let digit = digit(byte, isURL) else { return nil }
            digits.append(digit)
        }
        guard digits.count % 4 != 1, isURL || (digits.count + padding) % 4 == 0, padding < 3 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count * 3 / 4)
        var bits: UInt32 = 0
        var count = 0
        for digit in digits {
            bits = bits << 6 | UInt32(digit)
            count += 6
            guard count >= 8 else { continue }
            count -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
        }
        // Bits that are no byte must be zero, or several texts would mean the same.
        guard bits & ((1 << UInt32(count)) - 1) == 0 else { return nil }
        return bytes
    }

    private static func digit(_ byte: UInt8, _ isURL: Bool) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case isURL ? UInt8(ascii: "-") : UInt8(ascii: "+"): 62
        case isURL ? UInt8(ascii: "_") : UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
