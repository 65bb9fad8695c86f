import Testing

@testable import Configuration

/// What TOML 1.0 forbids: the reason and the place of each.
@Suite struct TOMLInvalidTests {
    struct Case: CustomTestStringConvertible {
        let text: String
        let reason: TOMLError.Reason
        let line: Int
        let column: Int
        var testDescription: String { text }

        init(_ text: String, _ reason: TOMLError.Reason, _ line: Int, _ column: Int) {
            self.text = text
            self.reason = reason
            self.line = line
            self.column = column
        }
    }

    static let keys = [
        Case("a", .expected("="), 1, 2), Case("= 1", .expected("a key"), 1, 1),
        Case("a = ", .expected("a value"), 1, 5),
        Case("a = 1 b = 2", .expected("the end of the line"), 1, 7), Case("a b = 1", .expected("="), 1, 3),
        Case("é = 1", .expected("a key"), 1, 1), Case("a. = 1", .expected("a key"), 1, 4),
        Case("\"\"\"a\"\"\" = 1", .expected("a key"), 1, 1), Case("a = 1\na = 2", .duplicateKey("a"), 2, 1),
        Case("a = 1\n'a' = 2", .duplicateKey("a"), 2, 1), Case("a = 1\na.b = 2", .notATable("a"), 2, 1),
        Case("a.b = 1\na = 2", .duplicateKey("a"), 2, 1), Case("a = []\na.b = 1", .closedArray("a"), 2, 1),
        Case("a = {}\na.b = 1", .closedTable("a"), 2, 1), Case("a = \"\nb", .unterminatedString, 1, 5),
    ]

    static let tables = [
        Case("[a", .expected("]"), 1, 3), Case("[]", .expected("a key"), 1, 2),
        Case("[a]b", .expected("the end of the line"), 1, 4),
        Case("[a]]", .expected("the end of the line"), 1, 4), Case("[[a]", .expected("]]"), 1, 5),
        Case("[ [a]]", .expected("a key"), 1, 3), Case("[a]\n[a]", .duplicateTable("a"), 2, 2),
        Case("[a.b]\n[a]\n[a.b]", .duplicateTable("b"), 3, 4), Case("a = 1\n[a]", .duplicateKey("a"), 2, 2),
        Case("[a]\nb = 1\n[a.b]", .duplicateKey("b"), 3, 4), Case("[a]\nb.c = 1\n[a.b]", .duplicateTable("b"), 3, 4),
        Case("[a.b]\n[a]\nb.c = 1", .closedTable("b"), 3, 1), Case("a = {}\n[a.b]", .closedTable("a"), 2, 2),
        Case("a = { b.c = 1 }\n[a.b.d]", .closedTable("a"), 2, 2), Case("a = []\n[[a]]", .closedArray("a"), 2, 3),
        Case("[a]\n[[a]]", .duplicateTable("a"), 2, 3), Case("[[a]]\n[a]", .duplicateKey("a"), 2, 2),
        Case("a = [{}]\n[a.b]", .closedArray("a"), 2, 2), Case("a = { b = 1, b = 2 }", .duplicateKey("b"), 1, 14),
        Case("a = { b = 1, }", .expected("a key"), 1, 14), Case("a = { b = 1\n}", .expected(", or }"), 1, 12),
        Case("a = { b = {}, b.c = 1 }", .closedTable("b"), 1, 15), Case("a = [1 2]", .expected(", or ]"), 1, 8),
        Case("a = [1,,2]", .unknownValue(","), 1, 8), Case("a = [", .expected("a value"), 1, 6),
    ]

    static let values = [
        Case("a = yes", .unknownValue("yes"), 1, 5), Case("a = True", .unknownValue("True"), 1, 5),
        Case("a = 01", .invalidNumber("01"), 1, 5), Case("a = +0x1", .invalidNumber("+0x1"), 1, 5),
        Case("a = 1__0", .invalidNumber("1__0"), 1, 5), Case("a = _1", .unknownValue("_1"), 1, 5),
        Case("a = 1_", .invalidNumber("1_"), 1, 5), Case("a = 0xG", .invalidNumber("0xG"), 1, 5),
        Case("a = 0x", .invalidNumber("0x"), 1, 5), Case("a = 0X1", .invalidNumber("0X1"), 1, 5),
        Case("a = 1.", .invalidNumber("1."), 1, 5), Case("a = .5", .unknownValue(".5"), 1, 5),
        Case("a = 1.e2", .invalidNumber("1.e2"), 1, 5), Case("a = 1e", .invalidNumber("1e"), 1, 5),
        Case("a = 1e2.5", .invalidNumber("1e2.5"), 1, 5), Case("a = 03.1", .invalidNumber("03.1"), 1, 5),
        Case("a = 9223372036854775808", .integerTooLarge("9223372036854775808"), 1, 5),
        Case("a = 2024-02-30", .invalidDate("2024-02-30"), 1, 5),
        Case("a = 2023-02-29", .invalidDate("2023-02-29"), 1, 5),
        Case("a = 2024-1-01", .invalidDate("2024-1-01"), 1, 5), Case("a = 24:00:00", .invalidDate("24:00:00"), 1, 5),
        Case("a = 10:00", .invalidDate("10:00"), 1, 5),
        Case("a = 2024-01-01T10:00:00+25:00", .invalidDate("2024-01-01T10:00:00+25:00"), 1, 5),
        Case(#"a = "\x41""#, .invalidEscape("\\x"), 1, 6), Case(#"a = "\ud800""#, .invalidCodePoint, 1, 6),
        Case(#"a = "\u12""#, .invalidEscape("\\u without 4 hex digits"), 1, 6),
        Case("a = 'b\u{1}'", .controlCharacter(1), 1, 7), Case("a = 1 # \u{7F}", .controlCharacter(0x7F), 1, 9),
        Case("a = 1\rb = 2", .bareCarriageReturn, 1, 6), Case("a = '''", .unterminatedString, 1, 5),
        Case("a = \"\"\"\"\"\"\"\"\"", .expected("the end of the line"), 1, 13),
    ]

    @Test(arguments: keys + tables + values)
    func refused(_ expected: Case) {
        #expect(throws: TOMLError(reason: expected.reason, line: expected.line, column: expected.column)) {
            try TOMLParser.parse(expected.text)
        }
    }

    @Test func notUTF8() {
        #expect(throws: TOMLError(reason: .notUTF8, line: 2, column: 2)) {
            try TOMLParser.parse([0x0A, 0x61, 0xFF, 0x0A])
        }
    }

    @Test(arguments: ["a = " + String(repeating: "[", count: 100_000), String(repeating: "a.", count: 100_000)])
    func depthIsBounded(_ text: String) {
        #expect { try TOMLParser.parse(text) } throws: { ($0 as? TOMLError)?.reason == .tooDeep }
    }

    @Test func depthOfHeadersAndValuesAddsUp() {
        let header = "[" + Array(repeating: "a", count: 40).joined(separator: ".") + "]\n"
        let value = "b = " + String(repeating: "{ c = ", count: 40) + "1" + String(repeating: " }", count: 40)

        #expect { try TOMLParser.parse(header + value) } throws: { ($0 as? TOMLError)?.reason == .tooDeep }
    }
}
