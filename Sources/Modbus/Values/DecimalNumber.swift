import Bridge

/// A decimal number as it is written: what scaling computes in, so that 215 by 0.1 is 21.5 and never 21.500000000000004.
/// 38 digits, and what has no place in them is had as a `Double`.
package struct DecimalNumber: Equatable, Sendable {
    /// The number without its point.
    package let digits: Int128
    /// How many of the digits stand behind the point; no trailing zero among them.
    package let places: Int

    private static let mostPlaces = 36

    package init(_ digits: Int128, places: Int = 0) {
        var digits = digits
        var places = places
        while places > 0, digits % 10 == 0 {
            digits /= 10
            places -= 1
        }
        self.digits = digits
        self.places = places
    }

    package static let zero = DecimalNumber(0)
    package static let one = DecimalNumber(1)

    // MARK: - Text

    /// Reads "21.5", "-3", "1e-3"; nil for anything else, and for what is too long or too far from 1.
    package init?(_ text: some StringProtocol) {
        var rest = text.utf8[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        var digits: Int128 = 0
        var places = 0
        var count = 0
        var seenPoint = false
        while let byte = rest.first, byte != UInt8(ascii: "e"), byte != UInt8(ascii: "E") {
            rest = rest.dropFirst()
            if byte == UInt8(ascii: "."), !seenPoint {
                seenPoint = true
                continue
            }
            guard (0x30...0x39).contains(byte) else { return nil }
            let (tenfold, overflow) = digits.multipliedReportingOverflow(by: 10)
            let (sum, carried) = tenfold.addingReportingOverflow(Int128(byte - 0x30))
            guard !overflow, !carried else { return nil }
            digits = sum
            count += 1
            if seenPoint { places += 1 }
        }
        guard count > 0 else { return nil }
        if !rest.isEmpty {
            guard let exponent = Int(String(decoding: rest.dropFirst(), as: UTF8.self)),
                abs(exponent) <= Self.mostPlaces
            else { return nil }
            places -= exponent
        }
        guard places <= Self.mostPlaces, let fitting = Self.shifted(digits, by: -places) else { return nil }
        self.init(isNegative ? -fitting : fitting, places: max(0, places))
    }

    /// The shortest decimal that reads back as this number; nil for what is not finite or too far from 1.
    package init?(shortest number: Double) {
        guard number.isFinite else { return nil }
        self.init(number.description)
    }

    package init?(shortest number: Float) {
        guard number.isFinite else { return nil }
        self.init(number.description)
    }

    /// Moves digits up for a negative count of places.
    private static func shifted(_ digits: Int128, by places: Int) -> Int128? {
        var digits = digits
        for _ in 0..<max(0, places) {
            let (product, overflow) = digits.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            digits = product
        }
        return digits
    }

    /// "21.5"; never an exponent.
    package var text: String {
        guard places > 0 else { return "\(digits)" }
        var text = String(digits.magnitude)
        if text.utf8.count <= places { text = String(repeating: "0", count: places - text.utf8.count + 1) + text }
        let point = text.index(text.endIndex, offsetBy: -places)
        return (digits < 0 ? "-" : "") + text[..<point] + "." + text[point...]
    }

    // MARK: - Arithmetic

    package var double: Double { Double(text) ?? .nan }

    /// What is published: whole numbers exactly, others by the nearest `Double`, whose shortest decimal this is.
    var value: Value {
        guard places == 0 else { return .number(double) }
        if let whole = Int64(exactly: digits) { return .integer(whole) }
        if let whole = UInt64(exactly: digits) { return .unsigned(whole) }
        return .number(double)
    }

    /// Nil: it has more than 38 digits.
    func multiplied(by other: DecimalNumber) -> DecimalNumber? {
        let (product, overflow) = digits.multipliedReportingOverflow(by: other.digits)
        guard !overflow, places + other.places <= Self.mostPlaces else { return nil }
        return DecimalNumber(product, places: places + other.places)
    }

    func added(to other: DecimalNumber) -> DecimalNumber? {
        let common = max(places, other.places)
        guard let left = Self.shifted(digits, by: common - places),
            let right = Self.shifted(other.digits, by: common - other.places)
        else { return nil }
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? nil : DecimalNumber(sum, places: common)
    }

    var negated: DecimalNumber { DecimalNumber(-digits, places: places) }

    /// The quotient if it is whole; nil where it is not, or too large.
    func wholeQuotient(by other: DecimalNumber) -> Int128? {
        let common = max(places, other.places)
        guard other.digits != 0, let left = Self.shifted(digits, by: common - places),
            let right = Self.shifted(other.digits, by: common - other.places)
        else { return nil }
        let (quotient, remainder) = left.quotientAndRemainder(dividingBy: right)
        return remainder == 0 ? quotient : nil
    }
}

extension DecimalNumber: Comparable {
    package static func < (left: DecimalNumber, right: DecimalNumber) -> Bool {
        guard let difference = left.added(to: right.negated) else { return left.double < right.double }
        return difference.digits < 0
    }
}
