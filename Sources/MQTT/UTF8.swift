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
        if count >= 8 {
            var offset = 0
            while offset <= count - 8 {
                guard isPlain(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) else { return false }
                offset += 8
            }
            return isPlain(bytes.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self))
        }
        if count >= 4 {
            let low = UInt64(bytes.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
            let high = UInt64(bytes.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self))
            return isPlain(low | high << 32)
        }
        for byte in bytes where byte == 0 || byte >= 0x80 || byte == 0x2B || byte == 0x23 { return false }
        return true
    }

    /// For a byte x below 0x80, x + 0x7F has its high bit clear only if x is 0; nothing carries into the next byte.
    @inline(__always)
    private static func isPlain(_ word: UInt64) -> Bool {
        let high: UInt64 = 0x8080_8080_8080_8080
        let low: UInt64 = 0x7F7F_7F7F_7F7F_7F7F
        let noNul = word &+ low
        let noPlus = (word ^ 0x2B2B_2B2B_2B2B_2B2B) &+ low
        let noHash = (word ^ 0x2323_2323_2323_2323) &+ low
        return word & high == 0 && noNul & noPlus & noHash & high == high
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
