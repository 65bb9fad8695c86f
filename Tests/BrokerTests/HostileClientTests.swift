import EventLoop
import MQTT
import Testing

@testable import Broker
@testable import Store

/// Clients that mean harm, or have lost their senses: what they do costs them, and nobody else.
struct HostileClientTests {
    // MARK: Who speaks something else

    @Test(arguments: [
        (Array("GET / HTTP/1.1\r\n\r\n".utf8), "this is HTTP, and the listener speaks MQTT"),
        (Array("PROXY TCP4 192.0.2.1 192.0.2.2 51234 1883\r\n".utf8), "(proxy_protocol = 1)"),
        ([0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21, 0x11], "(proxy_protocol = 2)"),
        ([0x40], "the first packet is not CONNECT"),
        ([0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3], "this is TLS, which the listener doesn't speak"),
        ([0x8F, 0, 0, 0, 0], "reserved flags"),
    ])
    func itIsNamedInOneLine(_ bytes: [UInt8], _ text: String) throws {
        let node = try Node()
        let stranger = try node.open()
        stranger.send(bytes)
        node.run()

        #expect(node.lines.filter { $0.contains(text) }.count == 1)
        #expect(stranger.isClosed)
    }

    // MARK: Sessions that end in the tick in which they change

    /// Identifiers of sessions that are gone are given again after a start: rows that such a session left behind would be
    /// another's.
    @Test func aSessionThatEndsAtOnceLeavesNoSubscriptionBehind() throws {
        let node = try Node()
        let brief = try node.client("brief", expiry: 3600)
        brief.subscribe(.to("t", .atLeastOnce))
        brief.disconnect(expiry: 0)
        node.advance(by: .seconds(2))
        try node.restart()
        try node.client("heir", expiry: 3600).disconnect()
        node.advance(by: .seconds(2))
        try node.restart()

        try node.client("publisher").publish("t", "1", .atLeastOnce)
        node.run()

        #expect(try node.client("heir", clean: false, expiry: 3600).takeMessages() == [])
    }

    @Test func aSessionThatEndsAtOnceLeavesNoIdentifierBehind() throws {
        let node = try Node()
        let brief = try node.client("brief", expiry: 3600)
        brief.publish("t", "1", .exactlyOnce, identifier: 7)
        brief.disconnect(expiry: 0)
        node.advance(by: .seconds(2))
        try node.restart()
        try node.client("heir", expiry: 3600).disconnect()
        node.advance(by: .seconds(2))
        try node.restart()
        let subscriber = try node.client("subscriber")
        subscriber.subscribed("t")

        try node.client("heir", clean: false, expiry: 3600).publish("t", "2", .exactlyOnce, identifier: 7)

        #expect(subscriber.takeMessages() == ["t=2/1"])
    }

    /// A stream remembers those who have left it; their numbers are nobody else's.
    @Test func anotherSessionsBacklogIsNotInherited() throws {
        let node = try Node()
        for name in ["stays", "leaves"] {
            let client = try node.client(name, expiry: 3600)
            client.subscribed("t")
            client.disconnect()
        }
        let publisher = try node.client("publisher")
        publisher.publish("t", "secret", .atLeastOnce)
        node.advance(by: .seconds(2))
        _ = try node.client("leaves", clean: true, expiry: 0)
        node.advance(by: .seconds(2))
        try node.restart()
        try node.client("stranger", expiry: 3600).disconnect()
        node.advance(by: .seconds(2))

        try node.restart()

        #expect(try node.client("stranger", clean: false, expiry: 3600, acknowledges: true).takeMessages() == [])
        #expect(
            try node.client("stays", clean: false, expiry: 3600, acknowledges: true).takeMessages() == ["t=secret/1"])
    }

    // MARK: A client that never acknowledges

    @Test func whatIsSentAndNeverAcknowledgedIsLostInTheEnd() throws {
        var limits = BrokerLimits()
        limits.sessionMessages = 10
        let node = try Node(limits: limits)
        let stuck = try node.client("stuck", expiry: 3600, receiveMaximum: 5)
        stuck.subscribed("t")
        let publisher = try node.client("publisher")

        for number in 1...100 { publisher.publish("t", "\(number)", .atLeastOnce) }
        #expect(stuck.takeMessages() == (1...5).map { "t=\($0)/1" })
        node.advance(by: .seconds(2))
        let stream = try #require(node.log.streams.values.first { !$0.memberships.isEmpty })
        #expect(stream.first > 50)

        stuck.drop()
        try node.restart()
        let back = try node.client("stuck", clean: false, expiry: 3600, acknowledges: true)
        node.advance(by: .seconds(1))
        #expect(back.takeMessages() == (91...100).map { "t=\($0)/1" })
    }

    /// Each message costs the same, however many were lost before it.
    @Test func lossesBehindAStuckWindowTakeNoMemory() throws {
        var limits = BrokerLimits()
        limits.sessionMessages = 100
        let node = try Node(limits: limits)
        let stuck = try node.client("stuck", expiry: 3600, receiveMaximum: 5)
        stuck.subscribed("t")
        let publisher = try node.client("publisher")

        for number in 1...5000 {
            publisher.publish("t", "", .atLeastOnce)
            if number % 50 == 0 { publisher.take() }
        }

        let stream = try #require(node.log.streams.values.first { !$0.memberships.isEmpty })
        #expect(stream.tail.count < 2500)
        #expect(stream.memberships.first?.waiting == 100)
    }

    @Test func aSessionThatEndedIsFreed() throws {
        let node = try Node()
        try node.client("client", expiry: 3600).drop()
        weak let queue = node.broker.sessions[[UInt8]("client".utf8)]?.queue
        #expect(queue != nil)

        _ = try node.client("client", clean: true, expiry: 0)

        #expect(queue == nil)
    }

    // MARK: A client that is gone before it acknowledged

    /// Nobody waits for a Will, but its subscriber's session is durable.
    @Test func aWillThatItsSubscriberNeverAcknowledgedOutlivesAKill() throws {
        let node = try Node()
        let subscriber = try node.client("subscriber", expiry: 3600)
        subscriber.subscribed("will")
        let will = Will(topic: [UInt8]("will".utf8), payload: [UInt8]("gone".utf8), qos: .atLeastOnce)
        try node.client("lost", will: will).drop()
        #expect(subscriber.takeMessages() == ["will=gone/1"])
        subscriber.drop()
        node.advance(by: .seconds(2))

        try node.restart()

        let back = try node.client("subscriber", clean: false, expiry: 3600)
        #expect(back.takeDeliveries().map(\.payload) == ["gone"])
    }

    // MARK: A client that doesn't read

    @Test func whoAsksAndDoesNotReadIsClosed() throws {
        var limits = BrokerLimits()
        limits.outputBytes = 1000
        let node = try Node(limits: limits)
        let deaf = try node.client("deaf")
        deaf.stream.pauseReading()
        let pings = Array(repeating: Ping.request, count: 1000).flatMap { $0 }

        for _ in 0..<2000 where node.broker.connectionCount > 0 {
            deaf.send(pings)
            node.run()
        }

        #expect(node.broker.connectionCount == 0)
        #expect(node.lines.contains { $0.contains("does not read") })
    }

    // MARK: MQTT 3.1.1 has no words for a refusal

    @Test func aMessageThatCannotBeTakenIsNotAcknowledgedOn311() throws {
        let node = try Node()
        let client = try node.client("client", .v311)
        client.publish(Array(repeating: "a", count: 40).joined(separator: "/"), "1", .atLeastOnce)

        #expect(client.takeAcknowledgements() == [])
        #expect(client.isClosed)
    }

    @Test func a311ClientIsNotToldOfSafetyAfterARefusal() throws {
        let node = try Node()
        let client = try node.client("client", .v311)
        client.publish("t", "1", .atLeastOnce)
        client.publish(Array(repeating: "a", count: 40).joined(separator: "/"), "2", .exactlyOnce)
        client.publish("t", "3", .atLeastOnce)

        #expect(client.takeAcknowledgements().map(\.packetIdentifier) == [1])
        #expect(client.isClosed)
    }

    // MARK: One line an episode

    @Test func refusedConnectionsAreLoggedOnce() throws {
        var limits = BrokerLimits()
        limits.connections = 1
        let node = try Node(limits: limits)
        let first = try node.client("first")
        for _ in 0..<10 { _ = try node.open() }
        #expect(node.lines.filter { $0.contains("max_connections") }.count == 1)
        #expect(!first.isClosed)

        node.advance(by: .seconds(61))
        _ = try node.open()
        #expect(node.lines.filter { $0.contains("max_connections") }.count == 2)
    }

    @Test func evictionIsLoggedOnce() throws {
        var options = LogOptions()
        options.budgetBytes = 1 << 20
        let node = try Node(log: options)
        let absent = try node.client("absent", expiry: 3600)
        absent.subscribed("t")
        absent.disconnect()
        let publisher = try node.client("publisher")
        var random = Random(seed: 1)
        for _ in 0..<200 {
            let payload = String((0..<20_000).map { _ in Character(Unicode.Scalar(UInt8(random.below(95) + 32))) })
            publisher.publish("t", payload, .atLeastOnce)
            publisher.take()
        }

        #expect(node.log.evictedMessages > 0)
        #expect(node.lines.filter { $0.contains("budget") }.count == 1)
    }

    /// What Roost itself keeps in `$SYS` takes nothing of the limit.
    @Test func theRetainedLimitIsTheClients() throws {
        var limits = BrokerLimits()
        limits.retained = 2
        let node = try Node(limits: limits)
        node.broker.publishSystemTopics()
        let publisher = try node.client("publisher")
        for topic in ["a", "b", "c"] { publisher.publish(topic, "1", retain: true) }
        let subscriber = try node.client("subscriber")
        subscriber.subscribed("+")

        #expect(subscriber.takeDeliveries().map(\.topic) == ["a", "b"])
    }
}
