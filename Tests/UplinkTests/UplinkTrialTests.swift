import EventLoop
import MQTT
import Testing

@testable import Uplink

/// `roost uplink test`.
@Suite struct UplinkTrialTests {
    private func steps(_ world: World) throws -> [TrialStep] {
        var steps: [TrialStep]?
        world.uplink.test { steps = $0 }
        world.pass(.seconds(30), step: .milliseconds(500))
        return try #require(steps)
    }

    @Test func everyStepIsTriedBesideTheConnection() throws {
        let world = try World { $0.subscriptions = [SubscribeOptions(filter: "cmd/#")] }
        world.connect()
        let result = try steps(world)

        #expect(
            result.map(\.name) == [
                "reach mqtt://cloud", "login as pump-7-cloud-test", "subscribe to cmd/#",
                "publish to \(Batch.topic(prefix: "roost/batch", node: "pump-7"))",
            ])
        #expect(result.allSatisfy { $0.isGood == true })
        #expect(world.upstream.connects.last?.cleanStart == true)
        #expect(world.upstream.batches.last?.messages.isEmpty == true)
        #expect(world.upstream.batches.last?.header.sequence == 1)
        #expect(world.uplink.state == .connected)
        #expect(world.uplink.figures.reconnects == 0)
    }

    @Test func itSaysWhichStepFails() throws {
        let world = try World { $0.urls = ["mqtt://nowhere:1", "mqtt://cloud"] }
        world.upstream.answer = { _ in .reason(.noMatchingSubscribers) }
        let result = try steps(world)

        #expect(result.map(\.isGood) == [false, true, true, false])
        #expect(result.last?.text == "allowed, but nobody subscribes to batches: no receiver")
        #expect(world.uplink.state == .paused)
    }

    @Test func aRefusedLoginIsSaid() throws {
        let world = try World()
        world.upstream.connack.reason = .notAuthorized
        let result = try steps(world)

        #expect(result.map(\.isGood) == [true, false])
        #expect(result.last?.text.contains("not authorized") == true)
    }

    @Test func anUpstreamWithoutQoS1IsLeftAlone() throws {
        let world = try World()
        world.upstream.connack.maximumQoS = .atMostOnce
        let result = try steps(world)

        #expect(result.map(\.isGood) == [true, false])
        #expect(
            result.last?.text == "accepted, but for QoS 0 alone, which acknowledges nothing: Roost needs QoS 1")
        #expect(world.upstream.received.isEmpty)
    }

    @Test func silenceEndsAStep() throws {
        let world = try World()
        world.upstream.isSilent = true
        let result = try steps(world)

        #expect(result.last?.isGood == false)
        #expect(result.last?.text == "no answer within 5 s")
        #expect(result.last?.milliseconds == 5000)
    }

    @Test func routesThatSendEachMessageAreNotTried() throws {
        let world = try World(routes: [RouteOptions(name: "plant", mode: .each)])
        let result = try steps(world)

        #expect(result.last?.isGood == .some(nil))
        #expect(world.upstream.received.isEmpty)
    }
}
