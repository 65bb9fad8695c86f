import EventLoop
import MQTT
import Testing

@testable import Broker
@testable import Store

/// What waits for a session: in order, within its limits, through memory and disk.
struct QueueTests {
    private func payloads(_ numbers: some Sequence<Int>) -> [String] { numbers.map { "\($0)" } }

    /// Publishes one by one, each acknowledged.
    private func publish(_ numbers: some Sequence<Int>, to topic: String = "t", on node: Node, _ suffix: String = "")
        throws
    {
        let publisher = try node.client("publisher")
        for number in numbers {
            publisher.publish(topic, "\(number)\(suffix)", .atLeastOnce, identifier: 1)
            node.advance(by: .milliseconds(21))
            #expect(publisher.takeAcknowledgements().count == 1)
        }
    }

    private func offline(_ node: Node, _ filters: String...) throws {
        let client = try node.client("a", expiry: 3600)
        for filter in filters { client.subscribed(filter) }
        client.disconnect()
    }

    private func fetch(_ node: Node, receiveMaximum: UInt16 = 20) throws -> [String] {
        let client = try node.client(
            "a", clean: false, expiry: 3600, receiveMaximum: receiveMaximum, acknowledges: true)
        return client.takeDeliveries().map(\.payload)
    }

    @Test func moreThanTheWindowComesInOrder() throws {
        let node = try Node()
        try offline(node, "t")
        try publish(1...500, on: node)

        #expect(try fetch(node, receiveMaximum: 7) == payloads(1...500))
        try node.restart()
        #expect(try fetch(node).count <= 500)
    }

    @Test func streamsAreMergedInTheOrderOfReceipt() throws {
        let node = try Node()
        try offline(node, "t/+", "u/+", "t/2")
        let publisher = try node.client("publisher")
        for number in 1...60 {
            let topic = ["t/1", "t/2", "u/1"][number % 3]
            publisher.publish(topic, "\(number)", number % 2 == 0 ? .atLeastOnce : .exactlyOnce, identifier: 1)
            _ = publisher.take()
            if number % 2 == 1 {
                publisher.acknowledge(.pubrel, 1)
                _ = publisher.take()
            }
        }
        try node.restart()

        #expect(try fetch(node) == payloads(1...60))
    }

    /// A message that waits for its commit is not overtaken by a later one in the stream of a changed subscription.
    @Test func whatWaitsForItsCommitIsNotOvertaken() throws {
        let node = try Node()
        let client = try node.client("a", expiry: 3600, acknowledges: true)
        client.subscribed("t", identifier: 1)
        let publisher = try node.client("publisher", expiry: 3600)
        node.store.hold = true

        publisher.publish("t", "1", .exactlyOnce)
        publisher.publish("t", "2", .atLeastOnce)
        node.run()
        client.subscribe(.to("t"), identifier: 2)
        node.run()
        publisher.publish("t", "3", .atLeastOnce)
        #expect(client.takeDeliveries() == [])
        node.store.hold = false

        #expect(client.takeDeliveries().map(\.payload) == ["1", "2", "3"])
    }

    /// A subscription that changes to and fro has its messages in two streams by turns.
    @Test func resendsAreInTheOrderOfTheFirstSending() throws {
        let node = try Node()
        let client = try node.client("a", expiry: 3600)
        let publisher = try node.client("publisher")
        for number in 1...6 {
            client.subscribed("t", identifier: UInt32(1 + number % 2))
            publisher.publish("t", "\(number)", .atLeastOnce)
            node.run()
        }
        #expect(client.takeDeliveries().count == 6)
        client.drop()

        let back = try node.client("a", clean: false, expiry: 3600)

        #expect(back.takeMessages() == (1...6).map { "t=\($0)/1d" })
    }

    @Test func aBacklogLargerThanMemoryIsReadInSteps() throws {
        var options = LogOptions()
        options.memoryBytes = 1 << 20
        let node = try Node(log: options)
        try offline(node, "t")
        let filler = "-" + String(repeating: "x", count: 2000)
        try publish(1...3000, on: node, filler)
        #expect(node.log.meter.bytes < 1 << 20)

        let got = try fetch(node)

        #expect(got.map { String($0.prefix { $0 != "-" }) } == payloads(1...3000))
        node.advance(by: .seconds(2))
        #expect(node.broker.sessions[[UInt8]("a".utf8)]?.queuedMessages == 0)
    }

    /// Nobody will come for it soon, and it is on disk: it leaves memory, and is there when somebody comes.
    @Test func whatNobodyReadsLeavesMemory() throws {
        let node = try Node(routes: [("up/all", "#")])
        try offline(node, "t")
        try publish(1...1, on: node)
        let oldest = try #require(node.queues["up/all"]?.oldest)
        node.advance(by: .seconds(60))
        try publish(2...100, on: node)
        node.advance(by: .seconds(60))

        #expect(node.log.meter.bytes == 0)
        #expect(node.queues["up/all"]?.oldest == oldest)
        #expect(node.queues["up/all"]?.messages == 100)
        #expect(try fetch(node) == payloads(1...100))
    }

    /// ... and the oldest is still what a session loses first.
    @Test func theOldestGoesFirstWhenNothingIsInMemory() throws {
        var limits = BrokerLimits()
        limits.sessionMessages = 10
        let node = try Node(limits: limits)
        try offline(node, "t", "u")
        for start in stride(from: 1, through: 13, by: 4) {
            node.advance(by: .seconds(2))
            try publish(start...start + 1, to: "u", on: node)
            node.advance(by: .seconds(2))
            try publish(start + 2...start + 3, to: "t", on: node)
        }

        #expect(try fetch(node) == payloads(7...16))
    }

    @Test(arguments: [false, true]) func limitOfMessages(losesNewest: Bool) throws {
        var limits = BrokerLimits()
        limits.sessionMessages = 10
        limits.sessionFullLosesNewest = losesNewest
        let node = try Node(limits: limits)
        try offline(node, "t", "u")
        try publish(1...5, to: "t", on: node)
        try publish(6...12, to: "u", on: node)
        try publish(13...15, to: "t", on: node)

        let kept = losesNewest ? payloads(1...10) : payloads(6...15)
        #expect(node.broker.sessions[[UInt8]("a".utf8)]?.queuedMessages == 10)
        node.advance(by: .seconds(2))
        try node.restart()
        #expect(try fetch(node) == kept)
    }

    @Test func limitOfBytes() throws {
        var limits = BrokerLimits()
        limits.sessionBytes = 10_000
        let node = try Node(limits: limits)
        try offline(node, "t")
        try publish(1...50, on: node, "-" + String(repeating: "x", count: 1000))

        let got = try fetch(node)

        #expect((5...10).contains(got.count))
        #expect(got.last?.hasPrefix("50-") == true)
    }

    /// A session that ends with its connection keeps its limits, and its slowness is its own.
    @Test func anEphemeralSlowSubscriberHoldsUpNobody() throws {
        var limits = BrokerLimits()
        limits.sessionMessages = 50
        var options = LogOptions()
        options.memoryBytes = 80_000
        let node = try Node(limits: limits, log: options)
        let slow = try node.client("slow", receiveMaximum: 1)
        slow.subscribed("t")
        try publish(1...200, on: node, "-" + String(repeating: "x", count: 1000))

        #expect(slow.takeDeliveries().count == 1)
        #expect(node.broker.sessions[[UInt8]("slow".utf8)]?.queuedMessages == 50)
    }

    @Test func whatIsInFlightIsNotTheOldestToLose() throws {
        var limits = BrokerLimits()
        limits.sessionMessages = 5
        let node = try Node(limits: limits)
        let client = try node.client("a", expiry: 3600, receiveMaximum: 2)
        client.subscribed("t")
        try publish(1...10, on: node)
        #expect(client.takeDeliveries().map(\.payload) == ["1", "2"])
        client.drop()

        let back = try node.client("a", clean: false, expiry: 3600, acknowledges: true)

        #expect(back.takeDeliveries().map(\.payload) == ["1", "2", "8", "9", "10"])
    }

    /// What one session has passed is not sent again because another made the stream be written.
    @Test func aPassedMessageDoesNotComeAgainAfterAKill() throws {
        let node = try Node()
        let present = try node.client("present", expiry: 3600, acknowledges: true)
        present.subscribed("t")
        let absent = try node.client("absent", expiry: 3600, acknowledges: true)
        absent.subscribed("t")
        try publish(1...3, on: node)
        absent.drop()
        try publish(4...6, on: node)
        #expect(present.takeDeliveries().count == 6)
        node.advance(by: .seconds(3))
        try node.restart()

        #expect(try node.client("present", clean: false, expiry: 3600).takeDeliveries() == [])
        #expect(
            try node.client("absent", clean: false, expiry: 3600).takeDeliveries().map(\.payload) == payloads(4...6))
    }

    /// A hole in the stream (passed by all before it was written) finishes nothing that is still in flight.
    @Test func holesFinishNothingThatIsInFlight() throws {
        let node = try Node()
        let first = try node.client("a", expiry: 3600)
        first.subscribed("t")
        let publisher = try node.client("publisher")
        for number in 1...4 { publisher.publish("t", "\(number)", .atLeastOnce) }
        let deliveries = first.takeDeliveries()
        first.acknowledge(.puback, deliveries[2].identifier)
        node.advance(by: .seconds(3))
        #expect(publisher.takeAcknowledgements().count == 4)
        try node.restart()
        let second = try node.client("a", clean: false, expiry: 3600)
        #expect(second.takeDeliveries().map(\.payload) == ["1", "2", "4"])
        second.drop()

        let third = try node.client("a", clean: false, expiry: 3600)

        #expect(third.takeDeliveries().map(\.payload) == ["1", "2", "4"])
    }

    /// What was in flight is lost to eviction: the others go on.
    @Test func lostInFlightMessagesEndTheirResend() throws {
        let node = try Node()
        let first = try node.client("a", expiry: 3600)
        first.subscribed("t")
        try publish(1...5, on: node)
        #expect(first.takeDeliveries().count == 5)
        node.advance(by: .seconds(1))
        first.drop()
        let session = try #require(node.broker.sessions[[UInt8]("a".utf8)])
        let stream = try #require(session.queue?.memberships.first?.stream)
        let removal = Removal(
            stream: stream.record.id, first: 1, last: 3, bytes: 0, reason: .evicted, from: 0, to: 0)
        node.log.handle(.expired([removal, removal], usedBytes: 0))

        let second = try node.client("a", clean: false, expiry: 3600)

        #expect(second.takeDeliveries().map(\.payload) == ["4", "5"])
        #expect(session.inflightCount == 2)
    }
}
