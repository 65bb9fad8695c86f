import EventLoop
import MQTT
import Testing

@testable import Client

@Suite struct PublishingTests {
    @Test(arguments: [ProtocolVersion.v311, .v5])
    func publishIsEncoded(version: ProtocolVersion) throws {
        let rig = try Rig { $0.version = version }
        rig.connect()

        #expect(rig.client.publish(topic: "t", payload: [7], retain: true, properties: [1, 1]) == 0)
        #expect(rig.client.publish(topic: "t", payload: [8], qos: .atLeastOnce) == 1)
        #expect(rig.client.publish(topic: "t", payload: [9], qos: .exactlyOnce) == 2)
        rig.settle()

        let v5: [[UInt8]] = [
            [0x31, 7, 0, 1, 0x74, 2, 1, 1, 7], [0x32, 7, 0, 1, 0x74, 0, 1, 0, 8], [0x34, 7, 0, 1, 0x74, 0, 2, 0, 9],
        ]
        let v311: [[UInt8]] = [
            [0x31, 4, 0, 1, 0x74, 7], [0x32, 6, 0, 1, 0x74, 0, 1, 8], [0x34, 6, 0, 1, 0x74, 0, 2, 9],
        ]
        #expect(rig.server.received == (version == .v5 ? v5 : v311))
    }

    @Test func nothingIsSentWhileNotConnected() throws {
        let rig = try Rig()

        #expect(rig.client.publish(topic: "t", payload: []) == nil)
        #expect(rig.client.subscribe([Subscription(filter: [0x23], qos: .atMostOnce)]) == nil)
        #expect(rig.client.room == 0)
    }

    @Test func theServersLimitsHold() throws {
        let rig = try Rig { $0.sendMaximum = 100 }
        rig.server.connack?.receiveMaximum = 2
        rig.server.connack?.maximumPacketSize = 20
        rig.connect()
        #expect(rig.client.room == 2)

        #expect(rig.client.publish(topic: "t", payload: Array(repeating: 0, count: 14)) == 0)
        #expect(rig.client.publish(topic: "t", payload: Array(repeating: 0, count: 15)) == nil)
        #expect(rig.publish("a", qos: .atLeastOnce) == 1)
        #expect(rig.publish("b", qos: .exactlyOnce) == 2)
        #expect(rig.publish("c", qos: .atLeastOnce) == nil)
        #expect(rig.client.room == 0)

        rig.serverSends(acknowledgement(.puback, 1))
        #expect(rig.client.room == 1)
        rig.serverSends(acknowledgement(.pubrec, 2))
        #expect(rig.client.room == 1)
        rig.serverSends(acknowledgement(.pubcomp, 2))
        #expect(rig.client.room == 2)
        #expect(rig.record.take() == ["connected", "acknowledged 1 success", "acknowledged 2 success"])
        #expect(rig.server.received.last == [0x62, 2, 0, 2])
    }

    @Test func ourOwnLimitHoldsToo() throws {
        let rig = try Rig {
            $0.version = .v311
            $0.sendMaximum = 1
        }
        rig.connect()

        #expect(rig.publish("a", qos: .atLeastOnce) == 1)
        #expect(rig.publish("b", qos: .atLeastOnce) == nil)
    }

    @Test func failuresAreDone() throws {
        let rig = try Rig()
        rig.connect()
        _ = rig.publish("a", qos: .atLeastOnce)
        _ = rig.publish("b", qos: .exactlyOnce)
        rig.serverSends(
            acknowledgement(.pubrec, 2, .quotaExceeded) + acknowledgement(.puback, 1, .payloadFormatInvalid))

        #expect(
            rig.record.take() == [
                "connected", "acknowledged 2 quota exceeded", "acknowledged 1 payload format invalid",
            ])
        #expect(rig.client.unacknowledged == 0)
        #expect(rig.server.received.count == 2, "no PUBREL for a PUBLISH that was refused")
    }

    @Test func identifiersGoRoundAndSkipThoseInUse() throws {
        let rig = try Rig()
        rig.connect()
        #expect(rig.publish("kept", qos: .atLeastOnce) == 1)
        for _ in 2...65_535 {
            let identifier = try #require(rig.client.publish(topic: "t", payload: [], qos: .atLeastOnce))
            rig.serverSends(acknowledgement(.puback, identifier))
        }

        #expect(rig.publish("next", qos: .atLeastOnce) == 2)
        #expect(rig.client.subscribe([Subscription(filter: [0x23], qos: .atMostOnce)]) == 3)
    }

    @Test func requestsAreAnsweredByIdentifier() throws {
        let rig = try Rig()
        rig.connect()
        let filters = [
            Subscription(filter: [0x61], qos: .atLeastOnce), Subscription(filter: [0x62], qos: .exactlyOnce),
        ]
        #expect(rig.client.subscribe(filters) == 1)
        #expect(rig.client.unsubscribe([[0x61]]) == 2)
        rig.settle()
        rig.serverSends([0xB0, 4, 0, 2, 0, 0x11] + [0x90, 5, 0, 1, 0, 1, 0x87])

        #expect(rig.record.take() == ["connected", "unsubscribed 2 [17]", "subscribed 1 [1, 135]"])
    }

    // MARK: - Over a lost connection

    @Test func redeliveryKeepsIdentifiers() throws {
        let rig = try Rig { $0.cleanStart = false }
        rig.connect()
        _ = rig.publish("a", qos: .atLeastOnce)
        _ = rig.publish("b", qos: .exactlyOnce)
        rig.reconnect(sessionPresent: true)
        #expect(rig.server.received.isEmpty)
        #expect(rig.client.unacknowledged == 2)

        #expect(rig.publish("a", qos: .atLeastOnce, identifier: 1) == 1)
        #expect(rig.publish("b", qos: .exactlyOnce, identifier: 2) == 2)
        #expect(rig.publish("c", qos: .atLeastOnce) == 3)

        #expect(rig.server.received.map { $0[0] } == [0x3A, 0x3C, 0x32])
        rig.serverSends(acknowledgement(.puback, 1))
        #expect(rig.record.lines.last == "acknowledged 1 success")
    }

    @Test("[MQTT-4.3.3-7] after PUBREC it is PUBREL that goes again, in order") func pubrelGoesAgain() throws {
        let rig = try Rig { $0.cleanStart = false }
        rig.server.connack?.receiveMaximum = 3
        rig.connect()
        for payload in ["a", "b", "c"] { _ = rig.publish(payload, qos: .exactlyOnce) }
        rig.serverSends(acknowledgement(.pubrec, 3) + acknowledgement(.pubrec, 1))

        rig.reconnect(sessionPresent: true)

        #expect(rig.server.received == [[0x62, 2, 0, 3], [0x62, 2, 0, 1]])
        #expect(rig.publish("a", qos: .exactlyOnce, identifier: 1) == nil)
        #expect(rig.publish("b", qos: .exactlyOnce, identifier: 2) == 2)
        _ = rig.record.take()
        rig.serverSends(acknowledgement(.pubcomp, 3) + acknowledgement(.pubcomp, 1))
        #expect(rig.record.take() == ["acknowledged 3 success", "acknowledged 1 success"])
    }

    @Test func aLostSessionFreesWhatTheServerHad() throws {
        let rig = try Rig { $0.cleanStart = false }
        rig.connect()
        _ = rig.publish("a", qos: .exactlyOnce)
        _ = rig.publish("b", qos: .atLeastOnce)
        rig.serverSends(acknowledgement(.pubrec, 1))
        _ = rig.record.take()

        rig.reconnect(sessionPresent: false)

        #expect(
            rig.record.take() == ["closed: the server closed the connection", "connected", "acknowledged 1 success"])
        #expect(rig.client.unacknowledged == 0)
        #expect(rig.server.received.isEmpty)
    }

    @Test func identifiersOfALostSessionAreNotMixedUp() throws {
        let rig = try Rig { $0.cleanStart = false }
        rig.connect()
        _ = rig.publish("a", qos: .exactlyOnce)
        rig.serverSends(acknowledgement(.pubrec, 1))
        var again: [UInt16?] = []
        rig.record.onConnect = { client in
            for identifier: UInt16? in [1, nil] {
                Array("t".utf8).withUnsafeBytes { topic in
                    again.append(
                        client.publish(topic: topic, payload: topic, qos: .exactlyOnce, identifier: identifier))
                }
            }
        }

        rig.reconnect(sessionPresent: false)

        #expect(again == [nil, 2])
        #expect(rig.client.unacknowledged == 1)
        #expect(rig.record.lines.last == "acknowledged 1 success")
    }

    @Test func lateAcknowledgementsAreHarmless() throws {
        let rig = try Rig()
        rig.connect()
        rig.serverSends(acknowledgement(.puback, 9) + acknowledgement(.pubcomp, 9) + acknowledgement(.pubrec, 9))

        #expect(rig.record.take() == ["connected"])
        #expect(rig.server.received == [[0x62, 3, 0, 9, 0x92]])
    }

    @Test func anAcknowledgementOfTheWrongTypeIsAnError() throws {
        let rig = try Rig()
        rig.connect()
        _ = rig.publish("a", qos: .exactlyOnce)
        rig.serverSends(acknowledgement(.puback, 1))

        #expect(!rig.client.isActive)
    }
}
