import EventLoop
import Testing

@testable import Admin

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

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func base64OfRFC4648(_ plain: String, _ encoded: String) {
        #expect(Array(plain.utf8).withUnsafeBytes { Base64.encode($0) } == encoded)
    }

    @Test(
        arguments: [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (1_740_787_199, "Fri, 28 Feb 2025 23:59:59 GMT"),
            (4_102_444_800, "Fri, 01 Jan 2100 00:00:00 GMT"),
        ] as [(Int64, String)])
    func datesAsHTTPHasThem(_ seconds: Int64, _ text: String) {
        #expect(HTTPDate.text(seconds) == text)
    }

    @Test func metricsAreEscaped() {
        var text = PrometheusText()
        text.add("a_total", .counter, "A\\B\nC", [.init(3, ("x", "q\"u\\o\nte")), .init(0.5)])
        text.add("b", .gauge, "none", [])
        text.add("c", .gauge, "not known", nil as Double?)

        #expect(
            text.text == "# HELP a_total A\\\\B\\nC\n# TYPE a_total counter\n"
                + "a_total{x=\"q\\\"u\\\\o\\nte\"} 3\na_total 0.5\n")
    }
}
