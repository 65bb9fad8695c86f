import MQTT
import Testing

/// SUBSCRIBE, UNSUBSCRIBE, their acknowledgements, PUBLISH's acknowledgements, DISCONNECT and AUTH: what is refused, and
/// the shortest forms.
@Suite struct SmallPacketTests {
    private static let both: [ProtocolVersion] = [.v311, .v5]

    private static let subscribing: [Refused] = [
        Refused(packet(0x82, "0001 00"), .protocolError, "[MQTT-3.8.3-2] SUBSCRIBE without filter"),
        Refused(packet(0x82, "0001"), .protocolError, "[MQTT-3.8.3-3] SUBSCRIBE without filter, 3.1.1", [.v311]),
        Refused(packet(0x82, "0000 00 0001 'a' 00"), .protocolError, "[MQTT-2.2.1-3] Packet Identifier 0", both),
        Refused(packet(0x82, "0001 00 0001 'a' 03"), .protocolError, "§3.8.3.1 QoS 3"),
        Refused(packet(0x82, "0001 0001 'a' 03"), .malformedPacket, "[MQTT-3-8.3-4] QoS 3, 3.1.1", [.v311]),
        Refused(packet(0x82, "0001 0001 'a' 04"), .malformedPacket, "[MQTT-3-8.3-4] reserved bits, 3.1.1", [.v311]),
        Refused(packet(0x82, "0001 00 0001 'a' 40"), .malformedPacket, "[MQTT-3.8.3-5] reserved bit 6"),
        Refused(packet(0x82, "0001 00 0001 'a' 80"), .malformedPacket, "[MQTT-3.8.3-5] reserved bit 7"),
        Refused(packet(0x82, "0001 00 0001 'a' 30"), .protocolError, "§3.8.3.1 Retain Handling 3"),
        Refused(packet(0x82, "0001 00 000A '$share/g/a' 04"), .protocolError, "[MQTT-3.8.3-4] No Local, shared"),
        Refused(packet(0x82, "0001 02 0B00 0001 'a' 00"), .protocolError, "§3.8.2.1.2 Subscription Identifier 0"),
        Refused(packet(0x82, "0001 04 0B01 0B01 0001 'a' 00"), .protocolError, "§3.8.2.1.2 repeated"),
        Refused(packet(0x82, "0001 06 0B FFFFFFFF7F 0001 'a' 00"), .malformedPacket, "§1.5.5 five bytes"),
        Refused(packet(0x82, "0001 00 0002 'a#' 00"), .malformedPacket, "[MQTT-4.7.1-1]"),
        Refused(packet(0x82, "0001 00 0002 'a+' 00"), .malformedPacket, "[MQTT-4.7.1-2]"),
        Refused(packet(0x82, "0001 00 0009 '$share//a' 00"), .malformedPacket, "[MQTT-4.8.2-1]"),
        Refused(packet(0x82, "0001 00 0000 00"), .malformedPacket, "[MQTT-4.7.3-1]"),
        Refused(packet(0x82, "0001 00 0001 FF 00"), .malformedPacket, "[MQTT-3.8.3-1]"),
        Refused(packet(0x82, "0001 00 0001 'a'"), .malformedPacket, "no options"),
        Refused(packet(0x82, "0001 00 0001 'a' 00 00"), .malformedPacket, "a byte too many"),
        Refused(packet(0x82, "00"), .malformedPacket, "half an identifier", both),
        Refused(packet(0xA2, "0001 00"), .protocolError, "[MQTT-3.10.3-2] UNSUBSCRIBE without filter"),
        Refused(packet(0xA2, "0001"), .protocolError, "[MQTT-3.10.3-2] UNSUBSCRIBE without filter, 3.1.1", [.v311]),
        Refused(packet(0xA2, "0000 0001 'a'"), .protocolError, "[MQTT-2.2.1-3] Packet Identifier 0", both),
        Refused(packet(0xA2, "0001 00 0003 '#/a'"), .malformedPacket, "[MQTT-4.7.1-1] UNSUBSCRIBE"),
        Refused(packet(0xA2, "0001 00 0001 'a' 00"), .malformedPacket, "a byte too many, UNSUBSCRIBE"),
        Refused(packet(0x90, "0001 00"), .malformedPacket, "SUBACK without Reason Code"),
        Refused(packet(0x90, "0001"), .malformedPacket, "SUBACK without return code", [.v311]),
        Refused(packet(0x90, "0001 00 03"), .protocolError, "[MQTT-3.9.3-2] SUBACK 0x03"),
        Refused(packet(0x90, "0001 03"), .protocolError, "[MQTT-3.9.3-2] SUBACK 0x03, 3.1.1", [.v311]),
        Refused(packet(0x90, "0001 87"), .malformedPacket, "[MQTT-3.9.3-2] SUBACK 0x87, 3.1.1", [.v311]),
        Refused(packet(0x90, "0000 00 00"), .protocolError, "SUBACK of identifier 0", both),
        Refused(packet(0xB0, "0001 00"), .malformedPacket, "UNSUBACK without Reason Code"),
        Refused(packet(0xB0, "0001 00"), .malformedPacket, "UNSUBACK with a byte too many, 3.1.1", [.v311]),
        Refused(packet(0xB0, "0001 00 01"), .protocolError, "[MQTT-3.11.3-2] UNSUBACK 0x01"),
    ]

    private static let acknowledging: [Refused] = [
        Refused(bytes("40 00"), .malformedPacket, "PUBACK without identifier", both),
        Refused(bytes("40 01 00"), .malformedPacket, "PUBACK with half an identifier", both),
        Refused(bytes("40 02 0000"), .protocolError, "[MQTT-2.2.1-3] PUBACK of 0", both),
        Refused(bytes("50 03 0001 92"), .protocolError, "[MQTT-3.5.2-1] PUBREC 0x92"),
        Refused(bytes("40 03 0001 01"), .protocolError, "[MQTT-3.4.2-1] PUBACK 0x01"),
        Refused(bytes("62 03 0001 10"), .protocolError, "[MQTT-3.6.2-1] PUBREL 0x10"),
        Refused(bytes("70 03 0001 80"), .protocolError, "[MQTT-3.7.2-1] PUBCOMP 0x80"),
        Refused(bytes("40 03 0001 00"), .malformedPacket, "PUBACK with a byte too many, 3.1.1", [.v311]),
        Refused(bytes("40 05 0001 00 00 00"), .malformedPacket, "PUBACK with a byte too many"),
        Refused(bytes("40 05 0001 00 02 1F"), .malformedPacket, "PUBACK's properties cut short"),
        Refused(bytes("40 08 0001 00 04 1F 0001 FF"), .malformedPacket, "[MQTT-1.5.4-1] Reason String"),
        Refused(bytes("60 02 0001"), .malformedPacket, "[MQTT-3.6.1-1] PUBREL's flags", both),
        Refused(bytes("80 06 0001 0001 'a' 00"), .malformedPacket, "[MQTT-3.8.1-1] SUBSCRIBE's flags", both),
        Refused(bytes("A0 05 0001 0001 'a'"), .malformedPacket, "[MQTT-3.10.1-1] UNSUBSCRIBE's flags", both),
    ]

    private static let ending: [Refused] = [
        Refused(bytes("E1 00"), .malformedPacket, "[MQTT-3.14.1-1] DISCONNECT's flags", both),
        Refused(bytes("E0 01 00"), .malformedPacket, "DISCONNECT with a body, 3.1.1", [.v311]),
        Refused(bytes("E0 01 01"), .protocolError, "[MQTT-3.14.2-1] DISCONNECT 0x01"),
        Refused(bytes("E0 03 00 00 00"), .malformedPacket, "DISCONNECT with a byte too many"),
        Refused(bytes("F0 00"), .malformedPacket, "3.1.1 §2.2.1 AUTH", [.v311]),
        Refused(bytes("F1 00"), .malformedPacket, "[MQTT-3.15.1-1] AUTH's flags"),
        Refused(bytes("F0 01 18"), .malformedPacket, "AUTH without Property Length"),
        Refused(bytes("F0 02 18 00"), .protocolError, "§3.15.2.2.2 AUTH without method"),
        Refused(packet(0xF0, "17 04 15 0001 'm'"), .protocolError, "[MQTT-3.15.2-1] AUTH 0x17"),
        Refused(packet(0xF0, "18 04 15 0001 'm' 00"), .malformedPacket, "AUTH with a byte too many"),
    ]

    @Test(arguments: subscribing) func refusesSubscribing(_ row: Refused) { row.check() }
    @Test(arguments: acknowledging) func refusesAcknowledging(_ row: Refused) { row.check() }
    @Test(arguments: ending) func refusesEnding(_ row: Refused) { row.check() }

    @Test(
        "§3.4.2.1 the shortest forms of an acknowledgement",
        arguments: [
            ("40 02 0001", ReasonCode.success), ("40 03 0001 10", .noMatchingSubscribers), ("40 03 0001 00", .success),
            ("40 04 0001 97 00", .quotaExceeded), ("40 08 0001 00 04 1F 0001 'x'", .success),
        ])
    func acknowledgements(text: String, reason: ReasonCode) throws {
        #expect(
            try decode(bytes(text), .v5)
                == .acknowledgement(Acknowledgement(.puback, packetIdentifier: 1, reason: reason)))
    }

    @Test(
        "§3.4 to §3.7",
        arguments: [
            (PacketType.puback, ReasonCode.success, ProtocolVersion.v5, "40 02 0102"),
            (.pubrec, .quotaExceeded, .v5, "50 03 0102 97"), (.pubrec, .quotaExceeded, .v311, "50 02 0102"),
            (.pubrel, .success, .v311, "62 02 0102"), (.pubcomp, .packetIdentifierNotFound, .v5, "70 03 0102 92"),
        ])
    func encodesAcknowledgements(type: PacketType, reason: ReasonCode, version: ProtocolVersion, expected: String) {
        let acknowledgement = Acknowledgement(type, packetIdentifier: 0x0102, reason: reason)

        #expect(acknowledgement.encode(version: version) == bytes(expected))
    }

    @Test(
        "§3.14.2.2.1 the shortest forms of DISCONNECT",
        arguments: [
            ("E0 00", ReasonCode.normalDisconnection), ("E0 01 04", .disconnectWithWill),
            ("E0 02 04 00", .disconnectWithWill),
        ])
    func disconnects(text: String, reason: ReasonCode) throws {
        #expect(try decode(bytes(text), .v5) == .disconnect(Disconnect(reason: reason)))
    }

    @Test(
        "§3.14.2.1 and §3.15.2.1 what only the other end may send",
        arguments: [
            ("E0 01 04", Peer.server, false), ("E0 01 04", .client, true), ("E0 01 8B", .client, false),
            ("E0 01 8B", .server, true), ("E0 07 00 05 11 00000001", .server, false),
            ("E0 07 00 05 11 00000001", .client, true),
            ("E0 06 00 04 1C 0001 's'", .client, false), ("E0 06 9C 04 1C 0001 's'", .server, true),
            ("F0 00", .client, false), ("F0 00", .server, true), ("F0 06 19 04 15 0001 'm'", .server, false),
            ("F0 06 19 04 15 0001 'm'", .client, true), ("F0 06 18 04 15 0001 'm'", .server, true),
        ])
    func peers(text: String, peer: Peer, isAllowed: Bool) throws {
        let isTaken = bytes(text).withUnsafeBytes { buffer in
            do throws(MQTTError) {
                guard let raw = try readFrame(buffer, maximum: .max) else { return false }
                if raw.type == .auth {
                    _ = try Auth(raw, version: .v5, from: peer)
                } else {
                    _ = try Disconnect(raw, version: .v5, from: peer)
                }
                return true
            } catch {
                return false
            }
        }
        #expect(isTaken == isAllowed)
    }

    @Test func reasonCodesOfBothTablesAreNamed() {
        for value in UInt8(0)...255 {
            let reason = ReasonCode(rawValue: value)
            let isUsed = PacketType.allCases.contains { reason.isAllowed(in: $0) }
            #expect(isUsed != reason.name.hasPrefix("reason code"), "\(value)")
            #expect(reason.isError == (value >= 0x80))
        }
    }
}
