import EventLoop
import MQTT
import Testing

@testable import Client

/// Topic Aliases that we use towards the Server.
@Suite struct TopicAliasTests {
    private func rig(allows: UInt16 = 2, uses: UInt16 = 64, version: ProtocolVersion = .v5) throws -> Rig {
        let rig = try Rig {
            $0.version = version
            $0.cleanStart = false
            $0.outboundTopicAliases = uses
        }
        rig.server.connack?.topicAliasMaximum = allows
        return rig
    }

    /// "topic alias" of what the Server received.
    private func seen(_ rig: Rig) -> [String] {
        rig.settle()
        defer { rig.server.received = [] }
        return rig.server.received.compactMap { bytes in
            bytes.withUnsafeBytes { bytes in
                guard let packet = try? readFrame(bytes, maximum: .max, version: rig.server.version),
                    let view = try? PublishView(packet, version: rig.server.version)
                else { return nil }
                return "\(String(decoding: view.topic, as: UTF8.self)) \(view.topicAlias)"
            }
        }
    }

    private func publish(_ rig: Rig, _ topics: String...) {
        for topic in topics { #expect(rig.client.publish(topic: topic, payload: [7]) == 0) }
    }

    @Test func aTopicIsNamedOnceAConnection() throws {
        let rig = try rig()
        rig.connect()
        publish(rig, "plant/1", "plant/1", "plant/2", "plant/1", "plant/2", "plant/3", "plant/1", "t", "t")
        #expect(
            seen(rig) == ["plant/1 1", " 1", "plant/2 2", " 1", " 2", "plant/3 0", " 1", "t 0", "t 0"])

        rig.server.stream?.close()
        rig.settle()
        rig.connect()
        publish(rig, "plant/2", "plant/1", "plant/2")
        #expect(seen(rig) == ["plant/2 1", "plant/1 2", " 1"])
    }

    @Test func whatIsSentAgainIsNamedAnew() throws {
        let rig = try rig()
        rig.connect()
        let identifier = try #require(rig.client.publish(topic: "plant/1", payload: [7], qos: .atLeastOnce))
        _ = seen(rig)
        rig.reconnect(sessionPresent: true)
        rig.server.received = []

        let again = Array("plant/1".utf8).withUnsafeBytes {
            rig.client.publish(topic: $0, payload: $0, qos: .atLeastOnce, duplicate: true, identifier: identifier)
        }

        #expect(again == identifier)
        // This time the Server allows none.
        #expect(seen(rig) == ["plant/1 0"])
    }

    @Test func bothLimitsHold() throws {
        for (allows, uses) in [(UInt16(0), UInt16(64)), (10, 0), (1, 64), (10, 1)] {
            let rig = try rig(allows: allows, uses: uses)
            rig.connect()
            publish(rig, "plant/1", "plant/2", "plant/1", "plant/2")
            let expected =
                min(allows, uses) == 0
                ? ["plant/1 0", "plant/2 0", "plant/1 0", "plant/2 0"]
                : ["plant/1 1", "plant/2 0", " 1", "plant/2 0"]
            #expect(seen(rig) == expected)
        }
        let old = try rig(version: .v311)
        old.connect()
        publish(old, "plant/1", "plant/1")
        #expect(seen(old) == ["plant/1 0", "plant/1 0"])
    }

    @Test func anAliasThatRestsIsGivenToAnotherTopic() throws {
        let rig = try rig()
        rig.connect()
        publish(rig, "plant/1", "plant/2")
        for _ in 0..<30 { publish(rig, "plant/2", "plant/3") }
        let topics = seen(rig)

        #expect(topics.filter { $0 == "plant/3 0" }.count == 8)
        #expect(topics.filter { $0 == "plant/3 1" }.count == 1)
        #expect(topics.suffix(4) == [" 2", " 1", " 2", " 1"])
    }

    /// More topics than aliases, all in turn: what has one keeps it.
    @Test func topicsInTurnDoNotDisplaceEachOther() throws {
        let rig = try rig()
        rig.connect()
        for _ in 0..<20 { publish(rig, "plant/1", "plant/2", "plant/3", "plant/4") }

        #expect(seen(rig).filter { $0.hasPrefix(" ") }.count == 38)
    }

    @Test func aTopicThatWouldNotFitBesideItsAliasGoesWithout() throws {
        let rig = try rig()
        rig.server.connack?.maximumPacketSize = 13
        rig.connect()

        publish(rig, "plant/1", "plant/1", "pl/1", "pl/1")

        #expect(seen(rig) == ["plant/1 0", "plant/1 0", "pl/1 1", " 1"])
    }

    @Test func whatGoesIsCountedAsItGoes() throws {
        let rig = try rig()
        rig.connect()
        publish(rig, "plant/long/1")
        #expect(rig.client.publishedBytes == 2 + 2 + 12 + 1 + 3 + 1)
        publish(rig, "plant/long/1")
        #expect(rig.client.publishedBytes == 2 + 2 + 1 + 3 + 1)
    }

    @Test(arguments: [ReasonCode.topicAliasInvalid, .protocolError, .serverBusy])
    func aServerThatClosesOverThemGetsNoMore(reason: ReasonCode) throws {
        let rig = try rig()
        rig.connect()
        publish(rig, "plant/1")
        _ = seen(rig)
        rig.serverSends(Disconnect(reason: reason).encode(version: .v5))

        rig.connect()
        publish(rig, "plant/1")

        #expect(seen(rig) == [reason == .serverBusy ? "plant/1 1" : "plant/1 0"])
    }
}
