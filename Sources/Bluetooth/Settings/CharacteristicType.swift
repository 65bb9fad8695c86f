import Bridge
import Configuration

/// How the bytes of a characteristic are to be read.
package enum CharacteristicType: Sendable, Equatable {
    /// One byte; true is anything but 0.
    case bool
    /// A bit of the number that the bytes are, from 0.
    case bit(Int)
    case unsigned(bytes: Int)
    case signed(bytes: Int)
    case float32
    case float64
    /// UTF-8, up to the first 0; with a number of bytes: filled up with 0 when written.
    case string(bytes: Int?)
    case bcd(bytes: Int)
    /// Hexadecimal digits.
    case bytes

    package init?(parsing text: String) {
        switch text {
        case "bool": self = .bool
        case "float32": self = .float32
        case "float64": self = .float64
        case "string": self = .string(bytes: nil)
        case "bytes": self = .bytes
        case "bcd8": self = .bcd(bytes: 1)
        case "bcd16": self = .bcd(bytes: 2)
        case "bcd32": self = .bcd(bytes: 4)
        default:
            if let place = Self.argument(text, of: "bit"), (0...63).contains(place) {
                self = .bit(place)
            } else if let count = Self.argument(text, of: "string"), (1...512).contains(count) {
                self = .string(bytes: count)
            } else if let count = Self.integerBytes(text, prefix: "uint") {
                self = .unsigned(bytes: count)
            } else if let count = Self.integerBytes(text, prefix: "int") {
                self = .signed(bytes: count)
            } else {
                return nil
            }
        }
    }

    package var text: String {
        switch self {
        case .bool: "bool"
        case .bit(let place): "bit(\(place))"
        case .unsigned(let count): "uint\(count * 8)"
        case .signed(let count): "int\(count * 8)"
        case .float32: "float32"
        case .float64: "float64"
        case .string(let count?): "string(\(count))"
        case .string: "string"
        case .bcd(let count): "bcd\(count * 8)"
        case .bytes: "bytes"
        }
    }

    /// How many bytes it takes; nil: as many as there are.
    var fixedBytes: Int? {
        switch self {
        case .bool: 1
        case .unsigned(let count), .signed(let count), .bcd(let count): count
        case .float32: 4
        case .float64: 8
        case .bit, .string, .bytes: nil
        }
    }

    var isNumber: Bool {
        switch self {
        case .unsigned, .signed, .float32, .float64, .bcd: true
        case .bool, .bit, .string, .bytes: false
        }
    }

    private static func argument(_ text: String, of name: String) -> Int? {
        guard text.hasPrefix("\(name)("), text.hasSuffix(")") else { return nil }
        return Int(text.dropFirst(name.count + 1).dropLast())
    }

    private static func integerBytes(_ text: String, prefix: String) -> Int? {
        guard text.hasPrefix(prefix), let bits = Int(text.dropFirst(prefix.count)), bits % 8 == 0,
            (8...64).contains(bits), text == "\(prefix)\(bits)"
        else { return nil }
        return bits / 8
    }

    package static var kind: Kind<CharacteristicType> {
        Kind(
            read: { (node) throws(Refusal) in
                guard let type = CharacteristicType(parsing: try Kind<String>.text.read(node)) else {
                    throw Refusal(
                        "\(node.shown) is not a type (bool, bit(n), uint8 to uint64, int8 to int64, float32, float64, "
                            + "string, string(n), bcd8, bcd16, bcd32, bytes)")
                }
                return type
            },
            write: { .string($0.text) })
    }
}

/// In which order the bytes of a number come; A is the one that counts most.
package enum ByteOrder: String, CaseIterable, Sendable {
    case highFirst = "ABCD"
    case wordsSwapped = "CDAB"
    case bytesSwapped = "BADC"
    case lowFirst = "DCBA"

    /// To the order ABCD and, since each is its own reverse, from it.
    func arranged(_ bytes: [UInt8]) -> [UInt8] {
        switch self {
        case .highFirst: return bytes
        case .lowFirst: return bytes.reversed()
        case .wordsSwapped:
            var result: [UInt8] = []
            for end in stride(from: bytes.count, to: 0, by: -2) { result += bytes[max(0, end - 2)..<end] }
            return result
        case .bytesSwapped:
            var result = bytes
            for place in stride(from: 0, to: bytes.count - 1, by: 2) { result.swapAt(place, place + 1) }
            return result
        }
    }
}
