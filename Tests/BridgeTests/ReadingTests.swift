import Bridge
import JSON
import Testing

@Suite struct ReadingTests {
    /// The table of RFC 8785, appendix B, and what is near the places where the layout changes.
    @Test(
        arguments: [
            (0, "0"), (-0.0, "0"), (.leastNonzeroMagnitude, "5e-324"), (-.leastNonzeroMagnitude, "-5e-324"),
            (1.7976931348623157e308, "1.7976931348623157e+308"), (9_007_199_254_740_992, "9007199254740992"),
            (-9_007_199_254_740_992, "-9007199254740992"), (0x1p68, "295147905179352830000"),
            (9.999999999999997e22, "9.999999999999997e+22"), (1e23, "1e+23"), (1e21, "1e+21"),
            (1e21.nextDown, "999999999999999900000"), (0.000001, "0.000001"), (1e-7, "1e-7"),
            (333333333.3333332, "333333333.3333332"), (-0.0000033333333333333333, "-0.0000033333333333333333"),
            (1424953923781206.2, "1424953923781206.2"), (21.5, "21.5"), (100, "100"), (0.1, "0.1"), (-12.75, "-12.75"),
            (1.5e-9, "1.5e-9"), (123e18, "123000000000000000000"),
        ] as [(Double, String)])
    func shortestDecimals(number: Double, text: String) {
        #expect(NumberText.shortest(number) == text)
        #expect(Double(NumberText.shortest(number)) == number)
    }

    private let reading = Reading(
        topic: "modbus/plc/press-7/temperature", outcome: .good(.number(21.5)), unit: "°C", timestamp: 1_732_413_600_123
    )

    private func text(_ format: ReadingFormat, _ reading: Reading) -> String? {
        var writer = ReadingWriter(format, node: "edge-1", module: "line-b", run: 0xAB)
        return writer.message(reading).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func asJSON() {
        #expect(text(.json, reading) == #"{"value":21.5,"unit":"°C","timestamp":1732413600123}"#)
        var failed = reading
        failed.outcome = .bad(error: "timeout")
        #expect(text(.json, failed) == #"{"quality":"bad","error":"timeout","timestamp":1732413600123}"#)
    }

    @Test func asPlainText() {
        #expect(text(.plain, reading) == "21.5")
        var other = reading
        other.outcome = .good(.boolean(true))
        #expect(text(.plain, other) == "true")
        other.outcome = .bad(error: "timeout")
        #expect(text(.plain, other) == nil)
    }

    @Test func asSenML() {
        #expect(
            text(.senml, reading)
                == #"[{"bn":"modbus/plc/press-7/","n":"temperature","u":"°C","v":21.5,"t":1732413600.123}]"#)
        var other = reading
        other.outcome = .good(.text("on"))
        other.unit = ""
        #expect(
            text(.senml, other) == #"[{"bn":"modbus/plc/press-7/","n":"temperature","vs":"on","t":1732413600.123}]"#)
    }

    @Test func asCloudEvent() {
        #expect(
            text(.cloudevents, reading)
                == #"{"specversion":"1.0","id":"ab-1","type":"roost.value","source":"/node/edge-1/line-b","#
                + #""subject":"modbus/plc/press-7/temperature","time":"2024-11-24T02:00:00.123Z","#
                + #""datacontenttype":"application/json","data":{"value":21.5,"unit":"°C","timestamp":1732413600123}}"#)
    }
}
