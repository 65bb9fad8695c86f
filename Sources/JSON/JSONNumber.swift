/// A number as it stands in a JSON text: whoever needs every digit of it has them.
public struct JSONNumber: Equatable, Sendable {
    public let literal: String

    init(literal: String) { self.literal = literal }

    /// The nearest there is; infinite where it is beyond the largest.
    public var double: Double { Double(literal) ?? .nan }

    /// nil: not a whole number of this range as it is written (`1.0` and `1e3` are).
    public var integer: Int64? {
        Int64(literal) ?? (Int64(exactly: double).flatMap { $0.magnitude < 1 << 53 ? $0 : nil })
    }

    public static func == (left: JSONNumber, right: JSONNumber) -> Bool {
        if let first = Int64(left.literal), let second = Int64(right.literal) { return first == second }
        return left.double == right.double
    }
}

extension JSONNumber: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral {
    public init(integerLiteral value: Int64) { literal = String(value) }
    public init(floatLiteral value: Double) { literal = value.description }
}
