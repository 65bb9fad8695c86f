/// Bytes as a test writes them, so that a packet reads as the specification draws it:
///
/// - `32`, `0001`: hexadecimal; spaces don't count
/// - `'text'`: its UTF-8 bytes
/// - `{a/b}`: a UTF-8 Encoded String, with its length
/// - `[...]`: the length of what is inside, as a Variable Byte Integer, and then that
/// - `<...>`: the same for properties, and nothing on MQTT 3.1.1
/// - `(...)`: on MQTT 5 alone; `|...|`: on 3.1.1 alone
/// - `L`: the protocol level
/// - `'x'*300`: what is before it, so many times
/// - `..`: any byte; `...` at the end: any bytes, or none. Both only where a packet is expected
///
/// In texts `%` is what makes the test's names its own, and `\ef` the byte EF.
struct Notation {
    /// nil: any.
    private(set) var bytes: [UInt8?] = []
    /// More may follow.
    private(set) var isOpen = false

    private let isV5: Bool
    private let token: String
    private var rest: Substring

    init(_ text: String, isV5: Bool, token: String) throws {
        self.isV5 = isV5
        self.token = token
        rest = text[...]
        bytes = try sequence(until: nil)
    }

    /// To be sent: nothing is left open.
    var exact: [UInt8] {
        get throws {
            try bytes.map {
                guard let byte = $0 else { throw Failure("bytes to be sent must be known") }
                return byte
            }
        }
    }

    private mutating func sequence(until end: Character?) throws -> [UInt8?] {
        var found: [UInt8?] = []
        var last: [UInt8?] = []
        while let character = rest.popFirst() {
            if character == end { return found + last }
            if character == " " || character == "\n" { continue }
            if character == "*" {
                let digits = rest.prefix { $0.isNumber }
                rest.removeFirst(digits.count)
                for _ in 1..<(Int(digits) ?? 1) { found += last }
                continue
            }
            found += last
            last = try element(character)
        }
        guard end == nil else { throw Failure("no \(end ?? " ") in the notation") }
        return found + last
    }

    private mutating func element(_ character: Character) throws -> [UInt8?] {
        switch character {
        case "'": return try text(until: "'")
        case "{":
            let text = try text(until: "}")
            return [UInt8(text.count >> 8), UInt8(text.count & 0xFF)] + text
        case "[": return prefixed(try sequence(until: "]"))
        case "<":
            let properties = try sequence(until: ">")
            return isV5 ? prefixed(properties) : []
        case "(":
            let inside = try sequence(until: ")")
            return isV5 ? inside : []
        case "|":
            let inside = try sequence(until: "|")
            return isV5 ? [] : inside
        case "L": return [isV5 ? 5 : 4]
        case ".":
            let dots = rest.prefix { $0 == "." }.count
            rest.removeFirst(dots)
            if dots == 2 { isOpen = true }
            return dots == 2 ? [] : [nil]
        default:
            guard let high = character.hexDigitValue, let low = rest.popFirst()?.hexDigitValue else {
                throw Failure("what is \(character) in the notation?")
            }
            return [UInt8(high << 4 | low)]
        }
    }

    private mutating func text(until end: Character) throws -> [UInt8] {
        var found: [UInt8] = []
        while let character = rest.popFirst() {
            switch character {
            case end: return found
            case "%": found += token.utf8
            case "\\":
                guard let byte = UInt8(rest.prefix(2), radix: 16) else { throw Failure("what is after \\?") }
                rest.removeFirst(2)
                found.append(byte)
            default: found += String(character).utf8
            }
        }
        throw Failure("a text without its end")
    }

    private func prefixed(_ inside: [UInt8?]) -> [UInt8?] {
        var length = inside.count
        var prefix: [UInt8?] = []
        repeat {
            prefix.append(UInt8(length & 0x7F) | (length > 0x7F ? 0x80 : 0))
            length >>= 7
        } while length > 0
        return prefix + inside
    }
}
