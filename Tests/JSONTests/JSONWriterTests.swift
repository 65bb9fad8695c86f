import JSON
import Testing

@Suite struct JSONWriterTests {
    private func text(_ write: (inout JSONWriter) -> Void) -> String {
        var json = JSONWriter()
        write(&json)
        return String(decoding: json.bytes, as: UTF8.self)
    }

    @Test(arguments: [
        ("", #""""#), ("plain", #""plain""#), ("a\"b\\c", #""a\"b\\c""#), ("/", #""/""#),
        ("\u{8}\t\n\u{C}\r", #""\b\t\n\f\r""#), ("\u{0}\u{1F}\u{7F}", "\"\\u0000\\u001f\u{7F}\""),
        ("ü€😀\u{2028}", "\"ü€😀\u{2028}\""),
    ])
    func escapes(_ value: String, _ expected: String) {
        #expect(text { $0.value(value) } == expected)
    }

    /// Every character on its own, against RFC 8259 §7: no control character stands for itself.
    @Test func noControlCharacterIsLeft() {
        for scalar in UInt8(0)..<0x80 {
            let written = text { $0.value(String(UnicodeScalar(scalar))) }.utf8
            #expect(written.allSatisfy { $0 >= 0x20 })
            #expect(written.count == 3 || scalar < 0x20 || scalar == 0x22 || scalar == 0x5C)
        }
    }

    @Test(arguments: [
        (0.0, "0"), (1.5, "1.5"), (-3, "-3"), (0.1, "0.1"), (1e20, "1e+20"), (123_456_789.25, "123456789.25"),
        (.infinity, "null"), (.nan, "null"), (-0.0, "0"),
    ])
    func writesNumbers(_ value: Double, _ expected: String) {
        #expect(text { $0.value(value) } == expected)
    }

    @Test func writesStructures() {
        let written = text { json in
            json.object { json in
                json.member("a", 1)
                json.member("b", nil as String?)
                json.array("c") { json in
                    json.value(true)
                    json.object { _ in }
                    json.array { _ in }
                    json.object { $0.member("d", "e") }
                }
                json.object("f") { $0.member("g\"", UInt64.max) }
                json.member("h", false)
            }
        }

        #expect(
            written == #"{"a":1,"b":null,"c":[true,{},[],{"d":"e"}],"f":{"g\"":18446744073709551615},"h":false}"#)
    }
}
