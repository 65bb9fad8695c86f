import EventLoop
import MQTT
import Store
import Testing

@testable import Uplink

@Suite struct EachSenderTests {
    private static let route = RouteOptions(name: "plant", mode: .each)

    @Test(arguments: [ProtocolVersion.v5, .v311])
    func messagesGoOneByOneInOrder(version: ProtocolVersion) throws {
        let world = try World(routes: [Self.route]) { $0.version = version }
        world.connect()
        for number in 1...250 { world.publish("\(number)", qos: number % 2 == 0 ? .atLeastOnce : .atMostOnce) }

        world.settle()

        #expect(
            world.upstream.received.map { String(decoding: $0.payload, as: UTF8.self) } == (1...250).map { "\($0)" })
        #expect(world.upstream.received.allSatisfy { $0.qos == .atLeastOnce && !$0.isDuplicate })
        #expect(world.queues[0].messages == 0)
        #expect(world.uplink.figures.acknowledgedMessages == 250)
    }

    @Test func topicsThatComeAgainGoAsAliasesAndAreNewOnEachConnection() throws {
        let world = try World(routes: [Self.route])
        world.upstream.connack.topicAliasMaximum = 3
        world.upstream.connack.sessionPresent = true
        world.connect()
        var sent: [String] = []
        for round in 0..<40 {
            if round % 10 == 9 {
                world.upstream.isSilent = true
                world.publish("lost", topic: "plant/1")
                sent.append("plant/1")
                world.settle()
                world.upstream.isSilent = false
                world.upstream.close()
                world.pass(.seconds(5))
            }
            for device in 0...(round < 20 ? 2 : 7) {
                world.publish("\(round)", topic: "plant/\(device)")
                sent.append("plant/\(device)")
            }
            world.settle()
        }

        #expect(world.upstream.unknownAliases == 0)
        #expect(world.upstream.received.filter { !$0.isDuplicate }.map(\.topic) == sent)
        #expect(world.upstream.received.filter(\.isDuplicate).map(\.topic) == Array(repeating: "plant/1", count: 4))
        #expect(world.queues[0].messages == 0)
        // All but the first of each topic and connection, as long as there are no more topics than aliases.
        #expect(world.upstream.aliased > 60)
    }

    @Test func qos0GoesAtQoS0WhereTheRouteDoesNotKeepIt() throws {
        var route = Self.route
        route.storesQoS0 = false
        let world = try World(routes: [route])
        world.upstream.answer = { _ in .silence }
        world.connect()
        world.publish("0", qos: .atMostOnce)
        world.publish("1", qos: .exactlyOnce)
        world.publish("2", qos: .atMostOnce)

        world.settle()

        #expect(world.upstream.received.map(\.qos) == [.atMostOnce, .atLeastOnce, .atMostOnce])
        // The last one is behind one that nobody has acknowledged.
        #expect(world.queues[0].messages == 2)
        world.upstream.acknowledge(world.upstream.received[1])
        world.settle()
        #expect(world.queues[0].messages == 0)
    }

    @Test func qos2GoesAtQoS1AndIsCountedAndToldOnce() throws {
        let world = try World(routes: [Self.route])
        world.connect()
        for number in 1...5 { world.publish("\(number)", qos: number == 3 ? .atLeastOnce : .exactlyOnce) }

        world.settle()

        #expect(world.upstream.received.allSatisfy { $0.qos == .atLeastOnce })
        #expect(world.uplink.figures.downgradedMessages == 4)
        #expect(world.notices.filter { $0.contains("QoS 2") }.count == 1)
    }

    @Test func topicExpiryStampAndRetainTravel() throws {
        var route = Self.route
        route.topic = "{node}/{topic}"
        route.stamp = true
        let world = try World(routes: [route])
        var own = PropertyWriter()
        own.append(UserProperty("unit", "C"))
        world.publish("1", retain: true, expiry: 60, properties: own.bytes)
        world.pass(.seconds(10))

        world.connect()

        let message = try #require(world.upstream.received.first)
        #expect(message.topic == "pump-7/plant/7")
        #expect(message.expiry == 50)
        #expect(message.retain)
        #expect(message.user == ["unit=C", "t=1767225600000"])
    }

    @Test(arguments: [true, false])
    func whatWasNotAcknowledgedGoesAgain(sessionPresent: Bool) throws {
        let world = try World(routes: [Self.route])
        world.upstream.connack.sessionPresent = sessionPresent
        world.connect()
        world.upstream.answer = { $0.payload == Array("1".utf8) ? .reason(.success) : .silence }
        for number in 1...4 { world.publish("\(number)") }
        world.settle()
        let before = world.upstream.received

        world.upstream.close()
        world.upstream.answer = { _ in .reason(.success) }
        world.pass(.seconds(5))

        let again = Array(world.upstream.received[4...])
        #expect(again.map { String(decoding: $0.payload, as: UTF8.self) } == ["2", "3", "4"])
        #expect(again.map(\.isDuplicate) == [sessionPresent, sessionPresent, sessionPresent])
        if sessionPresent { #expect(again.map(\.identifier) == before[1...].map(\.identifier)) }
        #expect(world.queues[0].messages == 0)
    }

    @Test func answersOutOfOrderMoveTheQueueInOrder() throws {
        let world = try World(routes: [Self.route])
        world.upstream.answer = { _ in .silence }
        world.connect()
        for number in 1...3 { world.publish("\(number)") }
        world.settle()

        world.upstream.acknowledge(world.upstream.received[2])
        world.upstream.acknowledge(world.upstream.received[1], .noMatchingSubscribers)
        world.settle()
        #expect(world.queues[0].messages == 3)
        world.upstream.acknowledge(world.upstream.received[0])
        world.settle()

        #expect(world.queues[0].messages == 0)
    }

    @Test func aRefusedMessageIsSetAside() throws {
        let world = try World(routes: [Self.route])
        world.upstream.answer = { .reason($0.payload == Array("2".utf8) ? .topicNameInvalid : .success) }
        world.connect()
        for number in 1...3 { world.publish("\(number)") }

        world.settle()

        #expect(world.queues[0].messages == 0)
        #expect(world.queues[0].refused == 1)
        #expect(world.notices.contains { $0.contains("refuses message 2: topic name invalid") })
    }

    @Test func anUpstreamThatRefusesEverythingLosesNothing() throws {
        let world = try World(routes: [Self.route])
        world.upstream.answer = { _ in .reason(.notAuthorized) }
        world.connect()
        for number in 1...30 { world.publish("\(number)") }
        world.settle()
        #expect(world.uplink.holding(route: 0) == "the receiver refuses everything")
        #expect(world.queues[0].messages == 30)

        world.upstream.answer = { _ in .reason(.success) }
        world.pass(.seconds(130), step: .seconds(1))

        #expect(world.queues[0].messages == 0)
        #expect(world.queues[0].refused == 0)
    }

    @Test func aFullUpstreamIsTriedAgainInOrder() throws {
        let world = try World(routes: [Self.route])
        var isFull = true
        world.upstream.answer = { _ in .reason(isFull ? .quotaExceeded : .success) }
        world.connect()
        for number in 1...5 { world.publish("\(number)") }
        world.settle()
        #expect(world.queues[0].messages == 5)

        isFull = false
        world.pass(.seconds(3))

        #expect(world.queues[0].messages == 0)
        let last = world.upstream.received.suffix(5).map { String(decoding: $0.payload, as: UTF8.self) }
        #expect(last == ["1", "2", "3", "4", "5"])
    }

    @Test func whatIsTooLargeForTheUpstreamIsSetAside() throws {
        let world = try World(routes: [Self.route])
        world.upstream.connack.maximumPacketSize = 100
        world.connect()
        world.publish(String(repeating: "x", count: 200))
        world.publish("small")

        world.settle()

        #expect(world.upstream.received.map(\.payload) == [Array("small".utf8)])
        #expect(world.queues[0].refused == 1)
        #expect(world.queues[0].messages == 0)
    }
}
