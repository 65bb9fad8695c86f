import Bridge
import JSON

/// What a write asks for.
package enum WantedValue: Equatable, Sendable {
    case boolean(Bool)
    case number(DecimalNumber)
    case text(String)

    /// What a person typed, or a plain payload: a number where it is one, `true` or `false`, else a text.
    package init(plain text: String) {
        switch text {
        case "true": self = .boolean(true)
        case "false": self = .boolean(false)
        default: self = DecimalNumber(text).map { .number($0) } ?? .text(text)
        }
    }

    /// nil: it is no single value, or a number beyond 38 digits.
    init?(_ json: JSON) {
        switch json {
        case .boolean(let flag): self = .boolean(flag)
        case .string(let text): self = .text(text)
        case .number(let number):
            guard let decimal = DecimalNumber(number.literal) else { return nil }
            self = .number(decimal)
        case .null, .array, .object: return nil
        }
    }

    /// Whether this is what was asked for, as far as the value's type can hold it.
    package func isHeld(by value: Value) -> Bool {
        switch (self, value) {
        case (.text(let wanted), .text(let held)): wanted == held
        case (.boolean(let wanted), .boolean(let held)): wanted == held
        case (.number(let wanted), .boolean(let held)): wanted == (held ? .one : .zero)
        case (.number(let wanted), _):
            value.number.map { abs($0 - wanted.double) <= max(abs(wanted.double) * 1e-6, 1e-9) } ?? false
        default: false
        }
    }

    /// As a message shows it.
    var shown: String {
        switch self {
        case .boolean(let flag): "\(flag)"
        case .number(let number): number.text
        case .text(let text): "\"\(text.count > 80 ? String(text.prefix(77)) + "..." : text)\""
        }
    }

    /// A coil's, or a bit's: true or false, 1 or 0.
    package func flag() throws(ValueProblem) -> Bool {
        switch self {
        case .boolean(let flag): return flag
        case .number(.one): return true
        case .number(.zero): return false
        default: throw ValueProblem("\(shown) is not true or false")
        }
    }
}

/// Why registers have no value, or a value no registers.
package struct ValueProblem: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}
