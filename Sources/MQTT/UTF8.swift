/// What a look at a text tells: enough for strings, Topic Names and Topic Filters in one pass.
struct TextScan: OptionSet {
    let rawValue: UInt8
    /// Not well-formed UTF-8, or U+0000 in it.
    static let illFormed = TextScan(rawValue: 1)
    /// `+` or `#` in it.
    static let wildcard = TextScan(rawValue: 2)

    @inline(__always)
    init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Text without wildcards in ASCII, which is nearly all of it, takes eight bytes a step; the rest goes byte by byte.
    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer) {
        self = Self.isPlain(bytes) ? [] : Self.byBytes(bytes)
    }

    /// True if all is ASCII and neither NUL, `+` nor `#`.
    @inline(__always)
    private static func isPlain(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let count = bytes.count
        guard count >= 8, let start = bytes.baseAddress else { return isPlainShort(bytes) }
        var plain = plainBits(start.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self))
        var position = start
        let last = start + (count &- 8)
        while position < last {
            plain &= plainBits(position.loadUnaligned(as: UInt64.self))
            position += 8
        }
        return plain & 0x8080_8080_8080_8080 == 0x8080_8080_8080_8080
    }

    @inline(__always)
    private static func isPlainShort(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let count = bytes.count
        guard count > 0 else { return true }
        let word: UInt64
        if count >= 4 {
            let low = UInt64(bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
            let high = UInt64(bytes.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
            word = low | high << 32
        } else {
            // First, middle and last byte, which for three bytes or less are all there are.
            let ends = UInt64(bytes[0]) | UInt64(bytes[count &- 1]) << 8 | UInt64(bytes[count >> 1]) << 16
            word = ends | 0x6161_6161_6100_0000
        }
        return plainBits(word) & 0x8080_8080_8080_8080 == 0x8080_8080_8080_8080
    }

    /// The high bit of each byte says whether the byte is plain, if all are ASCII; if one isn't, its own is clear. For a
    /// byte x below 0x80, x + 0x7F has its high bit clear only if x is 0, and nothing carries into the next byte. `#` and
    /// `+` differ in the bit 0x08 alone.
    @inline(__always)
    private static func plainBits(_ word: UInt64) -> UInt64 {
        let low: UInt64 = 0x7F7F_7F7F_7F7F_7F7F
        let noNul = word &+ low
        let noWildcard = ((word | 0x0808_0808_0808_0808) ^ 0x2B2B_2B2B_2B2B_2B2B) &+ low
        return noNul & noWildcard & ~word
    }

    /// The table of well-formed byte sequences, Unicode 15 table 3-7.
    @inline(never)
    private static func byBytes(_ bytes: UnsafeRawBufferPointer) -> TextScan {
        var scan: TextScan = []
        var index = 0
        let count = bytes.count
        while index < count {
            let byte = bytes[index]
            index += 1
            if byte < 0x80 {
                if byte == 0 { return .illFormed }
                if byte == 0x2B || byte == 0x23 { scan.insert(.wildcard) }
                continue
            }
            let following: Int
            var second: ClosedRange<UInt8> = 0x80...0xBF
            switch byte {
            case 0xC2...0xDF: following = 1
            case 0xE0: (following, second) = (2, 0xA0...0xBF)
            case 0xED: (following, second) = (2, 0x80...0x9F)
            case 0xE1...0xEF: following = 2
            case 0xF0: (following, second) = (3, 0x90...0xBF)
            case 0xF1...0xF3: following = 3
            case 0xF4: (following, second) = (3, 0x80...0x8F)
            default: return .illFormed
            }
            guard count - index >= following, second.contains(bytes[index]) else { return .illFormed }
            for tail in index + 1..<index + following where bytes[tail] & 0xC0 != 0x80 { return .illFormed }
            index += following
        }
        return scan
    }
}

/// True if `bytes` is a UTF-8 Encoded String's text: well-formed, no surrogates, nothing overlong, no U+0000
/// [MQTT-1.5.4-1] [MQTT-1.5.4-2]. Control characters and non-characters pass, as the specification lets receivers choose.
public func isWellFormedUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    !TextScan(bytes).contains(.illFormed)
}

/// True if `bytes` is UTF-8 as Unicode and RFC 3629 have it, which a payload with Payload Format Indicator 1 must be (MQTT 5
/// §3.3.2.3.2): as `isWellFormedUTF8(_:)`, but U+0000 may stand in it.
public func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var rest = bytes[...]
    while let nul = rest.firstIndex(of: 0) {
        guard isWellFormedUTF8(UnsafeRawBufferPointer(rebasing: rest[..<nul])) else { return false }
        rest = rest[(nul + 1)...]
    }
    return isWellFormedUTF8(UnsafeRawBufferPointer(rebasing: rest))
}
