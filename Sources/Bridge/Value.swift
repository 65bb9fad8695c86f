import JSON

/// What a point of some machine holds.
package enum Value: Equatable, Sendable {
    case boolean(Bool)
    case integer(Int64)
    /// For what is beyond `Int64` alone.
    case unsigned(UInt64)
    case number(Double)
    case text(String)

    /// As a twin, and the format `plain`, have it.
    package var plain: String {
        switch self {
        case .boolean(let flag): flag ? "true" : "false"
        case .integer(let whole): String(whole)
        case .unsigned(let whole): String(whole)
        case .number(let number): NumberText.shortest(number)
        case .text(let text): text
        }
    }

    /// nil: it is no number.
    package var number: Double? {
        switch self {
        case .integer(let whole): Double(whole)
        case .unsigned(let whole): Double(whole)
        case .number(let number): number
        case .boolean, .text: nil
        }
    }

    /// The type of a twin's property that holds it (TWIN.md).
    package var twinType: String {
        switch self {
        case .boolean: "boolean"
        case .integer, .unsigned: "int"
        case .number: "float"
        case .text: "string"
        }
    }
}

extension Value: JSONScalar {
    package func write(into bytes: inout [UInt8]) {
        switch self {
        case .text(let text): text.write(into: &bytes)
        case .number(let number) where !number.isFinite: bytes.append(contentsOf: "null".utf8)
        default: bytes.append(contentsOf: plain.utf8)
        }
    }
}

/// Decimals of binary numbers.
package enum NumberText {
    /// The shortest decimal that reads back the same, laid out as ECMAScript has it (RFC 8785 §3.2.2.3): no exponent from 1e-6 up to
    /// 1e21, no fraction on whole numbers.
    package static func shortest(_ number: Double) -> String {
        guard number.isFinite else { return number.isNaN ? "NaN" : number < 0 ? "-Infinity" : "Infinity" }
        guard number != 0 else { return "0" }
        let (digits, exponent) = parts(number.magnitude)
        let sign = number < 0 ? "-" : ""
        let count = digits.count
        switch exponent {
        case count...21: return sign + digits + String(repeating: "0", count: exponent - count)
        case 1..<max(count, 2) where exponent < count:
            return sign + digits.prefix(exponent) + "." + digits.dropFirst(exponent)
        case -5...0: return sign + "0." + String(repeating: "0", count: -exponent) + digits
        default:
            let power = exponent - 1
            let fraction = count > 1 ? "." + digits.dropFirst() : ""
            return "\(sign)\(digits.prefix(1))\(fraction)e\(power < 0 ? "-" : "+")\(power.magnitude)"
        }
    }

    /// `number` = 0.digits x 10^exponent, without zeros at either end.
    private static func parts(_ number: Double) -> (digits: String, exponent: Int) {
        let halves = number.description.split(separator: "e")
        let mantissa = halves[0].split(separator: ".")
        let whole = String(mantissa[0])
        var digits = whole + (mantissa.count > 1 ? mantissa[1] : "")
        var exponent = whole.count + (halves.count > 1 ? Int(halves[1]) ?? 0 : 0)
        while digits.hasPrefix("0") {
            digits.removeFirst()
            exponent -= 1
        }
        while digits.hasSuffix("0") { digits.removeLast() }
        return (digits, exponent)
    }
}
