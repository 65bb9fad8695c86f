/// What the bits or registers of a point hold.
package enum ValueType: Hashable, Sendable {
    /// One coil or discrete input.
    case bool
    /// One bit of a register, 0 the lowest.
    case bit(Int)
    case int16, uint16, int32, uint32, int64, uint64
    case float32, float64
    /// Text of that many bytes, two a register.
    case string(Int)
    /// Four or eight decimal digits, four bits each.
    case bcd16, bcd32

    /// The most that one write takes (Modbus Application Protocol 1.1b3 §6.12).
    static let longestString = 2 * Request.largestRegisterWrite

    /// Registers that it fills; 1 for a coil or discrete input, which is one place of its table too.
    package var registers: Int {
        switch self {
        case .bool, .bit, .int16, .uint16, .bcd16: 1
        case .int32, .uint32, .float32, .bcd32: 2
        case .int64, .uint64, .float64: 4
        case .string(let bytes): (bytes + 1) / 2
        }
    }

    /// Whether scale and offset mean something.
    package var isNumber: Bool {
        switch self {
        case .bool, .bit, .string: false
        default: true
        }
    }

    /// The whole numbers that it can hold; nil where it holds others.
    var wholeRange: ClosedRange<Int128>? {
        switch self {
        case .int16: -0x8000...0x7FFF
        case .uint16: 0...0xFFFF
        case .int32: Int128(Int32.min)...Int128(Int32.max)
        case .uint32: 0...Int128(UInt32.max)
        case .int64: Int128(Int64.min)...Int128(Int64.max)
        case .uint64: 0...Int128(UInt64.max)
        case .bcd16: 0...9999
        case .bcd32: 0...99_999_999
        case .bool, .bit, .float32, .float64, .string: nil
        }
    }
}

extension ValueType: CustomStringConvertible {
    private static let simple: [(String, ValueType)] = [
        ("bool", .bool), ("int16", .int16), ("uint16", .uint16), ("int32", .int32), ("uint32", .uint32),
        ("int64", .int64), ("uint64", .uint64), ("float32", .float32), ("float64", .float64), ("bcd16", .bcd16),
        ("bcd32", .bcd32),
    ]

    /// As the configuration writes them.
    package static let names = simple.map(\.0) + ["bit(0)", "string(16)"]

    /// Reads "float32", "bit(3)", "string(16)"; nil: it is none, or beyond 15 or 246.
    package init?(_ text: String) {
        if let known = Self.simple.first(where: { $0.0 == text })?.1 {
            self = known
            return
        }
        guard text.hasSuffix(")"), let open = text.firstIndex(of: "(") else { return nil }
        let digits = text[text.index(after: open)...].dropLast()
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(digits) else { return nil }
        switch text[..<open] {
        case "bit" where (0...15).contains(number): self = .bit(number)
        case "string" where (1...Self.longestString).contains(number): self = .string(number)
        default: return nil
        }
    }

    package var description: String {
        switch self {
        case .bit(let bit): "bit(\(bit))"
        case .string(let bytes): "string(\(bytes))"
        default: Self.simple.first { $0.1 == self }?.0 ?? ""
        }
    }
}
