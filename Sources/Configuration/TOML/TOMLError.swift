/// Why a text is not TOML 1.0, and where.
public struct TOMLError: Error, Equatable {
    /// What is wrong. The cases follow the chapters of the specification.
    public enum Reason: Error, Equatable {
        case notUTF8
        case controlCharacter(UInt8)
        case bareCarriageReturn
        case expected(String)
        case unterminatedString
        case invalidEscape(String)
        case invalidCodePoint
        case invalidNumber(String)
        case integerTooLarge(String)
        case invalidDate(String)
        case unknownValue(String)
        case duplicateKey(String)
        case duplicateTable(String)
        case notATable(String)
        case closedTable(String)
        case closedArray(String)
        case tooDeep
        case tooLarge
    }

    public var reason: Reason
    /// From 1.
    public var line: Int
    /// In bytes, from 1.
    public var column: Int

    /// The reason in a person's words.
    public var message: String {
        switch reason {
        case .notUTF8: "the text is not UTF-8"
        case .controlCharacter(let byte): "a control character (0x\(String(byte, radix: 16))) may not stand here"
        case .bareCarriageReturn: "a carriage return without a line feed"
        case .expected(let what): "expected \(what)"
        case .unterminatedString: "the string is not closed"
        case .invalidEscape(let text): "\(text) is not an escape sequence"
        case .invalidCodePoint: "the escape is not a Unicode scalar value"
        case .invalidNumber(let text): "\(text) is not a number"
        case .integerTooLarge(let text): "\(text) does not fit 64 bits"
        case .invalidDate(let text): "\(text) is not a date or time"
        case .unknownValue(let text): "\(text) is not a value (texts stand in quotes)"
        case .duplicateKey(let key): "\(key) is given twice"
        case .duplicateTable(let key): "the table \(key) is given twice"
        case .notATable(let key): "\(key) is not a table"
        case .closedTable(let key): "the table \(key) is complete and takes no more keys here"
        case .closedArray(let key): "the array \(key) is complete and takes no more tables"
        case .tooDeep: "nested more than \(TOMLParser.maximumDepth) deep"
        case .tooLarge: "larger than \(TOMLParser.maximumBytes >> 20) MiB"
        }
    }
}
