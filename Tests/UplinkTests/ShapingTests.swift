import EventLoop
import MQTT
import Store
import Testing

@testable import Uplink

/// A thin link, in bytes on the wire and virtual time.
@Suite struct ShapingTests {
    @Test(arguments: [(64_000, 10), (1_000_000, 10), (100_000_000, 1)])
    func everythingUpwardsKeepsToTheRate(rate: Int, seconds: Int) throws {
        let world = try World { $0.egressBitsPerSecond = rate }
        world.network.wire.delay = .milliseconds(40)
        world.network.wire.windowBytes = 16 << 20
        world.uplink.start()
        world.run(.seconds(1))
        world.publishNoise(rate / 8 * (seconds + 1) / 60_000 + 20, bytes: 60_000)
        // A connection begins slowly.
        world.run(.milliseconds(500))
        let before = world.wireBytes

        world.run(.seconds(seconds))

        let due = rate / 8 * seconds
        let sent = world.wireBytes - before
        #expect((due * 98 / 100...due * 102 / 100).contains(sent), "\(sent) of \(due)")
    }

    @Test func aBatchNeverOverdrawsTheRate() throws {
        let world = try World { $0.egressBitsPerSecond = 64_000 }
        world.network.wire.delay = .milliseconds(40)
        world.uplink.start()
        world.run(.seconds(1))
        world.publishReadings(20_000)

        var before = world.wireBytes
        var least = Int.max
        for _ in 0..<60 {
            world.run(.milliseconds(500))
            let sent = world.wireBytes - before
            before = world.wireBytes
            least = min(least, sent)
            #expect(sent <= 4000 + 1500)
        }

        #expect(least >= 2500)
        let sizes = world.upstream.received.dropFirst(3).map(\.payload.count)
        #expect(sizes.allSatisfy { $0 <= 9000 })
        #expect(sizes.reduce(0, +) / sizes.count > 4000)
    }

    @Test func ourOwnPaceIsNoDoubtAboutTheLink() throws {
        let world = try World {
            $0.egressBitsPerSecond = 64_000
            $0.keepAlive = 5
        }
        world.network.wire.delay = .milliseconds(40)
        world.uplink.start()
        world.run(.seconds(1))
        // Each of these takes the link for half a minute, and nothing can pass it.
        world.publishNoise(3, bytes: 240_000)

        var isInDoubt = false
        for _ in 0..<200 {
            world.run(.milliseconds(500))
            if world.queues[0].link.state != .healthy { isInDoubt = true }
        }

        #expect(!isInDoubt)
        #expect(world.uplink.figures.reconnects == 0)
        #expect(world.queues[0].messages == 0)
    }

    @Test func aDeadLinkIsInDoubtAllTheSame() throws {
        let world = try World { $0.egressBitsPerSecond = 64_000 }
        world.network.wire.delay = .milliseconds(40)
        world.uplink.start()
        world.run(.seconds(1))
        world.publishReadings(5000)
        world.run(.seconds(5))
        #expect(world.queues[0].link.state == .healthy)

        world.network.cut(.silent)
        world.run(.seconds(10))

        #expect(world.queues[0].link.state == .doubt)
    }

    @Test(arguments: [1, 2, 5, 20, 100])
    func anAlarmPassesADrain(receiveMaximum: UInt16) throws {
        let routes = [
            RouteOptions(name: "bulk", priority: .bulk), RouteOptions(name: "alarms", priority: .critical, mode: .each),
        ]
        let world = try World(routes: routes) { $0.egressBitsPerSecond = 1_000_000 }
        world.network.wire.delay = .milliseconds(50)
        world.upstream.connack.receiveMaximum = receiveMaximum
        world.publishNoise(60, bytes: 100_000)
        world.uplink.start()
        world.run(.seconds(5))

        for number in 0..<10 {
            world.publish("alarm \(number)", topic: "alarm", route: 1)
            // The batch before it, half a second of the link at most and here one message of 0.8 s; then the way there, and
            // for the only place the way back before.
            let batch = Duration.milliseconds(850)
            world.run(batch + .milliseconds(receiveMaximum == 1 ? 160 : 60))
            #expect(world.upstream.received.filter { $0.topic == "alarm" }.count == number + 1)
            world.run(.milliseconds(330))
        }
        #expect(world.queues[0].messages > 0)
    }

    @Test(arguments: [1, 2, 5, 20])
    func neitherStarvesTheOther(receiveMaximum: UInt16) throws {
        let routes = [
            RouteOptions(name: "bulk", priority: .bulk, batchBytes: 4000),
            RouteOptions(name: "alarms", priority: .critical, batchBytes: 4000),
        ]
        let world = try World(routes: routes) { $0.egressBitsPerSecond = 1_000_000 }
        world.network.wire.delay = .milliseconds(20)
        world.upstream.connack.receiveMaximum = receiveMaximum
        world.publishNoise(1000, bytes: 3000, route: 0)
        world.publishNoise(1000, bytes: 3000, route: 1)
        world.uplink.start()
        world.run(.seconds(15))

        let bulk = 1000 - world.queues[0].messages
        let alarms = 1000 - world.queues[1].messages
        #expect(bulk >= (bulk + alarms) / 20)
        #expect(alarms >= bulk * 10)
    }

    @Test func aReconnectIsNoTidalWave() throws {
        let world = try World(routes: [RouteOptions(name: "plant", batchBytes: 4096)])
        world.network.wire.delay = .milliseconds(500)
        world.publishNoise(2000, bytes: 4000)
        world.uplink.start()
        world.run(.milliseconds(2100))

        var rounds: [Int] = []
        var before = 0
        for _ in 0..<5 {
            world.run(.seconds(1))
            rounds.append(world.upstream.received.count - before)
            before = world.upstream.received.count
        }
        #expect(rounds[0] <= 10)
        #expect(zip(rounds, rounds.dropFirst()).allSatisfy { $1 <= 2 * $0 + 1 })
        #expect(rounds[4] >= 16)
    }

    @Test func whatComesDownIsPacedAndAcknowledgementsStillCome() throws {
        let world = try World {
            $0.ingressBitsPerSecond = 64_000
            $0.subscriptions = [SubscribeOptions(filter: "cmd/#")]
        }
        world.uplink.start()
        world.run(.seconds(1))
        for _ in 0..<20 {
            world.upstream.publish(topic: "cmd/a", payload: String(repeating: "x", count: 8000))
        }
        world.publish("1", waits: true)
        world.run(.seconds(10))

        #expect((9...11).contains(world.sink.published.count))
        #expect(world.uplink.figures.reconnects == 0)
        world.run(.seconds(12))
        #expect(world.sink.published.count == 20)
        #expect(world.queues[0].messages == 0)
    }

    @Test func largerBatchesAndFewerBytesForABacklog() throws {
        func bytesPerMessage(backlog: Bool) throws -> Double {
            let world = try World()
            world.network.wire.delay = .milliseconds(20)
            if backlog { world.publishReadings(2000) }
            world.uplink.start()
            world.run(.seconds(1))
            if !backlog {
                for number in 0..<200 {
                    world.publishReadings(10, seed: UInt64(number))
                    world.run(.seconds(2))
                }
            }
            world.run(.seconds(10))
            #expect(world.queues[0].messages == 0)
            return Double(world.upstream.received.map(\.payload.count).reduce(0, +)) / 2000
        }

        #expect(try bytesPerMessage(backlog: true) < bytesPerMessage(backlog: false) * 0.7)
    }

    @Test(arguments: [2000, 20_000, 60_000])
    func batchesFillTheUpstreamsMaximumPacketSize(maximum: UInt32) throws {
        let world = try World()
        world.upstream.connack.maximumPacketSize = maximum
        world.publishReadings(12_000)
        world.uplink.start()
        world.run(.seconds(20))

        #expect(world.queues[0].messages == 0)
        #expect(world.queues[0].refused == 0)
        let sizes = world.upstream.received.map(\.payload.count)
        #expect(sizes.allSatisfy { $0 < Int(maximum) })
        #expect(sizes.dropLast().dropFirst(8).reduce(0, +) / (sizes.count - 9) > Int(maximum) / 2)
    }
}

@Suite struct ReplayLimitTests {
    private func world(replay: Int) throws -> World {
        var plant = RouteOptions(name: "plant")
        plant.replayBitsPerSecond = replay
        return try World(routes: [plant, RouteOptions(name: "other")])
    }

    @Test func theBacklogGoesAtItsRateAndInOrder() throws {
        let world = try world(replay: 64_000)
        world.network.wire.delay = .milliseconds(20)
        world.publishNoise(400, bytes: 1000)
        world.run(.seconds(600))
        world.uplink.start()
        world.run(.seconds(1))

        let before = world.wireBytes
        world.run(.seconds(20))
        let sent = world.wireBytes - before
        #expect((140_000...175_000).contains(sent), "\(sent)")
        world.publish("behind")
        world.run(.seconds(60))

        #expect(world.queues[0].messages == 0)
        let payloads = world.upstream.batches.flatMap(\.messages).map(\.payload)
        #expect(payloads.count == 401)
        #expect(payloads.last == "behind")
    }

    @Test func liveMessagesAreNotHeld() throws {
        let world = try world(replay: 8000)
        world.network.wire.delay = .milliseconds(20)
        world.uplink.start()
        world.run(.seconds(1))

        world.publishNoise(100, bytes: 1000)
        world.publishNoise(100, bytes: 1000, route: 1)
        world.run(.seconds(2))

        #expect(world.queues.map(\.messages) == [0, 0])
    }

    @Test func otherRoutesAreNotHeld() throws {
        let world = try world(replay: 8000)
        world.publishNoise(100, bytes: 1000)
        world.run(.seconds(30))
        world.uplink.start()
        world.run(.seconds(1))

        world.publish("live", route: 1)
        world.run(.milliseconds(1100))

        #expect(world.queues[1].messages == 0)
        #expect(world.queues[0].messages > 80)
    }

    @Test func itIsNeverBelowWhatArrives() throws {
        let world = try world(replay: 8000)
        world.network.wire.delay = .milliseconds(20)
        // 4000 bytes a second, four times the rate that is set.
        for second in 0..<120 {
            world.publishNoise(4, bytes: 1000, seed: UInt64(second))
            world.run(.seconds(1))
        }
        world.uplink.start()
        var waiting = [world.queues[0].messages]
        for second in 120..<420 {
            world.publishNoise(4, bytes: 1000, seed: UInt64(second))
            world.run(.seconds(1))
            if second % 60 == 59 { waiting.append(world.queues[0].messages) }
        }

        #expect(waiting.first == 480)
        #expect(zip(waiting, waiting.dropFirst()).allSatisfy { $1 < $0 }, "\(waiting)")
    }

    @Test func theArrivalRateIsSmoothed() {
        var limit = ReplayLimit(
            bitsPerSecond: 8000, batchDelay: .seconds(1), received: 0, now: Instant(milliseconds: 0))
        var received = 0
        for second in 1...600 {
            received += second % 10 == 0 ? 20_000 : 0
            limit.note(received: received, Instant(milliseconds: Int64(second) * 1000))
        }

        #expect((1700...2300).contains(limit.arrivals))
        #expect(abs(limit.rate(wireRatio: 1) - limit.arrivals * 1.1) < 1)
        #expect(limit.rate(wireRatio: 0.25) == 1000)
        #expect(!limit.isBacklog(ageMilliseconds: 11_000))
        #expect(limit.isBacklog(ageMilliseconds: 11_001))
    }
}
