/// Numbers, dates and times of TOML 1.0, from the bytes between two delimiters.
enum TOMLScalar {
    typealias Reason = TOMLError.Reason

    static func number(_ bytes: [UInt8], _ word: String) throws(Reason) -> TOMLValue {
        var digits = bytes[...]
        let sign = digits.first.flatMap { $0 == plus || $0 == minus ? $0 : nil }
        if sign != nil { digits = digits.dropFirst() }
        switch String(decoding: digits, as: UTF8.self) {
        case "inf": return .float(sign == minus ? -.infinity : .infinity)
        case "nan": return .float(.nan)
        default: break
        }
        guard let first = digits.first, TOMLParser.isDigit(first) else { throw .unknownValue(word) }
        if first == zero, sign == nil, let radix = radix(digits.dropFirst().first) {
            return try integer(digits.dropFirst(2), radix: radix, negative: false, word)
        }
        guard digits.contains(where: { $0 == dot || $0 == UInt8(ascii: "e") || $0 == UInt8(ascii: "E") }) else {
            guard first != zero || digits.count == 1 else { throw .invalidNumber(word) }
            return try integer(digits, radix: 10, negative: sign == minus, word)
        }
        return .float(try float(digits, negative: sign == minus, word))
    }

    private static func radix(_ byte: UInt8?) -> Int? {
        switch byte {
        case UInt8(ascii: "x"): 16
        case UInt8(ascii: "o"): 8
        case UInt8(ascii: "b"): 2
        default: nil
        }
    }

    private static func integer(
        _ digits: ArraySlice<UInt8>, radix: Int, negative: Bool, _ word: String
    ) throws(Reason) -> TOMLValue {
        guard let plain = withoutUnderscores(digits, radix: radix) else { throw .invalidNumber(word) }
        guard let number = Int((negative ? "-" : "") + plain, radix: radix) else { throw .integerTooLarge(word) }
        return .integer(number)
    }

    /// Whole part, then a fraction or an exponent or both.
    private static func float(
        _ digits: ArraySlice<UInt8>, negative: Bool, _ word: String
    ) throws(Reason) -> Double {
        let reason = Reason.invalidNumber(word)
        let mantissa = digits.prefix { $0 != UInt8(ascii: "e") && $0 != UInt8(ascii: "E") }
        let parts = mantissa.split(separator: dot, omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = withoutUnderscores(parts[0], radix: 10) else { throw reason }
        guard whole.utf8.count == 1 || whole.utf8.first != zero else { throw reason }
        var plain = (negative ? "-" : "") + whole
        if parts.count == 2 {
            guard let fraction = withoutUnderscores(parts[1], radix: 10) else { throw reason }
            plain += "." + fraction
        }
        if mantissa.count < digits.count {
            var exponent = digits.dropFirst(mantissa.count + 1)
            plain += "e"
            if let sign = exponent.first, sign == plus || sign == minus {
                plain += sign == minus ? "-" : ""
                exponent = exponent.dropFirst()
            }
            guard let power = withoutUnderscores(exponent, radix: 10) else { throw reason }
            plain += power
        }
        guard let number = Double(plain) else { throw reason }
        return number
    }

    /// The digits alone; nil unless every underscore stands between two of them and all are digits.
    private static func withoutUnderscores(_ digits: ArraySlice<UInt8>, radix: Int) -> String? {
        var plain: [UInt8] = []
        var lastWasDigit = false
        for byte in digits {
            if byte == UInt8(ascii: "_") {
                guard lastWasDigit else { return nil }
                lastWasDigit = false
                continue
            }
            guard let value = Character(Unicode.Scalar(byte)).hexDigitValue, value < radix else { return nil }
            plain.append(byte)
            lastWasDigit = true
        }
        return lastWasDigit ? String(decoding: plain, as: UTF8.self) : nil
    }

    // MARK: Dates and times (RFC 3339)

    /// nil when the bytes do not begin like a date or a time.
    static func date(_ bytes: [UInt8], _ word: String) throws(Reason) -> TOMLValue? {
        if bytes.count > 2, isTwoDigits(bytes, 0), bytes[2] == colon {
            guard isTime(bytes[...]) else { throw .invalidDate(word) }
            return .localTime(word)
        }
        guard bytes.count > 4, isTwoDigits(bytes, 0), isTwoDigits(bytes, 2), bytes[4] == minus else { return nil }
        guard isDate(bytes) else { throw .invalidDate(word) }
        if bytes.count == 10 { return .localDate(word) }
        guard [UInt8(ascii: "T"), UInt8(ascii: "t"), 0x20].contains(bytes[10]) else { throw .invalidDate(word) }
        let rest = bytes[11...]
        if let last = rest.last, last == UInt8(ascii: "Z") || last == UInt8(ascii: "z") {
            guard isTime(rest.dropLast()) else { throw .invalidDate(word) }
            return .offsetDateTime(word)
        }
        if let sign = rest.firstIndex(where: { $0 == plus || $0 == minus }) {
            guard isTime(rest[..<sign]), isOffset(Array(rest[(sign + 1)...])) else { throw .invalidDate(word) }
            return .offsetDateTime(word)
        }
        guard isTime(rest) else { throw .invalidDate(word) }
        return .localDateTime(word)
    }

    private static func isDate(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= 10, isTwoDigits(bytes, 5), bytes[7] == minus, isTwoDigits(bytes, 8) else { return false }
        let year = twoDigits(bytes, 0) * 100 + twoDigits(bytes, 2)
        let isLeap = year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        let month = twoDigits(bytes, 5)
        return (1...12).contains(month) && (1...lengths[month - 1]).contains(twoDigits(bytes, 8))
    }

    /// `hh:mm:ss`, maybe with a fraction; 60 is a leap second.
    private static func isTime(_ slice: ArraySlice<UInt8>) -> Bool {
        let bytes = Array(slice)
        guard bytes.count >= 8, isTwoDigits(bytes, 0), bytes[2] == colon, isTwoDigits(bytes, 3), bytes[5] == colon,
            isTwoDigits(bytes, 6), twoDigits(bytes, 0) < 24, twoDigits(bytes, 3) < 60, twoDigits(bytes, 6) <= 60
        else { return false }
        if bytes.count == 8 { return true }
        return bytes[8] == dot && bytes.count > 9 && bytes[9...].allSatisfy(TOMLParser.isDigit)
    }

    private static func isOffset(_ bytes: [UInt8]) -> Bool {
        bytes.count == 5 && isTwoDigits(bytes, 0) && bytes[2] == colon && isTwoDigits(bytes, 3)
            && twoDigits(bytes, 0) < 24 && twoDigits(bytes, 3) < 60
    }

    private static func isTwoDigits(_ bytes: [UInt8], _ place: Int) -> Bool {
        place + 1 < bytes.count && TOMLParser.isDigit(bytes[place]) && TOMLParser.isDigit(bytes[place + 1])
    }

    private static func twoDigits(_ bytes: [UInt8], _ place: Int) -> Int {
        Int(bytes[place] - zero) * 10 + Int(bytes[place + 1] - zero)
    }

    private static let zero = UInt8(ascii: "0")
    private static let plus = UInt8(ascii: "+")
    private static let minus = UInt8(ascii: "-")
    private static let dot = UInt8(ascii: ".")
    private static let colon = UInt8(ascii: ":")
}
