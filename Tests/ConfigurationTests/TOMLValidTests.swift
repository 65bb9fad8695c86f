import Testing

@testable import Configuration

/// What TOML 1.0 allows, and what it means.
@Suite struct TOMLValidTests {
    struct Case: CustomTestStringConvertible {
        let text: String
        let value: TOMLValue
        var testDescription: String { text }

        init(_ text: String, _ value: TOMLValue) {
            self.text = text
            self.value = value
        }
    }

    static let scalars = [
        Case("0", .integer(0)), Case("+99", .integer(99)), Case("-17", .integer(-17)), Case("-0", .integer(0)),
        Case("1_000_000", .integer(1_000_000)), Case("0xDEAD_beef", .integer(0xDEAD_BEEF)),
        Case("0o755", .integer(0o755)), Case("0b1101", .integer(13)), Case("0x00", .integer(0)),
        Case("9223372036854775807", .integer(.max)), Case("-9223372036854775808", .integer(.min)),
        Case("3.25", .float(3.25)), Case("-0.5", .float(-0.5)), Case("5e+22", .float(5e22)), Case("1e06", .float(1e6)),
        Case("6.5E-2", .float(0.065)), Case("1_0.2_5", .float(10.25)), Case("inf", .float(.infinity)),
        Case("-inf", .float(-.infinity)), Case("+inf", .float(.infinity)), Case("true", .boolean(true)),
        Case("false", .boolean(false)), Case("1979-05-27T07:32:00Z", .offsetDateTime("1979-05-27T07:32:00Z")),
        Case("1979-05-27 07:32:00.5-07:00", .offsetDateTime("1979-05-27 07:32:00.5-07:00")),
        Case("2000-02-29t00:00:60z", .offsetDateTime("2000-02-29t00:00:60z")),
        Case("1979-05-27T07:32:00", .localDateTime("1979-05-27T07:32:00")),
        Case("1979-05-27", .localDate("1979-05-27")), Case("07:32:00.999", .localTime("07:32:00.999")),
    ]

    @Test(arguments: scalars)
    func scalar(_ expected: Case) throws {
        #expect(try TOMLParser.parse("a = \(expected.text) # b")["a"]?.value == expected.value)
    }

    @Test func nan() throws {
        guard case .float(let number)? = try TOMLParser.parse("a = -nan")["a"]?.value else {
            Issue.record("not a float")
            return
        }
        #expect(number.isNaN)
    }

    static let strings: [(String, String)] = [
        (##""""##, ""), (##""a\tb\n\"\\ \u00e9 \U0001F600""##, "a\tb\n\"\\ é 😀"), (##"'C:\temp'"##, ##"C:\temp"##),
        ("\"\"\"\na\r\nb\"\"\"", "a\r\nb"), ("\"\"\"a \\  \n\n   b\"\"\"", "a b"), ("'''\n\\n'''", "\\n"),
        ("\"\"\"a \"\" b\"\"\"", "a \"\" b"), ("\"\"\"\"\"two\"\"\"\"\"", "\"\"two\"\""),
        ("''''one''''", "'one'"), ("\"\t\"", "\t"), ("'''a\n# no comment\n'''", "a\n# no comment\n"),
    ]

    @Test(arguments: strings)
    func string(text: String, expected: String) throws {
        #expect(try TOMLParser.parse("a = \(text)")["a"]?.value == .string(expected))
    }

    @Test func tablesAndArrays() throws {
        let text = """
            a.b."c d" = 1
            3.14 = "pi"
            [x.y]
            z = [ 1, [ "two", ], # three
              { n = 3, m.k = 4 } ]
            [x]
            w = {}
            [[p]]
            [[p.q]]
            r = 1
            [[p.q]]
            r = 2
            [p.s]
            [[p]]
            """
        let equal = """
            p = [{ q = [{ r = 1 }, { r = 2 }], s = {} }, {}]
            x = { w = {}, y = { z = [1, ["two"], { n = 3, m = { k = 4 } }] } }
            3 = { 14 = "pi" }
            a = { b = { "c d" = 1 } }
            """

        #expect(try TOMLParser.parse(text) == TOMLParser.parse(equal))
        #expect(try TOMLParser.parse(TOMLPrinter.document(TOMLParser.parse(text))) == TOMLParser.parse(equal))
    }

    @Test func superTableAfterwardsAndSubTableOfDottedOne() throws {
        let text = "[a.b]\nc = 1\n[a]\nd = 2\n[f]\ng.h = 1\n[f.g.i]\nj = 2"
        #expect(
            try TOMLParser.parse(text)
                == TOMLParser.parse("a = { b = { c = 1 }, d = 2 }\nf = { g = { h = 1, i = { j = 2 } } }"))
    }

    @Test func positionsOfKeysAndValues() throws {
        let table = try TOMLParser.parse(
            "\u{FEFF}# one\r\n\r\na = [\n  1,\n  { b = 2 } ]\n[t]\n  k.l = '''\n'''\nm = 3\n[[u]]\n")

        #expect(table.entry("a")?.origin == .file(line: 3, column: 1))
        #expect(table["a"]?.origin == .file(line: 3, column: 5))
        guard case .array(let items)? = table["a"]?.value, case .table(let t)? = table["t"]?.value else {
            Issue.record("wrong shape")
            return
        }
        #expect(items.map(\.origin) == [.file(line: 4, column: 3), .file(line: 5, column: 3)])
        #expect(t.entry("k")?.origin == .file(line: 7, column: 3))
        #expect(t.entry("m")?.origin == .file(line: 9, column: 1))
        #expect(table.entry("u")?.origin == .file(line: 10, column: 3))
    }
}
