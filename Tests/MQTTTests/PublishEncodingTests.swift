import MQTT
import Testing

@Suite struct PublishEncodingTests {
    private func encode(_ head: PublishHead, _ version: ProtocolVersion, _ payload: [UInt8]) -> [UInt8] {
        let length = head.encodedLength(version: version, payloadCount: payload.count)
        return [UInt8](unsafeUninitializedCapacity: length) { target, count in
            let memory = UnsafeMutableRawBufferPointer(target).baseAddress!
            count = payload.withUnsafeBytes { head.encode(version: version, payload: $0, into: memory) }
            #expect(count == length)
        }
    }

    @Test(
        "§3.3, both versions and every QoS",
        arguments: [
            (ProtocolVersion.v311, QoS.atMostOnce, "31 06 0003 'a/b' 'x'"),
            (.v311, .exactlyOnce, "35 08 0003 'a/b' 0009 'x'"),
            (.v5, .atMostOnce, "31 1A 0003 'a/b' 13 02 0000000A 23 0002 0B 8001 0B 01 26 0001 'k' 0000 'x'"),
            (.v5, .atLeastOnce, "33 1C 0003 'a/b' 0009 13 02 0000000A 23 0002 0B 8001 0B 01 26 0001 'k' 0000 'x'"),
        ])
    func encodesHead(version: ProtocolVersion, qos: QoS, expected: String) {
        let topic = bytes("'a/b'")
        let properties = bytes("26 0001 'k' 0000")
        topic.withUnsafeBytes { topic in
            properties.withUnsafeBytes { properties in
                let head = PublishHead(
                    topic: topic, qos: qos, retain: true, packetIdentifier: 9, properties: properties,
                    subscriptionIdentifiers: [128, 1], messageExpiryInterval: 10, topicAlias: 2)

                #expect(encode(head, version, bytes("'x'")) == bytes(expected))
            }
        }
    }

    @Test func templateAgreesWithHead() {
        var template = PublishTemplate()
        var random = Random(seed: 3)
        for round in 0..<200 {
            let topic = Array(
                repeating: UInt8(ascii: "t"), count: 1 + Int(random.next() % 300) * (round % 7 == 0 ? 40 : 1))
            let payload = Array(repeating: UInt8(ascii: "p"), count: Int(random.next() % 20_000))
            let properties = random.next() % 2 == 0 ? [] : bytes("01 01 26 0001 'k' 0000")
            let expiry: UInt32? = random.next() % 2 == 0 ? nil : 77
            topic.withUnsafeBytes { topic in
                payload.withUnsafeBytes { payload in
                    properties.withUnsafeBytes { properties in
                        template.reset(
                            topic: topic, properties: properties, payload: payload, messageExpiryInterval: expiry)
                        for step in 0..<24 {
                            let version: ProtocolVersion = step % 2 == 0 ? .v5 : .v311
                            let qos = QoS(rawValue: UInt8(step % 3))!
                            let head = PublishHead(
                                topic: topic, qos: qos, isDuplicate: step % 5 == 0, retain: step % 4 == 0,
                                packetIdentifier: UInt16(step + 1), properties: properties,
                                messageExpiryInterval: expiry)
                            let length = template.encodedLength(version: version, qos: qos)
                            let encoded = [UInt8](unsafeUninitializedCapacity: length) { target, count in
                                count = template.encode(
                                    version: version, qos: qos, isDuplicate: step % 5 == 0, retain: step % 4 == 0,
                                    packetIdentifier: UInt16(step + 1),
                                    into: UnsafeMutableRawBufferPointer(target).baseAddress!)
                            }
                            #expect(encoded.count == length)
                            #expect(encoded == encode(head, version, Array(payload)))
                        }
                    }
                }
            }
        }
    }

    @Test func whatIsEncodedDecodes() throws {
        let topic = bytes("'plant/line/7'")
        let properties = bytes("01 01 09 0001 FF")
        for version in [ProtocolVersion.v311, .v5] {
            for qos in [QoS.atMostOnce, .atLeastOnce, .exactlyOnce] {
                let encoded = topic.withUnsafeBytes { topic in
                    properties.withUnsafeBytes { properties in
                        encode(
                            PublishHead(topic: topic, qos: qos, packetIdentifier: 7, properties: properties), version,
                            bytes("'21.5'"))
                    }
                }
                guard case .publish(let message) = try decode(encoded, version) else {
                    Issue.record("no PUBLISH")
                    continue
                }
                #expect(message.qos == qos && message.topic == topic && message.payload == bytes("'21.5'"))
                #expect(message.packetIdentifier == (qos == .atMostOnce ? 0 : 7))
                #expect(message.properties == (version == .v5 ? properties : []))
            }
        }
    }
}
