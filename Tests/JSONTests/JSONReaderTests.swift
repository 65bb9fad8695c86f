import JSON
import Testing

@Suite struct JSONReaderTests {
    private func read(_ text: String) -> JSON? { JSON(Array(text.utf8)) }

    @Test func values() {
        #expect(
            read(" {\"a\": [1, -2.5e1, true, null, \"x\"], \"b\": {}} ")
                == .object([
                    "a": .array([.number(1), .number(-25), .boolean(true), .null, .string("x")]), "b": .object([:]),
                ]))
        #expect(read(#""\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00""#) == .string("\"\\/\u{8}\u{C}\n\r\tä😀"))
        #expect(read("[]") == .array([]))
        #expect(read("0") == .number(0))
        #expect(read("9007199254740993") != .number(9_007_199_254_740_992))
    }

    @Test(
        arguments: [("1", 1), ("-7", -7), ("1.0", 1), ("1e3", 1000), ("9223372036854775807", Int64.max)]
            as [(String, Int64)])
    func wholeNumbers(text: String, whole: Int64) {
        guard case .number(let number)? = read(text) else { return #expect(Bool(false), "no number") }
        #expect(number.integer == whole)
    }

    @Test(arguments: ["1.5", "9223372036854775808", "1e300", "1e999"])
    func whatIsNoWholeNumber(text: String) {
        guard case .number(let number)? = read(text) else { return #expect(Bool(false), "no number") }
        #expect(number.integer == nil)
    }

    @Test(arguments: [
        "", "{", "}", "[1,]", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "{\"a\":1,\"a\":2}", "01", "1.", ".5", "-", "1e",
        "+1",
        "\"", "\"\n\"", "\"\\x\"", #""\ud83d""#, #""\ude00""#, #""\u12""#, "tru", "nul", "1 2", "NaN", "[1", "'a'",
        String(repeating: "[", count: 40) + String(repeating: "]", count: 40),
    ])
    func whatIsNone(text: String) { #expect(read(text) == nil) }

    @Test func whatIsNotUTF8() { #expect(JSON([0x22, 0xC3, 0x28, 0x22]) == nil) }

    /// Whatever comes: an answer, and no trap.
    @Test func anyBytes() {
        var random = SystemRandomNumberGenerator()
        let pieces = Array("{}[]\",:\\u0019.eE-+truefalsn d8\n".utf8)
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...30, using: &random)
            _ = JSON((0..<count).map { _ in pieces.randomElement(using: &random) ?? 0 })
        }
    }
}
