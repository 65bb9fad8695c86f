import EventLoop
import MQTT
import Store
import Testing

@testable import Broker

/// `publish_rate` and `connect_rate`.
struct RateTests {
    private func node(_ rate: Int) throws -> Node {
        var limits = BrokerLimits()
        limits.publishRate = rate
        return try Node(limits: limits)
    }

    @Test(arguments: [1, 3, 10, 1000, 1_000_000_000])
    func aRateGivesASecondsWorthAtOnceAndThenTheRate(perSecond: Int) {
        var now = Instant(milliseconds: 1_000_000)
        var limit = RateLimit(perSecond: perSecond, now: now)
        func take() -> Bool { limit.take(at: now) }
        let tries = min(perSecond, 2000)

        let first = (0..<tries).filter { _ in take() }.count
        #expect(first == tries)
        guard perSecond <= 1000 else { return }
        #expect(!take())
        #expect((Int64(1_000_000_000) / Int64(perSecond) - limit.wait(at: now).nanoseconds).magnitude < 1000)
        var taken = 0
        for _ in 0..<1000 {
            now = now + .milliseconds(10)
            while take() { taken += 1 }
        }
        #expect(abs(taken - 10 * perSecond) <= 1)
        #expect(!limit.isRested(at: now))
        #expect(limit.isRested(at: now + .seconds(1)))
    }

    @Test(arguments: [ProtocolVersion.v311, .v5])
    func whatComesFasterWaitsForItsAcknowledgement(version: ProtocolVersion) throws {
        let node = try node(10)
        let subscriber = try node.client("s")
        subscriber.subscribed("t")
        let publisher = try node.client("p", version)
        for number in 0..<40 { publisher.publish("t", "\(number)", .atLeastOnce) }
        publisher.send(Ping.request)
        publisher.subscribe(.to("other"))

        node.run()
        let first = publisher.take()
        #expect(first.contains(.pingresp), "everything else is served meanwhile")
        #expect(first.contains { if case .suback = $0 { true } else { false } })
        #expect(first.filter { if case .acknowledgement = $0 { true } else { false } }.count == 10)
        node.advance(by: .milliseconds(1005))
        #expect(publisher.takeAcknowledgements().count == 10)
        node.advance(by: .seconds(3))

        #expect(publisher.takeAcknowledgements().map(\.packetIdentifier) == Array(21...40))
        #expect(subscriber.takeDeliveries().map(\.payload) == (0..<40).map { "\($0)" })
        #expect(node.broker.figures.dropped == 0)
        #expect(node.broker.figures.publishesOverRate == 30)
        #expect(node.lines.filter { $0.contains("publish_rate") }.count == 1)
        #expect(!publisher.isClosed)
    }

    @Test func qos0WaitsFiveSecondsAndNoLonger() throws {
        let node = try node(10)
        let subscriber = try node.client("s")
        subscriber.subscribed("t")
        let publisher = try node.client("p")
        for number in 0..<100 { publisher.publish("t", "\(number)") }
        publisher.publish("t", "last", .atLeastOnce)

        node.advance(by: .seconds(20))

        #expect(subscriber.takeDeliveries().map(\.payload) == (0..<60).map { "\($0)" } + ["last"])
        #expect(node.broker.figures.dropped == 40)
    }

    @Test func qos1BeyondABoundIsNotReadAndNothingIsLost() throws {
        let node = try node(1000)
        let publisher = try node.client("p", .v311)
        let payload = String(repeating: "x", count: 50_000)
        for _ in 0..<1100 { publisher.publish("t", payload, .atLeastOnce) }
        node.run()
        #expect(publisher.takeAcknowledgements().count == 1000)
        #expect((publisher.stream.unsentBytes) > 0, "what is beyond the bound is the publisher's still")

        node.advance(by: .seconds(1))

        #expect(publisher.takeAcknowledgements().count == 100)
    }

    @Test func aClientThatIsNotReadKeepsItsKeepAlive() throws {
        let node = try node(1)
        let publisher = try node.client("p", .v311, keepAlive: 2)
        let payload = String(repeating: "x", count: 400_000)
        for _ in 0..<12 { publisher.publish("t", payload, .atLeastOnce) }

        node.advance(by: .seconds(10))

        #expect(publisher.takeAcknowledgements().count == 11)
        #expect(!publisher.isClosed)
    }

    @Test func acknowledgementsOfAClientOverItsRateAreTaken() throws {
        let node = try node(1)
        let both = try node.client("b", receiveMaximum: 1)
        both.subscribed("to/b", .exactlyOnce)
        both.acknowledges = true
        let other = try node.client("o")
        for _ in 0..<30 { both.publish("t", "x", .atLeastOnce) }
        node.run()
        other.publish("to/b", "1", .exactlyOnce)
        node.run()
        #expect(both.takeDeliveries().map(\.payload) == ["1"])
        #expect(node.broker.sessions[Array("b".utf8)]?.inflightCount == 0)
    }

    @Test func whoLeavesInOrderLosesNothingAtQoS0() throws {
        let node = try node(10)
        let subscriber = try node.client("s")
        subscriber.subscribed("t")
        let publisher = try node.client("p")
        for number in 0..<50 { publisher.publish("t", "\(number)") }

        publisher.disconnect()

        #expect(subscriber.takeDeliveries().count == 50)
        #expect(node.broker.figures.dropped == 0)
    }

    @Test func whoIsCutOffLosesWhatWaitedAtQoS0AndItIsCounted() throws {
        let node = try node(10)
        let publisher = try node.client("p")
        for _ in 0..<50 { publisher.publish("t", "x") }
        node.run()
        publisher.drop()
        #expect(node.broker.figures.dropped == 40)
        node.advance(by: .seconds(10))
        #expect(node.broker.connectionCount == 0)
    }

    /// The store is full while the client is over its rate, and the other way round.
    @Test func itWaitsForTheStoreToo() throws {
        var limits = BrokerLimits()
        limits.publishRate = 20
        var options = LogOptions()
        options.memoryBytes = 20_000
        let node = try Node(limits: limits, log: options)
        let absent = try node.client("absent", expiry: 3600)
        absent.subscribed("kept", .exactlyOnce)
        absent.disconnect()
        let publisher = try node.client("p")
        node.store.hold = true
        let payload = String(repeating: "x", count: 1500)
        for _ in 0..<60 { publisher.publish("kept", payload, .atLeastOnce) }
        node.advance(by: .seconds(3))
        #expect(publisher.takeAcknowledgements().isEmpty)
        node.store.hold = false

        node.advance(by: .seconds(5))

        #expect(publisher.takeAcknowledgements().map(\.packetIdentifier) == Array(1...60))
    }

    @Test func usersHaveRatesOfTheirOwn() throws {
        let access = ScriptedAccess()
        access.rights = ["": nil, "slow": nil]
        let node = try Node(starts: false)
        node.access = access
        let listener = ListenerOptions()
        var limits = BrokerLimits()
        limits.publishRate = 5
        listener.userLimits = [Array("slow".utf8): SharedLimits(limits)]
        node.listener = listener
        try node.start()
        let slow = try node.client("a", user: "slow")
        let free = try node.client("b")

        for client in [slow, free] { for _ in 0..<20 { client.publish("t", "x", .atLeastOnce) } }

        #expect(slow.takeAcknowledgements().count == 5)
        #expect(free.takeAcknowledgements().count == 20)
    }

    // MARK: Connections

    @Test func anAddressMayConnectSoOften() {
        var rates = ConnectRates(perSecond: 2)
        func take(_ peer: String, at now: Instant) -> Bool { rates.take(PeerAddress(peer), at: now) }
        let now = Instant(milliseconds: 5000)
        let one = "192.0.2.1:5"
        #expect(take(one, at: now))
        #expect(take("192.0.2.1:6", at: now))
        #expect(!take("192.0.2.1:7", at: now))
        #expect(take("192.0.2.2:7", at: now))
        #expect(take(one, at: now + .milliseconds(500)))
        #expect(!take(one, at: now + .milliseconds(500)))
        #expect(take("[2001:db8::1]:5", at: now))
        #expect(take("[2001:db8::2]:5", at: now))
        #expect(!take("[2001:db8::ffff:3]:5", at: now), "one customer's")
    }

    @Test func theTableIsBounded() {
        var rates = ConnectRates(perSecond: 1)
        func take(_ peer: String, at now: Instant) -> Bool { rates.take(PeerAddress(peer), at: now) }
        var now = Instant(milliseconds: 5000)
        for number in 0..<30_000 {
            #expect(take("10.\(number >> 16).\(number >> 8 & 255).\(number & 255):9", at: now))
            if number % 1000 == 0 { now = now + .microseconds(1) }
        }
        #expect(rates.count <= ConnectRates.maximum)
        #expect(!take("10.0.\(29_999 >> 8).\(29_999 & 255):1", at: now), "who came last is known")
        now = now + .seconds(2)
        for number in 0..<ConnectRates.maximum { _ = take("11.\(number):9", at: now) }
        #expect(rates.count <= ConnectRates.maximum)
    }

    @Test func aConnectionTooManyIsClosedAtOnce() throws {
        var limits = BrokerLimits()
        limits.connectRate = 3
        let node = try Node(limits: limits, starts: false)
        node.asksForRate = true
        try node.start()

        let clients = try (0..<5).map { _ in try node.open() }
        node.run()

        #expect(clients.map(\.isClosed) == [false, false, false, true, true])
        #expect(node.broker.connectionCount == 3)
        #expect(node.broker.figures.connectionsOverRate == 2)
        #expect(node.lines.filter { $0.contains("connect_rate") }.count == 1)
        node.advance(by: .seconds(1))
        let later = try node.client("later")
        #expect(later.connack?.reason == .success)
    }
}
