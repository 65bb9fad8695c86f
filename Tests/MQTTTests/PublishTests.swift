import MQTT
import Testing

@Suite struct PublishTests {
    @Test func readsAllPartsInPlace() throws {
        let source = packet(0x3B, "0003 'a/b' 0102 0A 0101 02 00000010 23 0005 'hey'")
        try source.withUnsafeBytes { buffer in
            let raw = try #require(try readFrame(buffer, maximum: .max))
            let view = try PublishView(raw, version: .v5)

            #expect(view.qos == .atLeastOnce && view.isDuplicate && view.retain)
            #expect(view.packetIdentifier == 0x0102)
            #expect(Array(view.topic) == Array("a/b".utf8))
            #expect(Array(view.payload) == Array("hey".utf8))
            #expect(view.topicAlias == 5 && view.messageExpiryInterval == 16 && view.payloadIsText)
            #expect(!view.hasSubscriptionIdentifiers && !view.propertiesCanBeCopied)
            #expect(view.topic.baseAddress == buffer.baseAddress! + 4)
        }
    }

    @Test func propertiesThatBelongToTheMessageCanBeCopied() throws {
        for (properties, canBeCopied) in [
            ("00", true), ("02 0101", true), ("07 26 0001 'a' 0001 'b'", true), ("03 23 0001", false),
            ("02 0B 01", false), ("05 02 00000001", false),
        ] {
            let source = packet(0x30, "0001 'a' " + properties)
            try source.withUnsafeBytes { buffer in
                let raw = try #require(try readFrame(buffer, maximum: .max))
                #expect(try PublishView(raw, version: .v5).propertiesCanBeCopied == canBeCopied, "\(properties)")
            }
        }
    }

    @Test("[MQTT-3.3.2-8] [MQTT-3.3.2-6] what stays with the connection is dropped") func filtersProperties() {
        let raw = bytes("23 0007 01 01 0B 05 26 0001 'k' 0001 'v' 0B 8001 02 00000009 03 0004 'text' 09 0002 FFFE")
        var target = Array(repeating: UInt8(0), count: raw.count)

        let count = raw.withUnsafeBytes { raw in
            target.withUnsafeMutableBytes { PublishView.copyProperties(raw, into: $0.baseAddress!) }
        }

        #expect(Array(target[..<count]) == bytes("01 01 26 0001 'k' 0001 'v' 03 0004 'text' 09 0002 FFFE"))
    }

    private static let both: [ProtocolVersion] = [.v311, .v5]
    private static let refused: [Refused] = [
        Refused(packet(0x36, "0001 'a' 0001 00"), .malformedPacket, "[MQTT-3.3.1-4] QoS 3", both),
        Refused(packet(0x38, "0001 'a' 00"), .malformedPacket, "[MQTT-3.3.1-2] DUP at QoS 0", both),
        Refused(packet(0x32, "0001 'a' 0000 00"), .protocolError, "[MQTT-2.2.1-3] Packet Identifier 0", both),
        Refused(packet(0x32, "0001 'a' 00"), .malformedPacket, "Packet Identifier cut short", both),
        Refused(packet(0x30, "0003 'a/+' 00"), .malformedPacket, "[MQTT-3.3.2-2] + in a Topic Name", both),
        Refused(packet(0x30, "0001 '#' 00"), .malformedPacket, "[MQTT-3.3.2-2] # in a Topic Name", both),
        Refused(packet(0x30, "0002 'a' 00 00"), .malformedPacket, "[MQTT-1.5.4-2] U+0000", both),
        Refused(packet(0x30, "0003 ED A0 80 00"), .malformedPacket, "[MQTT-1.5.4-1] a surrogate", both),
        Refused(packet(0x30, "0002 C0 AF 00"), .malformedPacket, "[MQTT-1.5.4-1] overlong", both),
        Refused(packet(0x30, "0005 'a' 00"), .malformedPacket, "Topic Name cut short", both),
        Refused(packet(0x30, "00"), .malformedPacket, "no Topic Name", both),
        Refused(packet(0x30, ""), .malformedPacket, "empty", both),
        Refused(packet(0x30, "0000 'x'"), .malformedPacket, "[MQTT-4.7.3-1] an empty Topic Name", [.v311]),
        Refused(packet(0x30, "0000 00"), .protocolError, "§3.3.2.1 neither Topic Name nor Topic Alias"),
        Refused(packet(0x30, "0001 'a'"), .malformedPacket, "no Property Length"),
        Refused(packet(0x30, "0001 'a' 03 0101"), .malformedPacket, "properties cut short"),
        Refused(packet(0x30, "0001 'a' 8000"), .malformedPacket, "[MQTT-1.5.5-1] Property Length not minimal"),
        Refused(packet(0x30, "0001 'a' 8080808001"), .malformedPacket, "§1.5.5 Property Length of five bytes"),
        Refused(packet(0x30, "0001 'a' 03 23 0000"), .topicAliasInvalid, "[MQTT-3.3.2-8] Topic Alias 0"),
        Refused(packet(0x30, "0001 'a' 02 0102"), .protocolError, "§3.3.2.3.2 Payload Format Indicator 2"),
        Refused(packet(0x30, "0001 'a' 02 0B00"), .protocolError, "§3.3.2.3.8 Subscription Identifier 0"),
        Refused(packet(0x30, "0001 'a' 03 0B 8000"), .malformedPacket, "[MQTT-1.5.5-1] Subscription Identifier padded"),
        Refused(packet(0x30, "0001 'a' 06 08 0003 'a/+'"), .protocolError, "[MQTT-3.3.2-14] Response Topic"),
        Refused(packet(0x30, "0001 'a' 03 08 0000"), .protocolError, "[MQTT-4.7.3-1] an empty Response Topic"),
        Refused(packet(0x30, "0001 'a' 04 03 0001 FF"), .malformedPacket, "[MQTT-1.5.4-1] Content Type"),
        Refused(packet(0x30, "0001 'a' 06 26 0001 FF 0000"), .malformedPacket, "[MQTT-1.5.4-1] User Property"),
        Refused(packet(0x30, "0001 'a' 06 26 0001 'k' 0005"), .malformedPacket, "User Property cut short"),
        Refused(packet(0x30, "0001 'a' 03 02 0000"), .malformedPacket, "Message Expiry Interval cut short"),
        Refused(packet(0x30, "0001 'a' 01 01"), .malformedPacket, "Payload Format Indicator cut short"),
    ]

    @Test(arguments: refused) func refuses(_ row: Refused) { row.check() }

    @Test("[MQTT-3.3.4-6] Subscription Identifiers may repeat, from a Server") func subscriptionIdentifiers() throws {
        let source = packet(0x30, "0001 'a' 05 0B 01 0B 8001")
        try source.withUnsafeBytes { buffer in
            let raw = try #require(try readFrame(buffer, maximum: .max))
            #expect(try PublishView(raw, version: .v5).hasSubscriptionIdentifiers)
            #expect(try PublishView(raw, version: .v5, from: .server).hasSubscriptionIdentifiers)
            #expect { try PublishView(raw, version: .v5, from: .client) } throws: {
                ($0 as? MQTTError)?.reason == .protocolError
            }
        }
    }

    @Test func topicAliasStandsForTheTopic() throws {
        guard case .publish(let message) = try decode(packet(0x30, "0000 03 23 0001 'x'"), .v5) else {
            Issue.record("no PUBLISH")
            return
        }
        #expect(message.topicAlias == 1 && message.topic.isEmpty)
    }
}
