import EventLoop
import MQTT
import Testing

@testable import Broker

/// Limits that a message or a session runs into, and whose they are: everybody's, a listener's, a user's.
struct LimitTests {
    private static let text: [UInt8] = [0x01, 1]
    private static let bytes: [UInt8] = [0x01, 0]

    /// A node on whose one listener the user "own" has other limits than the rest.
    private func node(_ change: (inout BrokerLimits) -> Void) throws -> Node {
        let access = ScriptedAccess()
        access.rights = ["": nil, "own": nil]
        let node = try Node(starts: false)
        node.access = access
        let listener = ListenerOptions()
        var limits = BrokerLimits()
        change(&limits)
        listener.userLimits = [Array("own".utf8): SharedLimits(limits)]
        node.listener = listener
        try node.start()
        return node
    }

    private func checking() throws -> Node {
        var limits = BrokerLimits()
        limits.checksUTF8 = true
        return try Node(limits: limits)
    }

    // MARK: check_utf8

    /// Latin-1, which is no UTF-8: TestClient publishes Strings, so that the packet is made here.
    private func publish(_ qos: QoS, format: UInt8, payload: [UInt8]) -> [UInt8] {
        var body: [UInt8] = [0, 1, UInt8(ascii: "t")]
        if qos != .atMostOnce { body += [0, 7] }
        body += [2, 0x01, format] + payload
        return [0x30 | qos.rawValue << 1, UInt8(body.count)] + body
    }

    private let latin: [UInt8] = [0x68, 0xE4, 0x68]

    @Test func illFormedTextIsAnsweredPayloadFormatInvalid() throws {
        let node = try checking()
        let subscriber = try node.client("s")
        subscriber.subscribed("t", .exactlyOnce)
        let publisher = try node.client("p")
        publisher.send(publish(.atLeastOnce, format: 1, payload: latin))
        publisher.send(publish(.exactlyOnce, format: 1, payload: latin))
        node.run()

        let answers = publisher.takeAcknowledgements()
        #expect(answers.map(\.type) == [.puback, .pubrec])
        #expect(answers.map(\.reason) == [.payloadFormatInvalid, .payloadFormatInvalid])
        #expect(subscriber.takeMessages() == [])
        #expect(node.broker.figures.dropped == 2)
        // The identifiers are free again.
        publisher.send(publish(.exactlyOnce, format: 1, payload: Array("häh".utf8)))
        #expect(publisher.takeAcknowledgements().map(\.reason) == [.success])
        #expect(subscriber.takeMessages() == ["t=häh/2"])
    }

    @Test func atQoS0ItEndsTheConnection() throws {
        let node = try checking()
        let publisher = try node.client("p")
        publisher.send(publish(.atMostOnce, format: 1, payload: latin))

        #expect(publisher.take() == [.disconnect(.payloadFormatInvalid)])
        #expect(publisher.isClosed)
    }

    @Test func whatClaimsNothingIsNotLookedAt() throws {
        let node = try checking()
        let publisher = try node.client("p")
        publisher.send(publish(.atLeastOnce, format: 0, payload: latin))
        publisher.send(publish(.atLeastOnce, format: 1, payload: [0x61, 0, 0x62]))
        #expect(publisher.takeAcknowledgements().map(\.reason.isError) == [false, false])

        let unchecked = try Node()
        let other = try unchecked.client("p")
        other.send(publish(.atLeastOnce, format: 1, payload: latin))
        #expect(other.takeAcknowledgements().map(\.reason.isError) == [false])
    }

    @Test func aWillThatIsNoTextIsRefused() throws {
        let node = try checking()
        func reason(_ payload: [UInt8], _ properties: [UInt8]) throws -> ReasonCode? {
            try node.client("w", will: Will(topic: [0x74], payload: payload, properties: properties)).connack?.reason
        }
        #expect(try reason(latin, Self.text) == .payloadFormatInvalid)
        #expect(try reason(latin, Self.bytes) == .success)
        #expect(try reason(latin, []) == .success)
        #expect(try reason(Array("ä".utf8), Self.text) == .success)
    }

    // MARK: Whose limits

    @Test func aUsersTopicLevelsCountForItsMessages() throws {
        let fewer = try node { $0.topicLevels = 2 }
        let own = try fewer.client("o", user: "own")
        let other = try fewer.client("x")
        for client in [own, other] {
            client.publish("a/b", "x", .atLeastOnce)
            client.publish("a/b/c", "x", .atLeastOnce)
            client.publish("a/b/c", "x", .exactlyOnce)
        }
        #expect(own.takeAcknowledgements().map(\.reason.isError) == [false, true, true])
        #expect(other.takeAcknowledgements().map(\.reason.isError) == [false, false, false])

        let deep = String(repeating: "a/", count: 40)
        let more = try node { $0.topicLevels = 64 }
        let deepOwn = try more.client("o", user: "own")
        let deepOther = try more.client("x")
        // Whichever comes first: what is known of a topic is not who may publish to it.
        deepOwn.publish(deep, "x", .atLeastOnce)
        deepOther.publish(deep, "x", .atLeastOnce)
        #expect(deepOwn.takeAcknowledgements().map(\.reason.isError) == [false])
        #expect(deepOther.takeAcknowledgements().map(\.reason) == [.topicNameInvalid])
    }

    @Test func aUsersRetainedLimitCounts() throws {
        let node = try node { $0.retained = 1 }
        let own = try node.client("o", user: "own")
        let other = try node.client("x")
        own.publish("a", "1", retain: true)
        own.publish("b", "2", retain: true)
        own.publish("a", "3", retain: true)
        other.publish("c", "4", retain: true)
        node.run()

        let reader = try node.client("r")
        reader.subscribe(.to("#", .atMostOnce))
        #expect(reader.takeMessages() == ["a=3/0r", "c=4/0r"])
    }

    @Test func aUsersSessionExpiryCounts() throws {
        let node = try node { $0.sessionExpiry = 60 }
        let own = try node.client("o", expiry: 3600, user: "own")
        let other = try node.client("x", expiry: 3600)
        #expect(own.connack?.sessionExpiryInterval == 60)
        #expect(other.connack?.sessionExpiryInterval == nil)
        own.drop()
        other.drop()
        node.advance(by: .seconds(61))
        #expect(node.broker.sessions.count == 1)
    }

    @Test func aSessionThatIsResumedHasTheLimitsOfNow() throws {
        let node = try node { $0.sessionMessages = 3 }
        let first = try node.client("a", clean: false, expiry: 600)
        first.subscribed("t")
        first.disconnect()
        let again = try node.client("a", clean: false, expiry: 600, user: "own")
        again.disconnect()
        let publisher = try node.client("p")
        for number in 0..<10 { publisher.publish("t", "\(number)", .atLeastOnce) }
        node.run()
        #expect(node.broker.sessions[[0x61]]?.queuedMessages == 3)
    }

    @Test func aWillKeepsToTheLimits() throws {
        let node = try node {
            $0.topicLevels = 2
            $0.payloadBytes = 3
        }
        func reason(_ topic: String, _ payload: String, user: String?) throws -> ReasonCode? {
            let will = Will(topic: Array(topic.utf8), payload: Array(payload.utf8))
            return try node.client("w", will: will, user: user).connack?.reason
        }
        #expect(try reason("a/b/c", "x", user: "own") == .topicNameInvalid)
        #expect(try reason("a/b", "1234", user: "own") == .quotaExceeded)
        #expect(try reason("a/b", "123", user: "own") == .success)
        #expect(try reason("a/b/c", "1234", user: nil) == .success)
    }
}
