/// Writes tables as TOML 1.0: plain values first, then tables, then arrays of tables, in their order. What it writes reads
/// back equal.
public struct TOMLPrinter {
    private var text = ""

    public static func document(_ table: TOMLTable) -> String {
        var printer = TOMLPrinter()
        printer.write(table, path: "")
        return printer.text
    }

    private mutating func write(_ table: TOMLTable, path: String) {
        for entry in table.entries where !Self.needsHeader(entry.node.value) {
            text += "\(Self.key(entry.key)) = \(Self.inline(entry.node.value))\n"
        }
        for entry in table.entries {
            let full = path.isEmpty ? Self.key(entry.key) : "\(path).\(Self.key(entry.key))"
            switch entry.node.value {
            case .table(let inner):
                header("[\(full)]")
                write(inner, path: full)
            case .array(let items) where Self.needsHeader(entry.node.value):
                for case .table(let inner) in items.lazy.map(\.value) {
                    header("[[\(full)]]")
                    write(inner, path: full)
                }
            default: break
            }
        }
    }

    private mutating func header(_ line: String) {
        text += (text.isEmpty ? "" : "\n") + line + "\n"
    }

    /// Tables and arrays of nothing but tables.
    private static func needsHeader(_ value: TOMLValue) -> Bool {
        switch value {
        case .table: return true
        case .array(let items):
            return !items.isEmpty
                && items.allSatisfy {
                    if case .table = $0.value { true } else { false }
                }
        default: return false
        }
    }

    /// A value on one line.
    static func inline(_ value: TOMLValue) -> String {
        switch value {
        case .string(let text): quoted(text)
        case .integer(let number): "\(number)"
        case .float(let number): float(number)
        case .boolean(let flag): flag ? "true" : "false"
        case .offsetDateTime(let text), .localDateTime(let text), .localDate(let text), .localTime(let text): text
        case .array(let items): "[" + items.map { inline($0.value) }.joined(separator: ", ") + "]"
        case .table(let table) where table.isEmpty: "{}"
        case .table(let table):
            "{ " + table.entries.map { "\(key($0.key)) = \(inline($0.node.value))" }.joined(separator: ", ") + " }"
        }
    }

    /// A key, bare where it may be.
    static func key(_ key: String) -> String {
        !key.isEmpty && key.utf8.allSatisfy(TOMLParser.isBareKeyByte) ? key : quoted(key)
    }

    /// A basic string.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    private static func float(_ number: Double) -> String {
        if number.isNaN { return "nan" }
        if number.isInfinite { return number < 0 ? "-inf" : "inf" }
        return "\(number)"
    }
}
