import EventLoop
import MQTT
import Store
import Testing

@testable import Broker

/// Retained messages (MQTT 5 §3.3.1.3).
struct RetainedTests {
    @Test(arguments: [ProtocolVersion.v311, .v5], [nil, UInt32(3600)])
    func newSubscribersGetTheLast(version: ProtocolVersion, expiry: UInt32?) throws {
        let node = try Node()
        let publisher = try node.client("publisher")
        publisher.publish("t/a", "1", .atLeastOnce, retain: true)
        publisher.publish("t/a", "2", .atLeastOnce, retain: true)
        publisher.publish("t/b", "3", retain: true)
        publisher.publish("t/b", "live")

        let client = try node.client("a", version, clean: true, expiry: version == .v5 ? expiry : nil)
        client.subscribed("t/#", .exactlyOnce)

        #expect(client.takeMessages().sorted() == ["t/a=2/1r", "t/b=3/0r"])
    }

    @Test func anEmptyPayloadClears() throws {
        let node = try Node()
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .atLeastOnce, retain: true)
        publisher.publish("t", "", .atLeastOnce, retain: true)
        node.advance(by: .seconds(2))

        for _ in 0..<2 {
            #expect(node.broker.retainedCount == 0)
            try node.restart()
        }
    }

    @Test func qos0IsKeptByTheCommitTimer() throws {
        let node = try Node()
        try node.client("publisher").publish("t", "1", retain: true)
        node.advance(by: .seconds(2))
        try node.restart()

        let client = try node.client("a")
        client.subscribed("t")

        #expect(client.takeMessages() == ["t=1/0r"])
    }

    @Test(arguments: [(RetainHandling.send, 1, 1), (.sendIfNew, 1, 0), (.doNotSend, 0, 0)])
    func retainHandling(_ row: (handling: RetainHandling, first: Int, again: Int)) throws {
        let node = try Node()
        try node.client("publisher").publish("t", "1", retain: true)
        let client = try node.client("a")

        client.subscribed("t", retainHandling: row.handling)
        #expect(client.takeDeliveries().count == row.first)
        client.subscribed("t", retainHandling: row.handling)

        #expect(client.takeDeliveries().count == row.again)
    }

    @Test func expiresAndTellsWhatIsLeft() throws {
        let node = try Node()
        try node.client("publisher").publish("t", "1", .atLeastOnce, retain: true, expiry: 10)
        node.advance(by: .seconds(4))
        for identifier in ["a", "b"] {
            let client = try node.client(identifier, expiry: identifier == "a" ? nil : 100)
            client.subscribed("t")
            #expect(client.takeDeliveries().map(\.expiry) == [6])
        }
        node.advance(by: .seconds(7))

        let late = try node.client("c")
        late.subscribed("t")

        #expect(late.takeDeliveries() == [])
    }

    @Test func beyondTheLimitNoTopicIsAdded() throws {
        var limits = BrokerLimits()
        limits.retained = 2
        let node = try Node(limits: limits)
        let publisher = try node.client("publisher")
        for (topic, payload) in [("1", "a"), ("2", "a"), ("3", "a"), ("1", "b")] {
            publisher.publish(topic, payload, .atLeastOnce, retain: true)
        }
        #expect(publisher.takeAcknowledgements().count == 4)

        for _ in 0..<2 {
            let client = try node.client("a")
            client.subscribed("#")
            #expect(client.takeMessages().sorted() == ["1=b/1r", "2=a/1r"])
            try node.restart()
        }
    }

    /// What is retained waits for nobody, however much it is.
    @Test func takesNoRoomFromPublishers() throws {
        var options = LogOptions()
        options.memoryBytes = 100_000
        let node = try Node(log: options)
        let publisher = try node.client("publisher")
        let payload = String(repeating: "x", count: 1000)

        for number in 0..<300 {
            publisher.publish("t/\(number)", payload, .atLeastOnce, retain: true)
            #expect(publisher.takeAcknowledgements().count == 1)
        }

        #expect(!node.log.isFull)
    }
}

/// Retained messages that expire are forgotten, in memory and on disk.
struct RetainedExpiryTests {
    @Test func expiredOnesGo() throws {
        var limits = BrokerLimits()
        limits.retained = 3
        let node = try Node(limits: limits)
        let publisher = try node.client("publisher")
        publisher.publish("a", "1", .atLeastOnce, retain: true, expiry: 30)
        publisher.publish("b", "2", .atLeastOnce, retain: true, expiry: 30)
        publisher.publish("b", "3", .atLeastOnce, retain: true)
        publisher.publish("c", "4", .atLeastOnce, retain: true, expiry: 3000)
        node.run()
        #expect(node.broker.retainedCount == 3)

        node.advance(by: .seconds(130))
        #expect(node.broker.retainedCount == 2)
        publisher.publish("d", "5", .atLeastOnce, retain: true)
        node.advance(by: .seconds(2))
        try node.restart()

        #expect(node.broker.retainedCount == 3)
        let subscriber = try node.client("subscriber")
        subscriber.subscribed("#")
        #expect(subscriber.takeMessages() == ["b=3/1r", "c=4/1r", "d=5/1r"])
        node.advance(by: .seconds(3100))
        #expect(node.broker.retainedCount == 2)
    }

    /// Topics that are set again and again leave nothing behind.
    @Test func replacedOnesAreNotCounted() throws {
        let node = try Node()
        let publisher = try node.client("publisher")
        for number in 0..<5000 { publisher.publish("a", "\(number)", retain: true, expiry: UInt32(100 + number)) }
        node.run()
        node.advance(by: .seconds(4000))

        #expect(node.broker.retainedCount == 1)
        node.advance(by: .seconds(1300))
        #expect(node.broker.retainedCount == 0)
    }
}
