import EventLoop
import MQTT
import Testing

@testable import Broker
@testable import Store

/// Sessions over connections, takeovers, time and restarts.
struct SessionTests {
    static let versions: [ProtocolVersion] = [.v311, .v5]

    @Test("[MQTT-3.1.4-3] a second client with the same identifier takes over", arguments: versions)
    func takeover(version: ProtocolVersion) throws {
        let node = try Node()
        let first = try node.client("a", version)

        let second = try node.client("a", version)

        #expect(first.isClosed)
        #expect(first.take() == (version == .v5 ? [.disconnect(.sessionTakenOver)] : []))
        #expect(second.connack?.reason == .success)
        #expect(node.broker.sessions.count == 1)
    }

    @Test func takeoverKeepsTheSessionAndWhatWasNotAcknowledged() throws {
        let node = try Node()
        let first = try node.client("a", expiry: 3600)
        first.subscribed("t")
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .atLeastOnce)
        publisher.publish("t", "2", .atLeastOnce)
        let identifiers = first.takeDeliveries().map(\.identifier)

        let second = try node.client("a", clean: false, expiry: 3600)

        #expect(second.connack?.sessionPresent == true)
        let again = second.takeDeliveries()
        #expect(again.map(\.description) == ["t=1/1d", "t=2/1d"])
        #expect(again.map(\.identifier) == identifiers)
    }

    @Test(arguments: [(false, true), (true, false)])
    func sessionPresentAsCleanStartSays(clean: Bool, present: Bool) throws {
        let node = try Node()
        let first = try node.client("a", expiry: 3600)
        first.subscribed("t")
        first.disconnect()

        let second = try node.client("a", clean: clean, expiry: 3600)
        let publisher = try node.client("publisher")
        publisher.publish("t", "1")

        #expect(second.connack?.sessionPresent == present)
        #expect(second.takeMessages() == (present ? ["t=1/0"] : []))
    }

    @Test(arguments: versions) func sessionSurvivesARestart(version: ProtocolVersion) throws {
        let node = try Node()
        let first = try node.client("a", version, clean: version == .v5, expiry: version == .v5 ? 3600 : nil)
        first.subscribed("t", .atLeastOnce)
        first.disconnect()
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .atLeastOnce)
        #expect(publisher.takeAcknowledgements().count == 1)

        try node.restart()
        let second = try node.client("a", version, clean: false, expiry: version == .v5 ? 3600 : nil)

        #expect(second.connack?.sessionPresent == true)
        #expect(second.takeMessages() == ["t=1/1"])
    }

    @Test func expiresAfterItsInterval() throws {
        let node = try Node()
        for (name, expiry) in [("short", UInt32(10)), ("long", 100)] {
            let client = try node.client(name, expiry: expiry)
            client.subscribed("t")
            client.disconnect()
        }

        node.advance(by: .seconds(50))

        #expect(node.broker.sessions.count == 1)
        #expect(try node.client("short", clean: false, expiry: 10).connack?.sessionPresent == false)
        #expect(try node.client("long", clean: false, expiry: 10).connack?.sessionPresent == true)
    }

    /// The loop was held up: CONNECT is read before the timer that ends the session.
    @Test func anExpiredSessionIsNotResumedBeforeItsTimer() throws {
        let node = try Node()
        let client = try node.client("a", expiry: 5)
        client.subscribed("t")
        client.disconnect()
        node.run()
        let late = try node.open()

        late.connect("a", clean: false, expiry: 5)
        node.clock.advance(by: .seconds(6))
        node.run()

        late.takeConnack()
        #expect(late.connack?.sessionPresent == false)
        #expect(node.broker.sessions.count == 1)
    }

    @Test func expiryCountsOverARestart() throws {
        let node = try Node()
        let client = try node.client("a", expiry: 10)
        client.disconnect()
        node.advance(by: .seconds(6))
        try node.restart()

        node.advance(by: .seconds(6))

        #expect(try node.client("a", clean: false).connack?.sessionPresent == false)
    }

    /// Who was connected at the kill has been away since the start.
    @Test func expiryOfAConnectedClientCountsFromTheStart() throws {
        let node = try Node()
        _ = try node.client("a", expiry: 10)
        node.advance(by: .seconds(100))
        try node.restart()

        node.advance(by: .seconds(6))
        #expect(node.broker.sessions.count == 1)
        node.advance(by: .seconds(6))

        #expect(node.broker.sessions.isEmpty)
    }

    @Test func disconnectMayShortenTheExpiry() throws {
        let node = try Node()
        let client = try node.client("a", expiry: 3600)

        client.disconnect(expiry: 0)

        #expect(node.broker.sessions.isEmpty)
    }

    @Test("[MQTT-3.14.2-2] DISCONNECT may not give an expiry to a session that has none")
    func disconnectMayNotRaiseTheExpiryFromZero() throws {
        let node = try Node()
        let client = try node.client("a")

        client.send(Disconnect(reason: .normalDisconnection, sessionExpiryInterval: 10).encode(version: .v5))

        #expect(client.take() == [.disconnect(.protocolError)])
        #expect(node.broker.sessions.isEmpty)
    }

    @Test func endedSessionsLeaveNothingBehind() throws {
        let node = try Node()
        let client = try node.client("a", expiry: 3600)
        client.subscribed("t")
        client.disconnect()
        let publisher = try node.client("publisher")
        for number in 0..<50 { publisher.publish("t", "\(number)", .atLeastOnce) }
        node.advance(by: .seconds(2))

        node.advance(by: .seconds(3600))

        #expect(node.log.streams.isEmpty)
        publisher.disconnect()
        try node.restart()
        #expect(node.broker.sessions.isEmpty)
        #expect(node.log.streams.isEmpty)
        #expect(node.broker.subscriptionCount == 0)
    }

    @Test(arguments: versions) func keepAliveEndsASilentConnection(version: ProtocolVersion) throws {
        let node = try Node()
        let client = try node.client("a", version, keepAlive: 10)
        node.advance(by: .seconds(14))
        client.send(Ping.request)
        #expect(client.take() == [.pingresp])

        node.advance(by: .seconds(14))
        #expect(!client.isClosed)
        node.advance(by: .seconds(2))

        #expect(client.isClosed)
        #expect(client.take() == (version == .v5 ? [.disconnect(.keepAliveTimeout)] : []))
    }

    @Test func connectMustComeInTime() throws {
        let node = try Node()
        let client = try node.open()

        node.advance(by: .seconds(11))

        #expect(client.isClosed)
        #expect(node.broker.connectionCount == 0)
    }

    @Test("[MQTT-3.1.0-2] a second CONNECT is a protocol error")
    func secondConnect() throws {
        let node = try Node()
        let client = try node.client("a")

        client.connect("a")

        #expect(client.take() == [.disconnect(.protocolError)])
    }

    /// The commit that CONNACK waits for comes after a newer connection has the session.
    @Test func takeoverWhileConnackWaits() throws {
        let node = try Node()
        node.store.hold = true
        let first = try node.client("a", expiry: 3600)
        let second = try node.client("a", expiry: 3600)
        node.store.hold = false
        node.run()

        second.takeConnack()
        #expect(first.isClosed)
        #expect(second.connack?.reason == .success)
        second.subscribed("t")
        try node.client("publisher").publish("t", "1")
        #expect(second.takeMessages() == ["t=1/0"])
    }

    @Test func closedWhileConnackWaits() throws {
        let node = try Node()
        node.store.hold = true
        let client = try node.client("a", expiry: 3600)
        client.drop()
        node.store.hold = false
        node.run()

        #expect(node.broker.connectionCount == 0)
        #expect(try node.client("a", clean: false, expiry: 3600).connack?.reason == .success)
    }

    @Test("[MQTT-3.1.3-6] an empty identifier gets one")
    func assignedIdentifier() throws {
        let node = try Node()

        let client = try node.client("")

        #expect(client.connack?.assignedClientIdentifier?.hasPrefix("auto-") == true)
    }

    /// Streams of sets that exist no more are left, however the subscriptions changed.
    @Test func changingSubscriptionsLeaveNoStreams() throws {
        let node = try Node()
        let client = try node.client("a", expiry: 3600, acknowledges: true)
        let other = try node.client("b", expiry: 3600, acknowledges: true)
        let publisher = try node.client("publisher")
        other.subscribed("t")
        for number in 1...20 {
            client.subscribed("t", identifier: UInt32(number))
            publisher.publish("t", "\(number)", .atLeastOnce)
            node.run()
        }
        #expect(client.takeDeliveries().count == 20)

        node.advance(by: .seconds(130))
        #expect(node.log.streams.count <= 1)
        publisher.publish("t", "last", .atLeastOnce)

        #expect(client.takeMessages() == ["t=last/1"])
        #expect(other.takeMessages().last == "t=last/1")
        #expect(publisher.takeAcknowledgements().count == 21)
    }

    @Test("[MQTT-4.6.0-1] what is sent again keeps the order of its first sending, whatever the QoS")
    func resendsKeepTheirOrder() throws {
        let node = try Node()
        let client = try node.client("a", expiry: 3600)
        client.subscribed("t", .exactlyOnce)
        let publisher = try node.client("publisher")
        for (number, qos) in [QoS.exactlyOnce, .atLeastOnce, .exactlyOnce, .atLeastOnce].enumerated() {
            publisher.publish("t", "\(number)", qos)
        }
        let first = client.takeDeliveries()
        client.drop()

        let again = try node.client("a", clean: false, expiry: 3600).takeDeliveries()

        #expect(first.count == 4)
        #expect(again.map(\.identifier) == first.map(\.identifier))
        #expect(again.map(\.payload) == first.map(\.payload))
        #expect(again.map(\.isDuplicate) == Array(repeating: true, count: 4))
    }

    @Test func whatWasAnsweredBeforeADisconnectGoesOut() throws {
        let node = try Node()
        let client = try node.client("a")
        client.send(Ping.request + Disconnect().encode(version: .v5))

        #expect(client.take() == [.pingresp])
        #expect(client.isClosed)
    }
}
