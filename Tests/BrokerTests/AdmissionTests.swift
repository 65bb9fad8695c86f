import EventLoop
import MQTT
import Testing

@testable import Broker

/// A CONNECT that waits for access control, which may take its time.
struct AdmissionTests {
    private func node(_ access: ScriptedAccess) throws -> Node {
        let node = try Node(starts: false)
        node.access = access
        try node.start()
        return node
    }

    @Test func whatComesMeanwhileWaits() throws {
        let access = ScriptedAccess()
        access.isSlow = true
        let node = try node(access)
        let client = try node.open()
        client.connect("a")
        client.subscribe(.to("t"))
        client.publish("t", "x", .atLeastOnce)
        node.run()
        #expect(client.take() == [])

        access.decide()
        node.run()

        client.takeConnack()
        #expect(client.connack?.reason == .success)
        let kinds = client.take()
        #expect(kinds.contains { if case .suback = $0 { true } else { false } })
        #expect(kinds.contains { if case .publish = $0 { true } else { false } })
    }

    @Test(arguments: [ProtocolVersion.v311, .v5]) func aRefusalSaysWhy(version: ProtocolVersion) throws {
        let access = ScriptedAccess()
        access.isSlow = true
        let node = try node(access)
        let client = try node.open(version)
        client.connect("a", user: "eve")
        node.run()
        access.decide()
        node.run()

        client.takeConnack()
        #expect(client.connack?.reason == .badUserNameOrPassword)
        #expect(client.isClosed)
        #expect(node.broker.figures.authenticationFailures == 1)
        #expect(node.broker.sessions.isEmpty)
        #expect(node.lines.filter { $0.contains("nobody's name") }.count == 1)
    }

    @Test func whoIsGoneByThenIsForgotten() throws {
        let access = ScriptedAccess()
        access.isSlow = true
        let node = try node(access)
        let client = try node.open()
        client.connect("a")
        node.run()
        client.drop()
        #expect(node.broker.connectionCount == 0)

        access.decide()
        node.run()

        #expect(node.broker.sessions.isEmpty)
    }

    @Test func aStopWhileItWaits() throws {
        let access = ScriptedAccess()
        access.isSlow = true
        let node = try node(access)
        let client = try node.open()
        client.connect("a")
        node.run()
        node.broker.shutDown()
        access.decide()
        node.run()

        client.takeConnack()
        #expect(client.connack?.reason == .serverUnavailable)
        #expect(node.broker.sessions.isEmpty)
    }

    @Test func aLoginThatExpiresEndsTheConnection() throws {
        let access = ScriptedAccess()
        let node = try node(access)
        access.validUntil = node.broker.wallTime + 150_000
        let client = try node.client("a", expiry: 600)

        node.advance(by: .seconds(149))
        #expect(!client.isClosed)
        node.advance(by: .seconds(2))

        #expect(client.take() == [.disconnect(.notAuthorized)])
        #expect(client.isClosed)
        #expect(node.broker.sessions.count == 1, "its session is kept")
    }

    @Test func usersHaveLimitsOfTheirOwn() throws {
        let access = ScriptedAccess()
        access.rights = ["": nil, "small": nil]
        let node = try Node(starts: false)
        node.access = access
        let listener = ListenerOptions()
        var limits = BrokerLimits()
        limits.inflight = 3
        limits.maximumQoS = 1
        listener.userLimits = [Array("small".utf8): SharedLimits(limits)]
        node.listener = listener
        try node.start()

        let small = try node.client("a", user: "small")
        let other = try node.client("b")

        #expect(small.connack?.receiveMaximum == 3)
        #expect(small.connack?.maximumQoS == .atLeastOnce)
        #expect(other.connack?.receiveMaximum == 100)
        let will = Will(topic: [UInt8]("w".utf8), payload: [], qos: .exactlyOnce)
        let refused = try node.client("c", will: will, user: "small")
        #expect(refused.connack?.reason == .qosNotSupported)
    }
}
