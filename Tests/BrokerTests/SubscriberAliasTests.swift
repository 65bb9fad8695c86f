import MQTT
import Testing

@testable import Broker

/// Topic Aliases towards a subscriber that takes them (MQTT 5 §3.1.2.11.5).
struct SubscriberAliasTests {
    private let node: Node

    init() throws { node = try Node() }

    private func subscriber(aliases: UInt16, maximumPacketSize: UInt32? = nil, expiry: UInt32? = nil) throws
        -> TestClient
    {
        let client = try node.open(.v5)
        client.acknowledges = true
        client.send(
            Connect(
                version: .v5, clientIdentifier: Array("a".utf8), cleanStart: false, sessionExpiryInterval: expiry,
                maximumPacketSize: maximumPacketSize, topicAliasMaximum: aliases
            ).encode())
        node.run()
        client.takeConnack()
        return client
    }

    @Test(arguments: [nil, 3600] as [UInt32?]) func aTopicThatComesAgainGoesAsItsAlias(expiry: UInt32?) throws {
        let client = try subscriber(aliases: 2, expiry: expiry)
        client.subscribed("#", .exactlyOnce)
        let publisher = try node.client("publisher")

        for (topic, qos) in [("plant/a", QoS.atMostOnce), ("plant/a", .atLeastOnce), ("plant/b", .atLeastOnce)] {
            publisher.publish(topic, "1", qos)
        }
        for topic in ["plant/a", "plant/b", "plant/c"] { publisher.publish(topic, "2") }

        // The third topic has no alias to take.
        #expect(
            client.takeMessages() == ["plant/a=1/0", "=1/1", "plant/b=1/1", "=2/0", "=2/0", "plant/c=2/0"])
    }

    @Test func anAliasEndsWithItsConnection() throws {
        let client = try subscriber(aliases: 1, expiry: 3600)
        client.subscribed("#")
        let publisher = try node.client("publisher")
        publisher.publish("plant/a", "1", .atLeastOnce)
        #expect(client.takeMessages() == ["plant/a=1/1"])
        client.drop()

        let again = try subscriber(aliases: 1, expiry: 3600)
        publisher.publish("plant/a", "2", .atLeastOnce)

        #expect(again.takeMessages() == ["plant/a=2/1"])
    }

    @Test func whoTakesNoneGetsNone() throws {
        let client = try subscriber(aliases: 0)
        client.subscribed("#")
        let publisher = try node.client("publisher")

        for _ in 1...2 { publisher.publish("plant/a", "1") }

        #expect(client.takeMessages() == ["plant/a=1/0", "plant/a=1/0"])
    }

    /// Topic and alias together are three bytes longer.
    @Test func anAliasIsLeftOutWhereThePacketWouldBeTooLarge() throws {
        let payload = String(repeating: "x", count: 300)
        let length = 3 + 2 + 7 + 1 + 300
        let client = try subscriber(aliases: 1, maximumPacketSize: UInt32(length))
        client.subscribed("#")
        let publisher = try node.client("publisher")

        for _ in 1...2 { publisher.publish("plant/a", payload) }

        #expect(client.takeMessages() == ["plant/a=\(payload)/0", "plant/a=\(payload)/0"])
    }
}
