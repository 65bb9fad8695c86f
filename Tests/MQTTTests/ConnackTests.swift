import MQTT
import Testing

@Suite struct ConnackTests {
    @Test(
        "§3.2 and 3.1.1 §3.2",
        arguments: [
            (ReasonCode.success, true, ProtocolVersion.v311, "20 02 01 00"), (.success, false, .v5, "20 03 00 00 00"),
            (.notAuthorized, false, .v311, "20 02 00 05"), (.notAuthorized, true, .v5, "20 03 00 87 00"),
            (.badUserNameOrPassword, false, .v311, "20 02 00 04"), (.serverUnavailable, false, .v311, "20 02 00 03"),
            (.unsupportedProtocolVersion, false, .v311, "20 02 00 01"),
            (.clientIdentifierNotValid, false, .v311, "20 02 00 02"),
        ])
    func encodes(reason: ReasonCode, sessionPresent: Bool, version: ProtocolVersion, expected: String) {
        #expect(Connack(reason: reason, sessionPresent: sessionPresent).encode(version: version) == bytes(expected))
    }

    private static let refused: [Refused] = [
        Refused(bytes("20 02 02 00"), .malformedPacket, "[MQTT-3.2.2-1] reserved flags", [.v311]),
        Refused(bytes("20 03 80 00 00"), .malformedPacket, "[MQTT-3.2.2-1] reserved flags"),
        Refused(bytes("20 02 00 06"), .malformedPacket, "3.1.1 §3.2.2.3 reserved return code", [.v311]),
        Refused(bytes("20 02 01 05"), .protocolError, "[MQTT-3.2.2-4] Session Present with a failure", [.v311]),
        Refused(bytes("20 03 01 87 00"), .protocolError, "[MQTT-3.2.2-6] Session Present with a failure"),
        Refused(bytes("20 03 00 01 00"), .protocolError, "[MQTT-3.2.2-8] Reason Code of SUBACK"),
        Refused(bytes("20 02 00 00"), .malformedPacket, "no Property Length"),
        Refused(bytes("20 03 00 00 00"), .malformedPacket, "a byte too many", [.v311]),
        Refused(bytes("20 04 00 00 00 00"), .malformedPacket, "a byte too many"),
        Refused(bytes("20 05 00 00 02 24 02"), .protocolError, "§3.2.2.3.4 Maximum QoS 2"),
        Refused(bytes("20 05 00 00 02 25 02"), .protocolError, "§3.2.2.3.5 Retain Available 2"),
        Refused(bytes("20 06 00 00 03 21 0000"), .protocolError, "§3.2.2.3.3 Receive Maximum 0"),
        Refused(bytes("20 08 00 00 05 27 00000000"), .protocolError, "§3.2.2.3.6 Maximum Packet Size 0"),
        Refused(bytes("20 05 00 00 02 28 02"), .protocolError, "§3.2.2.3.11 Wildcard Subscription Available 2"),
        Refused(bytes("20 05 00 00 02 29 02"), .protocolError, "§3.2.2.3.12 Subscription Identifiers Available 2"),
        Refused(bytes("20 05 00 00 02 2A 02"), .protocolError, "§3.2.2.3.13 Shared Subscription Available 2"),
    ]

    @Test(arguments: refused) func refuses(_ row: Refused) { row.check() }

    @Test func returnCodesMapBothWays() {
        for code in UInt8(0)...5 { #expect(ReasonCode(connectReturnCode: code)?.connectReturnCode == code) }
        for code in UInt8(6)...255 { #expect(ReasonCode(connectReturnCode: code) == nil) }
        #expect(ReasonCode.malformedPacket.connectReturnCode == nil)
    }
}
