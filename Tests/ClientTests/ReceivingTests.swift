import EventLoop
import MQTT
import Testing

@testable import Client

@Suite struct ReceivingTests {
    @Test func acknowledgementIsAutomatic() throws {
        let rig = try Rig()
        rig.connect()
        rig.serverSends(
            serverPublish("a", "0") + serverPublish("a", "1", qos: .atLeastOnce, identifier: 5)
                + serverPublish("a", "2", qos: .exactlyOnce, identifier: 6))

        #expect(rig.record.take() == ["connected", "a=0 0", "a=1 5", "a=2 6"])
        #expect(rig.server.received == [[0x40, 2, 0, 5], [0x50, 2, 0, 6]])

        rig.serverSends(acknowledgement(.pubrel, 6) + acknowledgement(.pubrel, 7))
        #expect(rig.server.received.suffix(2) == [[0x70, 2, 0, 6], [0x70, 3, 0, 7, 0x92]])
    }

    @Test("[MQTT-4.6.0-2] acknowledgements leave in the order the PUBLISHes came") func order() throws {
        let rig = try Rig { $0.automaticAcknowledgement = false }
        rig.connect()
        for identifier: UInt16 in 1...3 {
            rig.serverSends(serverPublish("t", "", qos: .atLeastOnce, identifier: identifier))
            rig.serverSends(serverPublish("t", "", qos: .exactlyOnce, identifier: identifier + 10))
        }
        rig.client.acknowledge(identifier: 3, qos: .atLeastOnce)
        rig.client.acknowledge(identifier: 2, qos: .atLeastOnce, reason: .quotaExceeded)
        rig.client.acknowledge(identifier: 12, qos: .exactlyOnce)
        rig.settle()
        #expect(rig.server.received.isEmpty)

        rig.client.acknowledge(identifier: 11, qos: .exactlyOnce)
        rig.settle()
        #expect(rig.server.received == [[0x50, 2, 0, 11], [0x50, 2, 0, 12]])

        rig.client.acknowledge(identifier: 1, qos: .atLeastOnce)
        rig.settle()
        #expect(rig.server.received.suffix(3) == [[0x40, 2, 0, 1], [0x40, 3, 0, 2, 0x97], [0x40, 2, 0, 3]])
    }

    @Test("[MQTT-4.3.3-10] QoS 2 is delivered once over a lost connection") func exactlyOnce() throws {
        let rig = try Rig { $0.cleanStart = false }
        rig.connect()
        rig.serverSends(serverPublish("t", "x", qos: .exactlyOnce, identifier: 1))
        rig.reconnect(sessionPresent: true)
        _ = rig.record.take()

        rig.serverSends(serverPublish("t", "x", qos: .exactlyOnce, identifier: 1, duplicate: true))
        #expect(rig.record.take() == [])
        #expect(rig.server.received == [[0x50, 2, 0, 1]])

        rig.serverSends(acknowledgement(.pubrel, 1))
        rig.serverSends(serverPublish("t", "y", qos: .exactlyOnce, identifier: 1))
        #expect(rig.record.take() == ["t=y 1"])
    }

    @Test func aPendingQoS2MayBeAcknowledgedOnTheNextConnection() throws {
        let rig = try Rig {
            $0.cleanStart = false
            $0.automaticAcknowledgement = false
        }
        rig.connect()
        rig.serverSends(serverPublish("t", "x", qos: .exactlyOnce, identifier: 1))
        rig.reconnect(sessionPresent: true)
        _ = rig.record.take()
        rig.serverSends(serverPublish("t", "x", qos: .exactlyOnce, identifier: 1, duplicate: true))
        #expect(rig.record.take() == [], "it was delivered")
        #expect(rig.server.received.isEmpty, "and is not yet safe")

        rig.client.acknowledge(identifier: 1, qos: .exactlyOnce, connection: 1)
        rig.settle()

        #expect(rig.server.received == [[0x50, 2, 0, 1]])
    }

    @Test func whatWasMeantForAnEarlierConnectionIsIgnored() throws {
        let rig = try Rig {
            $0.cleanStart = false
            $0.automaticAcknowledgement = false
        }
        rig.connect()
        rig.serverSends(serverPublish("t", "old", qos: .atLeastOnce, identifier: 1))
        rig.serverSends(serverPublish("t", "old", qos: .exactlyOnce, identifier: 2))
        rig.reconnect(sessionPresent: false)
        rig.serverSends(serverPublish("t", "new", qos: .atLeastOnce, identifier: 1))
        rig.serverSends(serverPublish("t", "new", qos: .exactlyOnce, identifier: 2))

        rig.client.acknowledge(identifier: 1, qos: .atLeastOnce, connection: 1)
        rig.client.acknowledge(identifier: 2, qos: .exactlyOnce, connection: 1)
        rig.settle()
        #expect(rig.server.received.isEmpty)

        rig.client.acknowledge(identifier: 1, qos: .atLeastOnce, connection: 2)
        rig.client.acknowledge(identifier: 2, qos: .exactlyOnce, connection: 2)
        rig.settle()
        #expect(rig.server.received == [[0x40, 2, 0, 1], [0x50, 2, 0, 2]])
    }

    @Test func aRefusedQoS2IsNoMoreExpected() throws {
        let rig = try Rig { $0.automaticAcknowledgement = false }
        rig.connect()
        rig.serverSends(serverPublish("t", "x", qos: .exactlyOnce, identifier: 1))
        rig.client.acknowledge(identifier: 1, qos: .exactlyOnce, reason: .quotaExceeded)
        rig.serverSends(serverPublish("t", "y", qos: .exactlyOnce, identifier: 1))

        #expect(rig.record.take() == ["connected", "t=x 1", "t=y 1"])
    }

    @Test("[MQTT-3.3.4-9] the Server is held to Receive Maximum") func receiveMaximum() throws {
        let rig = try Rig {
            $0.receiveMaximum = 2
            $0.automaticAcknowledgement = false
        }
        rig.connect()
        rig.serverSends(serverPublish("t", "1", qos: .exactlyOnce, identifier: 1))
        rig.serverSends(serverPublish("t", "2", qos: .atLeastOnce, identifier: 2))
        rig.client.acknowledge(identifier: 2, qos: .atLeastOnce)
        rig.serverSends(serverPublish("t", "3", qos: .atLeastOnce, identifier: 3))
        #expect(rig.client.isConnected)

        rig.serverSends(serverPublish("t", "4", qos: .atLeastOnce, identifier: 4))

        #expect(rig.server.received.last?[2] == 0x93)
        #expect(!rig.client.isActive)
    }

    @Test func topicAliasesStandForTopics() throws {
        let rig = try Rig { $0.topicAliasMaximum = 2 }
        rig.connect()
        rig.serverSends(serverPublish("a", "1", alias: 1) + serverPublish("b", "2", alias: 2))
        rig.serverSends(serverPublish("", "3", alias: 1) + serverPublish("c", "4", alias: 1))
        rig.serverSends(serverPublish("", "5", alias: 1) + serverPublish("", "6", alias: 2))

        #expect(rig.record.take() == ["connected", "a=1 0", "b=2 0", "a=3 0", "c=4 0", "c=5 0", "b=6 0"])
    }

    @Test("[MQTT-3.3.2-7] aliases last as long as the connection") func aliasesAreForgotten() throws {
        let rig = try Rig { $0.topicAliasMaximum = 2 }
        rig.connect()
        rig.serverSends(serverPublish("a", "1", alias: 1))
        rig.reconnect(sessionPresent: false)
        rig.serverSends(serverPublish("", "2", alias: 1))

        #expect(!rig.client.isActive)
    }

    @Test func packetsMayComeInAnyPieces() throws {
        let rig = try Rig()
        rig.connect()
        let all = serverPublish("a", "one") + serverPublish("a", "two", qos: .atLeastOnce, identifier: 1)
        for byte in all { rig.serverSends([byte]) }

        #expect(rig.record.take() == ["connected", "a=one 0", "a=two 1"])
    }

    @Test func aPacketBeyondOurMaximumEndsTheConnection() throws {
        let rig = try Rig { $0.maximumPacketSize = 100 }
        rig.connect()
        rig.serverSends(serverPublish("a", String(repeating: "x", count: 200)))

        #expect(rig.server.received.last?[2] == 0x95)
    }

    @Test func nothingIsDeliveredBehindOurDisconnect() throws {
        let rig = try Rig()
        rig.record.onReceive = { client, _ in client.disconnect() }
        rig.connect()
        rig.serverSends(serverPublish("a", "1", qos: .atLeastOnce, identifier: 1) + serverPublish("a", "2"))

        #expect(rig.record.take() == ["connected", "a=1 1"])
    }
}
