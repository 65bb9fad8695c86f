/// What a property's values hold. On the wire they are always strings.
public enum PropertyType: UInt8, Sendable {
    case string, int, integer, float, boolean
    /// A tombstone: the property is gone, and its versions stay.
    case deleted

    var name: String {
        switch self {
        case .string: "string"
        case .int: "int"
        case .integer: "integer"
        case .float: "float"
        case .boolean: "boolean"
        case .deleted: "deleted"
        }
    }

    init?(name: String) {
        switch name {
        case "string", "": self = .string
        case "int": self = .int
        case "integer": self = .integer
        case "float": self = .float
        case "boolean": self = .boolean
        case "deleted": self = .deleted
        default: return nil
        }
    }

    /// Why this is no such value; nil: it is one. The words are KubeEdge's.
    func complaint(about value: String) -> String? {
        switch self {
        case .string, .deleted: nil
        case .int, .integer: Int64(value) == nil ? "the value is not int or integer" : nil
        case .float: Self.isFloat(value) ? nil : "the value is not float"
        case .boolean: value == "true" || value == "false" ? nil : "the bool value must be true or false"
        }
    }

    /// As Go's `ParseFloat` takes it: what is beyond a double's range is none. Swift's takes `nan(1)` too, and `+nan`.
    private static func isFloat(_ text: String) -> Bool {
        guard let number = Double(text) else { return false }
        let letters = text.lowercased()
        if number.isNaN { return letters == "nan" }
        guard number.isInfinite else { return true }
        return ["inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"].contains(letters)
    }
}

/// Which names and values are taken.
enum PropertyRules {
    static let maximumName = 128
    static let maximumValue = 512
    /// With `strict_values = false`.
    static let maximumFreeValue = 4096
    /// Of one device.
    static let maximumProperties = 1000
    static let maximumDeviceBytes = 1 << 20

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "/"), UInt8(ascii: "@"), UInt8(ascii: "#"):
            true
        default: false
        }
    }

    static func isName(_ text: String) -> Bool {
        (1...maximumName).contains(text.utf8.count) && text.utf8.allSatisfy(isPlain)
    }

    static func isValue(_ text: String, strict: Bool) -> Bool {
        guard strict else { return text.utf8.count <= maximumFreeValue }
        return text.utf8.count <= maximumValue && text.utf8.allSatisfy(isPlain)
    }
}
