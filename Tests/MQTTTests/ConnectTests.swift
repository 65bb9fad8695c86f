import MQTT
import Testing

@Suite struct ConnectTests {
    @Test func readsEveryField() throws {
        let source = packet(
            0x10,
            "0004 'MQTT' 05 EE 003C"
                + "30 11 00000E10 21 0014 27 00010000 22 000A 19 01 17 00 26 0001 'k' 0001 'v' 15 0005 'SCRAM' 16 0002 FF00"
                + "26 0001 'k' 0002 'v2'"
                + "0005 'cliid'" + "0E 18 0000001E 02 00000005 03 0001 't'" + "0004 'will' 0003 'bye'"
                + "0004 'user' 0002 00FF")
        guard case .connect(let connect) = try decode(source, .v5) else {
            Issue.record("no CONNECT")
            return
        }

        #expect(
            connect
                == Connect(
                    version: .v5, clientIdentifier: bytes("'cliid'"), cleanStart: true, keepAlive: 60,
                    will: Will(
                        topic: bytes("'will'"), payload: bytes("'bye'"), qos: .atLeastOnce, retain: true, delay: 30,
                        messageExpiryInterval: 5, properties: bytes("03 0001 't'")),
                    username: bytes("'user'"), password: bytes("00FF"), sessionExpiryInterval: 3600,
                    receiveMaximum: 20, maximumPacketSize: 65_536, topicAliasMaximum: 10,
                    requestResponseInformation: true, requestProblemInformation: false,
                    userProperties: [UserProperty("k", "v"), UserProperty("k", "v2")], authenticationMethod: "SCRAM",
                    authenticationData: bytes("FF00")))
    }

    @Test func defaultsAreTheSpecifications() throws {
        guard case .connect(let connect) = try decode(packet(0x10, "0004 'MQTT' 05 02 0000 00 0000"), .v5) else {
            Issue.record("no CONNECT")
            return
        }

        #expect(connect == Connect(version: .v5, clientIdentifier: [], cleanStart: true, keepAlive: 0))
        #expect(connect.receiveMaximum == 65_535 && connect.requestProblemInformation)
    }

    @Test("MQTT 3.1 is served as 3.1.1") func mqisdp() throws {
        guard case .connect(let connect) = try decode(packet(0x10, "0006 'MQIsdp' 03 02 000A 0001 'c'"), .v311) else {
            Issue.record("no CONNECT")
            return
        }

        #expect(connect == Connect(version: .v311, clientIdentifier: bytes("'c'"), cleanStart: true, keepAlive: 10))
    }

    @Test("MQTT 3.1 leaves the lowest Connect Flag to chance") func mqisdpFlag() throws {
        #expect(try decode(packet(0x10, "0006 'MQIsdp' 03 03 000A 0001 'c'"), .v311) != nil)
    }

    private static func v311(_ rest: String) -> [UInt8] { packet(0x10, "0004 'MQTT' 04 " + rest) }
    private static func v5(_ rest: String) -> [UInt8] { packet(0x10, "0004 'MQTT' 05 " + rest) }

    private static let refused: [Refused] = [
        Refused(packet(0x10, ""), .malformedPacket, "empty"),
        Refused(packet(0x10, "0004 'MQTX' 04 02 0000 0001 'c'"), .protocolError, "[MQTT-3.1.2-1] name"),
        Refused(packet(0x10, "0004 'mqtt' 04 02 0000 0001 'c'"), .protocolError, "[MQTT-3.1.2-1] case"),
        Refused(packet(0x10, "0000 04 02 0000 0001 'c'"), .protocolError, "[MQTT-3.1.2-1] no name"),
        Refused(packet(0x10, "0004 'MQTT' 03 02 0000 0001 'c'"), .unsupportedProtocolVersion, "[MQTT-3.1.2-2] 3"),
        Refused(packet(0x10, "0004 'MQTT' 06 02 0000 0001 'c'"), .unsupportedProtocolVersion, "[MQTT-3.1.2-2] 6"),
        Refused(packet(0x10, "0006 'MQIsdp' 04 02 0000 0001 'c'"), .unsupportedProtocolVersion, "MQIsdp of level 4"),
        Refused(packet(0x10, "0004 'MQTT' 06 02 0000 00 0001 'c'"), .unsupportedProtocolVersion, "6, laid out as 5"),
        Refused(packet(0x10, "0004 'MQTX' 05 02 0000 00 0001 'c'"), .unsupportedProtocolVersion, "name, laid out as 5"),
        Refused(packet(0x10, "0006 'MQIsdp' 03 02 0000 0000"), .clientIdentifierNotValid, "3.1, no identifier"),
        Refused(bytes("10 8E 00 0004 'MQTT' 05 02 0000 00 0001 'c'"), .malformedPacket, "[MQTT-1.5.5-1] padded, 5"),
        Refused(v311("03 0000 0001 'c'"), .malformedPacket, "[MQTT-3.1.2-3] reserved flag, 3.1.1"),
        Refused(v5("03 0000 00 0001 'c'"), .malformedPacket, "[MQTT-3.1.2-3] reserved flag, 5"),
        Refused(v311("0A 0000 0001 'c'"), .malformedPacket, "[MQTT-3.1.2-13] Will QoS without Will Flag"),
        Refused(v5("12 0000 00 0001 'c'"), .malformedPacket, "[MQTT-3.1.2-11] Will QoS 2 without Will Flag"),
        Refused(v5("22 0000 00 0001 'c'"), .malformedPacket, "[MQTT-3.1.2-13] Will Retain without Will Flag"),
        Refused(v311("1E 0000 0001 'c' 0001 'w' 0000"), .malformedPacket, "[MQTT-3.1.2-14] Will QoS 3, 3.1.1"),
        Refused(v5("1E 0000 00 0001 'c' 00 0001 'w' 0000"), .malformedPacket, "[MQTT-3.1.2-12] Will QoS 3, 5"),
        Refused(v311("42 0000 0001 'c' 0001 'p'"), .malformedPacket, "[MQTT-3.1.2-22] password without user name"),
        Refused(v311("00 0000 0000"), .clientIdentifierNotValid, "[MQTT-3.1.3-8] no identifier, Clean Session 0"),
        Refused(v5("02 0000 00 0001 FF"), .malformedPacket, "[MQTT-3.1.3-4] Client Identifier not UTF-8"),
        Refused(v5("06 0000 00 0001 'c' 00 0000 0000"), .malformedPacket, "[MQTT-3.1.3-11] empty Will Topic"),
        Refused(v5("06 0000 00 0001 'c' 00 0001 '#' 0000"), .malformedPacket, "[MQTT-4.7.0-1] Will Topic"),
        Refused(v5("06 0000 00 0001 'c' 02 0102 0001 'w' 0000"), .protocolError, "Will's Payload Format Indicator"),
        Refused(v5("82 0000 00 0001 'c' 0001 FF"), .malformedPacket, "[MQTT-3.1.3-12] User Name not UTF-8"),
        Refused(v5("82 0000 00 0001 'c'"), .malformedPacket, "no User Name"),
        Refused(v311("C2 0000 0001 'c' 0001 'u'"), .malformedPacket, "no Password"),
        Refused(v311("02 0000 0001 'c' 00"), .malformedPacket, "a byte too many, 3.1.1"),
        Refused(v5("02 0000 00 0001 'c' 00"), .malformedPacket, "a byte too many, 5"),
        Refused(v5("02 0000 03 21 0000 0001 'c'"), .protocolError, "§3.1.2.11.3 Receive Maximum 0"),
        Refused(v5("02 0000 05 27 00000000 0001 'c'"), .protocolError, "§3.1.2.11.4 Maximum Packet Size 0"),
        Refused(v5("02 0000 02 19 02 0001 'c'"), .protocolError, "§3.1.2.11.6 Request Response Information 2"),
        Refused(v5("02 0000 02 17 02 0001 'c'"), .protocolError, "§3.1.2.11.7 Request Problem Information 2"),
        Refused(v5("02 0000 04 16 0001 00 0001 'c'"), .protocolError, "§3.1.2.11.10 data without method"),
        Refused(v5("02 0000 02 04 02 0001 'c'"), .malformedPacket, "§2.2.2.2 unknown property"),
        Refused(v5("02 0000 03 A6 00 00 0001 'c'"), .malformedPacket, "§2.2.2.2 property of two bytes"),
    ]

    @Test(arguments: refused) func refuses(_ row: Refused) { row.check() }

    @Test("User name and password are independent on MQTT 5") func passwordAlone() throws {
        guard case .connect(let connect) = try decode(Self.v5("42 0000 00 0000 0001 'p'"), .v5) else {
            Issue.record("no CONNECT")
            return
        }

        #expect(connect.username == nil && connect.password == bytes("'p'"))
    }

    @Test(
        "The refusal's form follows the version",
        arguments: [
            ("0004 'MQTT' 06 02 0000 0000", "20 02 00 01" as String?),
            ("0004 'MQTT' 06 02 0000 00 0000", "20 03 00 84 00"),
            ("0004 'MQTX' 05 02 0000 00 0000", "20 03 00 84 00"),
            ("0004 'MQTX' 04 02 0000 0000", nil),
            ("0006 'MQIsdp' 03 02 0000 0000", "20 02 00 02"),
            ("0004 'MQTT' 04 00 0000 0000", "20 02 00 02"),
            ("0004 'MQTT' 04 03 0000 0000", nil),
            ("0004 'MQTT' 05 03 0000 00 0000", "20 03 00 81 00"),
            ("0004 'MQTT' 05 02 0000 03 21 0000 0000", "20 03 00 82 00"),
            ("0004", nil),
        ])
    func refusals(body: String, answer: String?) throws {
        let error = try #require(refusal(packet(0x10, body), .v5))

        #expect(Connack.refusal(of: error) == answer.map { bytes($0) })
    }
}
