import EventLoop
import Testing

@testable import Admin

@Suite struct TextFormTests {
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
