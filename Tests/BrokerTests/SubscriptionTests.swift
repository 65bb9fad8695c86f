import EventLoop
import MQTT
import Testing

@testable import Broker
@testable import Store

/// Who gets a message, at which QoS and with what.
struct SubscriptionTests {
    @Test(
        arguments: [(QoS.exactlyOnce, QoS.atLeastOnce), (.atLeastOnce, .atMostOnce), (.atMostOnce, .exactlyOnce)],
        [nil, UInt32(3600)])
    func qosIsTheLowerOfBoth(_ pair: (published: QoS, granted: QoS), expiry: UInt32?) throws {
        let node = try Node()
        let client = try node.client("a", expiry: expiry)
        #expect(client.subscribed("t", pair.granted) == [ReasonCode(rawValue: pair.granted.rawValue)])

        try node.client("publisher").publish("t", "1", pair.published)

        #expect(client.takeDeliveries().map(\.qos) == [min(pair.published, pair.granted)])
    }

    @Test(arguments: [nil, UInt32(3600)]) func noLocalKeepsOwnMessagesAway(expiry: UInt32?) throws {
        let node = try Node()
        let client = try node.client("a", expiry: expiry)
        client.subscribed("t", noLocal: true)
        let other = try node.client("b", expiry: expiry)
        other.subscribed("t")

        client.publish("t", "own", .atLeastOnce)
        #expect(client.takeDeliveries() == [])
        other.publish("t", "other", .atLeastOnce)

        #expect(client.takeMessages() == ["t=other/1"])
        #expect(other.takeMessages() == ["t=own/1", "t=other/1"])
    }

    @Test(arguments: [nil, UInt32(3600)]) func overlappingSubscriptionsAreOneDelivery(expiry: UInt32?) throws {
        let node = try Node()
        let client = try node.client("a", expiry: expiry)
        client.subscribed("t/#", .atMostOnce, identifier: 1)
        client.subscribed("t/+", .atLeastOnce, identifier: 2)
        client.subscribed("t/a", .atMostOnce)

        try node.client("publisher").publish("t/a", "1", .exactlyOnce)

        let deliveries = client.takeDeliveries()
        #expect(deliveries.map(\.qos) == [.atLeastOnce])
        #expect(deliveries.first?.subscriptionIdentifiers.sorted() == [1, 2])
    }

    @Test(arguments: [nil, UInt32(3600)], [true, false]) func retainAsPublished(expiry: UInt32?, keeps: Bool) throws {
        let node = try Node()
        let client = try node.client("a", expiry: expiry)
        client.subscribed("t", retainAsPublished: keeps)

        try node.client("publisher").publish("t", "1", .atLeastOnce, retain: true)

        #expect(client.takeDeliveries().map(\.retain) == [keeps])
    }

    @Test("[MQTT-3.8.4-3] a subscription to the same filter replaces the old one")
    func replaced() throws {
        let node = try Node()
        let client = try node.client("a")
        client.subscribed("t", .exactlyOnce, identifier: 1)
        client.subscribed("t", .atMostOnce, identifier: 2)

        try node.client("publisher").publish("t", "1", .exactlyOnce)

        let delivery = client.takeDeliveries().first
        #expect(delivery?.qos == .atMostOnce)
        #expect(delivery?.subscriptionIdentifiers == [2])
        #expect(node.broker.subscriptionCount == 1)
    }

    @Test func unsubscribedGetsNothingMore() throws {
        let node = try Node()
        let client = try node.client("a")
        client.subscribed("t")

        client.unsubscribe("t", "never")

        #expect(
            client.take() == [
                .unsuback(Unsuback(packetIdentifier: 2, reasons: [.success, .noSubscriptionExisted]))
            ])
        try node.client("publisher").publish("t", "1")
        #expect(client.takeDeliveries() == [])
    }

    @Test("[MQTT-4.7.2-1] wildcards at the front don't match $-topics")
    func dollarTopics() throws {
        let node = try Node()
        let everything = try node.client("a")
        everything.subscribed("#")
        everything.subscribed("+/broker/version")
        let system = try node.client("b")
        system.subscribed("$SYS/#")

        node.broker.publishSystemTopics()

        #expect(everything.takeDeliveries() == [])
        #expect(system.takeDeliveries().contains { $0.topic == "$SYS/broker/version" && $0.payload == "roost" })
    }

    @Test func tooManyLevelsAreRefused() throws {
        var limits = BrokerLimits()
        limits.topicLevels = 3
        let node = try Node(limits: limits)
        let client = try node.client("a")

        #expect(client.subscribed("a/b/c") == [.grantedQoS1])
        #expect(client.subscribed("a/b/c/d") == [.topicFilterInvalid])
        client.publish("a/b/c/d", "", .atLeastOnce)

        #expect(client.takeAcknowledgements().map(\.reason) == [.topicNameInvalid])
    }

    /// What was queued at the time of an old subscription is delivered as that one said.
    @Test func deliveriesKeepWhatTheirSubscriptionSaid() throws {
        let node = try Node()
        let client = try node.client("a", expiry: 3600)
        client.subscribed("t", .atLeastOnce, identifier: 7)
        client.disconnect()
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .exactlyOnce)
        node.run()
        try node.restart()

        let back = try node.client("a", clean: false, expiry: 3600)

        let delivery = back.takeDeliveries().first
        #expect(delivery?.qos == .atLeastOnce)
        #expect(delivery?.subscriptionIdentifiers == [7])
    }

    @Test func propertiesReachEachVersionAsItKnowsThem() throws {
        let node = try Node()
        let old = try node.client("old", .v311)
        let new = try node.client("new")
        let kept = try node.client("kept", expiry: 3600)
        for client in [old, new, kept] { client.subscribed("t") }
        var writer = PropertyWriter()
        writer.append(UserProperty("k", "v"))

        try node.client("publisher").publish("t", "1", .atLeastOnce, expiry: 60, properties: writer.bytes)

        #expect(old.takeMessages() == ["t=1/1"])
        for client in [new, kept] {
            let delivery = client.takeDeliveries().first
            #expect(delivery?.userProperties == ["k=v"])
            #expect(delivery?.expiry == 60)
        }
    }

    @Test func aThousandSessionsStoreAMessageOnce() throws {
        let node = try Node()
        for number in 0..<1000 {
            let client = try node.client("c\(number)", expiry: 3600)
            client.subscribe(.to("t"))
            client.disconnect()
        }
        let publisher = try node.client("publisher")
        let payload = String(repeating: "x", count: 1000)
        publisher.publish("t", payload, .atLeastOnce)
        node.run()

        #expect(publisher.takeAcknowledgements().count == 1)
        #expect(node.log.submittedBytes < 2000)
        #expect(node.log.streams.count == 1)
        let reader = try node.client("c500", clean: false, expiry: 3600)
        #expect(reader.takeDeliveries().map(\.payload.count) == [1000])
    }
}
