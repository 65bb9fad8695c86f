import EventLoop
import MQTT
import Testing

@testable import roost

@Suite struct MessageFormatTests {
    /// A PUBLISH with topic `a/b`, QoS 1, and some properties, printed.
    private func printed(_ format: MessageFormat, payload: [UInt8] = Array("21.5".utf8)) -> String {
        var properties = PropertyWriter()
        properties.append(.contentType, "text/plain".utf8)
        properties.append(UserProperty("k", "v\"1"))
        properties.append(UserProperty("k", "v2"))
        properties.append(.subscriptionIdentifier, variable: 9)
        var buffer = ByteBuffer()
        Array("a/b".utf8).withUnsafeBytes { topic in
            payload.withUnsafeBytes { payload in
                properties.bytes.withUnsafeBytes { properties in
                    let publish = PublishView(topic: topic, payload: payload, qos: .atLeastOnce, properties: properties)
                    format.append(publish, to: &buffer)
                }
            }
        }
        return buffer.withBytes { String(decoding: $0, as: UTF8.self) }
    }

    @Test(arguments: [
        ("%t %p", "a/b 21.5\n"), ("%%%l%q%r", "%410\n"), ("%x|%X", "32312e35|32312E35\n"),
        ("%C;%P;%S;%R", "text/plain;k:v\"1 k:v2;9;\n"),
        ("\\t\\\\\\0", "\t\\\0\n"), ("@@", "@\n"),
    ])
    func codes(format: String, text: String) throws {
        #expect(printed(try MessageFormat(format, newline: true)) == text)
    }

    @Test(arguments: ["%", "%k", "\\q", "@", "abc\\"])
    func unknownCodesAreErrors(format: String) {
        #expect(throws: (any Error).self) { try MessageFormat(format, newline: true) }
    }

    @Test func plainForms() {
        #expect(printed(.payload(newline: true)) == "21.5\n")
        #expect(printed(.payload(newline: false)) == "21.5")
        #expect(printed(.verbose(newline: true)) == "a/b 21.5\n")
    }

    @Test(
        arguments: [
            (Array("a\"\\\n\u{1}é".utf8), #""payload":"a\"\\\n\u0001é""#),
            ([], #""payload":"""#),
            ([0xFF], #""payload_base64":"/w==""#),
            ([0xFF, 0xFE], #""payload_base64":"//4=""#),
            ([0xFF, 0xFE, 0xFD], #""payload_base64":"//79""#),
        ] as [([UInt8], String)])
    func jsonPayloads(payload: [UInt8], text: String) {
        let line = printed(.json, payload: payload)

        #expect(line.hasPrefix(#"{"topic":"a/b","# + text + #","qos":1,"retain":false,"received_at":"#))
        #expect(
            line.hasSuffix(
                #""properties":{"content-type":"text/plain","subscription-identifier":9,"#
                    + #""user-properties":[{"k":"v\"1"},{"k":"v2"}]}}"# + "\n"))
    }
}
