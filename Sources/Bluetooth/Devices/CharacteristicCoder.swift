import Bridge

/// Makes values of a characteristic's bytes, and bytes of values.
struct CharacteristicCoder {
    let settings: CharacteristicSettings

    struct Problem: Error, Equatable {
        var message: String
    }

    private var type: CharacteristicType { settings.type }

    // MARK: - Bytes to values

    func value(of bytes: [UInt8]) throws(Problem) -> Value {
        if let count = type.fixedBytes, bytes.count < count {
            throw Problem(message: "\(bytes.count) bytes, and \(type.text) takes \(count)")
        }
        switch type {
        case .bool: return .boolean(bytes[0] != 0)
        case .bit(let place):
            guard bytes.count <= 8, place < bytes.count * 8 else {
                throw Problem(message: "\(bytes.count) bytes have no bit \(place)")
            }
            return .boolean(Self.bits(settings.order.arranged(bytes)) >> UInt64(place) & 1 == 1)
        case .string:
            guard let text = String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self) else {
                throw Problem(message: "the text is not UTF-8")
            }
            return .text(text)
        case .bytes: return .text(Hexadecimal.text(bytes))
        case .unsigned(let count): return integer(.unsigned(Self.bits(arranged(bytes, count))))
        case .signed(let count):
            let shift = UInt64(64 - count * 8)
            return integer(.integer(Int64(bitPattern: Self.bits(arranged(bytes, count)) << shift) >> Int64(shift)))
        case .bcd(let count): return integer(.unsigned(try Self.decimal(arranged(bytes, count))))
        case .float32:
            let number = Float(bitPattern: UInt32(truncatingIfNeeded: Self.bits(arranged(bytes, 4))))
            // The decimals that the four bytes carry, not those of their neighbour among eight.
            return scaled(Double(number.description) ?? Double(number), decimals: Self.decimals(number.description))
        case .float64:
            let number = Double(bitPattern: Self.bits(arranged(bytes, 8)))
            return scaled(number, decimals: Self.decimals(number.description))
        }
    }

    private func arranged(_ bytes: [UInt8], _ count: Int) -> [UInt8] {
        settings.order.arranged(Array(bytes.prefix(count)))
    }

    private func integer(_ whole: Value) -> Value {
        if let text = settings.names[whole.plain] { return .text(text) }
        guard settings.scale != 1 || settings.offset != 0 else {
            if case .unsigned(let number) = whole, let small = Int64(exactly: number) { return .integer(small) }
            return whole
        }
        return scaled(whole.number ?? 0, decimals: 0)
    }

    /// Scaling adds as many decimals as scale and offset have, and no others.
    private func scaled(_ raw: Double, decimals: Int) -> Value {
        guard settings.scale != 1 || settings.offset != 0, raw.isFinite else { return .number(raw) }
        let scaleDecimals = Self.decimals(NumberText.shortest(settings.scale))
        let most = max(decimals + scaleDecimals, Self.decimals(NumberText.shortest(settings.offset)))
        let result = raw * settings.scale + settings.offset
        guard most <= 15 else { return .number(result) }
        let power = (0..<most).reduce(1.0) { power, _ in power * 10 }
        let rounded = (result * power).rounded() / power
        return .number(rounded.isFinite ? rounded : result)
    }

    private static func bits(_ bytes: [UInt8]) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }

    private static func decimals(_ text: String) -> Int {
        let parts = text.split(separator: "e", maxSplits: 1)
        let fraction = parts.first?.split(separator: ".").dropFirst().first ?? ""
        let count = fraction == "0" ? 0 : fraction.count
        return max(0, count - (parts.count > 1 ? Int(parts[1]) ?? 0 : 0))
    }

    private static func decimal(_ bytes: [UInt8]) throws(Problem) -> UInt64 {
        var number: UInt64 = 0
        for byte in bytes {
            guard byte >> 4 < 10, byte & 15 < 10 else { throw Problem(message: "the digits are not decimal") }
            number = number * 100 + UInt64(byte >> 4) * 10 + UInt64(byte & 15)
        }
        return number
    }

    // MARK: - Values to bytes

    func bytes(of value: Value) throws(Problem) -> [UInt8] {
        try checkLimits(value)
        switch type {
        case .bool:
            guard let flag = Self.flag(value) else { throw Problem(message: "\(value.plain) is not true or false") }
            return [flag ? 1 : 0]
        case .bit: throw Problem(message: "a bit by itself can't be written")
        case .string(let count):
            let text = Array(value.plain.utf8)
            guard let count else { return text }
            guard text.count <= count else { throw Problem(message: "the text has more than \(count) bytes") }
            return text + [UInt8](repeating: 0, count: count - text.count)
        case .bytes:
            guard let bytes = Hexadecimal.bytes(value.plain) else {
                throw Problem(message: "\(value.plain) is not hexadecimal")
            }
            return bytes
        case .unsigned(let count):
            let most = count == 8 ? UInt64.max : 1 << UInt64(count * 8) - 1
            guard let whole = try wholeNumber(value), whole <= most else { throw outOfRange(value) }
            return packed(whole, count)
        case .signed(let count):
            let shift = Int64(64 - count * 8)
            guard let whole = try signedNumber(value), (whole << shift) >> shift == whole else {
                throw outOfRange(value)
            }
            return packed(UInt64(bitPattern: whole), count)
        case .bcd(let count):
            guard var whole = try wholeNumber(value) else { throw outOfRange(value) }
            var digits: [UInt8] = []
            for _ in 0..<count {
                digits.insert(UInt8((whole / 10 % 10) << 4 | whole % 10), at: 0)
                whole /= 100
            }
            guard whole == 0 else { throw outOfRange(value) }
            return settings.order.arranged(digits)
        case .float32:
            let number = Float(try raw(value))
            guard number.isFinite else { throw outOfRange(value) }
            return packed(UInt64(number.bitPattern), 4)
        case .float64: return packed(try raw(value).bitPattern, 8)
        }
    }

    private func checkLimits(_ value: Value) throws(Problem) {
        guard let number = value.number ?? Double(value.plain) else { return }
        if let least = settings.least, number < least {
            throw Problem(message: "\(value.plain) is less than \(NumberText.shortest(least)), the least allowed")
        }
        if let most = settings.most, number > most {
            throw Problem(message: "\(value.plain) is more than \(NumberText.shortest(most)), the most allowed")
        }
    }

    private func outOfRange(_ value: Value) -> Problem {
        Problem(message: "\(value.plain) is not within \(type.text)")
    }

    private func packed(_ bits: UInt64, _ count: Int) -> [UInt8] {
        settings.order.arranged((0..<count).map { UInt8(truncatingIfNeeded: bits >> UInt64((count - 1 - $0) * 8)) })
    }

    private static func flag(_ value: Value) -> Bool? {
        switch value.plain {
        case "true", "1": true
        case "false", "0": false
        default: nil
        }
    }

    /// Before scale and offset; what it stands for, where the value is one of `enum`.
    private func raw(_ value: Value) throws(Problem) -> Double {
        if let number = settings.names.first(where: { $0.value == value.plain })?.key { return Double(number) ?? 0 }
        guard let number = value.number ?? Double(value.plain), number.isFinite else {
            throw Problem(message: "\(value.plain) is not a number")
        }
        return (number - settings.offset) / settings.scale
    }

    /// Exact where nothing is scaled: not every 64 bit number is a `Double`.
    private func unscaled(_ value: Value) -> String? {
        guard settings.scale == 1, settings.offset == 0 else { return nil }
        return settings.names.first { $0.value == value.plain }?.key ?? value.plain
    }

    private func wholeNumber(_ value: Value) throws(Problem) -> UInt64? {
        if let text = unscaled(value), let whole = UInt64(text) { return whole }
        return UInt64(exactly: try raw(value).rounded())
    }

    private func signedNumber(_ value: Value) throws(Problem) -> Int64? {
        if let text = unscaled(value), let whole = Int64(text) { return whole }
        return Int64(exactly: try raw(value).rounded())
    }
}
