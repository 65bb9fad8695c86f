import EventLoop
import MQTT
import Store
import Testing

@testable import Uplink

/// `send = "newest"` and `keep = "latest"` on the wire.
@Suite struct RouteOrderTests {
    private static let newest = RoutePolicy(sendsNewestFirst: true, blockBytes: 2000)
    private static let latest = RoutePolicy(keepsLatest: true)

    private func numbers(_ world: World) -> [UInt64] {
        world.upstream.batches.flatMap { batch in
            batch.messages.indices.map { batch.header.sequence + UInt64($0) }
        }
    }

    @Test func theNewestBatchGoesFirstAndAscends() throws {
        let world = try World(
            routes: [RouteOptions(name: "plant", batchBytes: 2000)], policy: Self.newest)
        for number in 1...100 { world.publish("\(number)" + String(repeating: "x", count: 90)) }

        world.connect()
        world.pass(.seconds(2))

        let batches = world.upstream.batches.filter { !$0.messages.isEmpty }
        let firsts = batches.map(\.header.sequence)
        #expect(batches.count > 5)
        #expect(firsts == firsts.sorted(by: >))
        #expect(numbers(world).sorted() == Array(1...100))
        #expect(batches.first.map { $0.header.sequence + UInt64($0.messages.count) } == 101)
        #expect(world.queues[0].messages == 0)
    }

    @Test func aRefusedBatchGoesFirstAgain() throws {
        let world = try World(
            routes: [RouteOptions(name: "plant", batchBytes: 2000)], policy: Self.newest)
        world.upstream.answer = { _ in .reason(.quotaExceeded) }
        for number in 1...40 { world.publish("\(number)" + String(repeating: "x", count: 90)) }
        world.connect()
        world.pass(.seconds(2))
        let refused = world.upstream.batches.first { !$0.messages.isEmpty }?.header.sequence
        let before = world.upstream.batches.count

        world.upstream.answer = { _ in .reason(.success) }
        for number in 41...60 { world.publish("\(number)" + String(repeating: "x", count: 90)) }
        world.pass(.seconds(40))

        #expect(world.upstream.batches.dropFirst(before).first { !$0.messages.isEmpty }?.header.sequence == refused)
        #expect(world.queues[0].messages == 0)
    }

    @Test func eachModeSendsTheNewestMessageFirst() throws {
        let world = try World(
            routes: [RouteOptions(name: "plant", mode: .each)],
            policy: RoutePolicy(sendsNewestFirst: true, reportsGaps: false, blockBytes: 0))
        for number in 1...300 { world.publish("\(number)") }

        world.connect()

        #expect(
            world.upstream.received.map { String(decoding: $0.payload, as: UTF8.self) }
                == (1...300).reversed().map { "\($0)" })
        #expect(world.queues[0].messages == 0)
    }

    @Test func newestFirstLosesNothingOverABrokenConnection() throws {
        let world = try World(
            routes: [RouteOptions(name: "plant", batchBytes: 2000)], policy: Self.newest)
        var count = 0
        world.upstream.answer = { _ in
            count += 1
            return count % 3 == 0 ? .close : count % 3 == 1 ? .reason(.success) : .silence
        }
        for number in 1...100 { world.publish("\(number)" + String(repeating: "x", count: 90)) }
        world.connect()
        world.pass(.seconds(20))
        world.upstream.answer = { _ in .reason(.success) }
        world.rush(.seconds(300))

        #expect(Set(numbers(world)) == Set(1...100))
        #expect(world.queues[0].messages == 0, "\(world.uplink.state) \(world.uplink.error ?? "") \(world.notices)")
    }

    @Test func ofEachTopicTheLatestArrivesAndTheOthersAreAGap() throws {
        let world = try World(policy: Self.latest)
        for round in 1...10 {
            for topic in 1...3 { world.publish("\(round)", topic: "plant/\(topic)") }
        }
        #expect(world.queues[0].messages == 3)

        world.connect()
        world.pass(.seconds(3))

        #expect(world.upstream.batches.flatMap(\.messages).map(\.topic) == ["plant/1", "plant/2", "plant/3"])
        #expect(world.upstream.batches.flatMap(\.messages).map(\.payload) == ["10", "10", "10"])
        let gaps = world.upstream.batches.flatMap(\.header.gaps)
        #expect(gaps.map(\.reason) == ["superseded"])
        #expect(gaps.first.map { $0.first...$0.last } == 1...27)
        #expect(world.queues[0].gaps.isEmpty)
        #expect(world.queues[0].messages == 0)
        #expect(world.queues[0].lost[.superseded] == 27)
    }

    @Test func whatIsSupersededCostsNoWriteOfItsOwn() throws {
        let world = try World(policy: Self.latest)
        world.connect()
        world.pass(.seconds(3))
        let groups = world.log.submittedGroups

        for round in 1...40 {
            world.publish("\(round)", qos: .atMostOnce)
            world.pass(.milliseconds(100))
        }
        world.pass(.seconds(5))

        #expect(world.queues[0].lost[.superseded] ?? 0 > 20)
        #expect(world.queues[0].messages == 0 && world.queues[0].gaps.isEmpty)
        #expect(world.log.submittedGroups == groups)
    }

    @Test func whatTakesThePlaceOfAnAwaitedMessageIsAwaited() throws {
        let world = try World(policy: Self.latest)
        world.connect()
        world.publish("0")
        world.pass(.seconds(3))
        let before = world.upstream.batches.count

        world.publish("1", waits: true)
        world.publish("2", qos: .atMostOnce)
        world.pass(.milliseconds(100))

        #expect(world.upstream.batches.dropFirst(before).flatMap(\.messages).map(\.payload) == ["2"])
    }

    @Test func whatIsInFlightIsNotSupersededUnlessItMustGoAgain() throws {
        let world = try World(policy: Self.latest)
        world.upstream.answer = { _ in .silence }
        world.connect()
        world.publish("1")
        world.pass(.seconds(2))
        world.publish("2")
        world.pass(.seconds(2))
        #expect(world.queues[0].messages == 2)
        #expect(world.upstream.batches.flatMap(\.messages).map(\.payload) == ["1", "2"])

        world.upstream.answer = { _ in .reason(.success) }
        world.upstream.close()
        world.pass(.seconds(5))

        let again = world.upstream.batches.dropFirst(2)
        #expect(again.flatMap(\.messages).map(\.payload) == ["2"])
        #expect(again.flatMap(\.header.gaps).map(\.reason) == ["superseded"])
        #expect(world.queues[0].messages == 0)
    }

    @Test func thousandsOfSupersededStretchesAreReportedBitByBit() throws {
        let world = try World(policy: Self.latest)
        // Every second message is of a topic of its own, so that no two gaps are neighbours.
        for number in 1...1500 {
            world.publish("\(number)", topic: "plant/same")
            world.publish("\(number)", topic: "plant/\(number)")
        }
        world.connect()
        world.rush(.seconds(60))

        let gaps = world.upstream.batches.flatMap(\.header.gaps).map { $0.first...$0.last }
        #expect(IntervalSet(gaps.sorted { $0.lowerBound < $1.lowerBound }).count == 1499)
        #expect(world.upstream.batches.allSatisfy { $0.header.gaps.count <= 256 })
        #expect(world.queues[0].messages == 0)
        #expect(world.queues[0].gaps.isEmpty)
    }

    @Test func eachModeKeepsNoNewsForNobody() throws {
        let world = try World(
            routes: [RouteOptions(name: "plant", mode: .each)],
            policy: RoutePolicy(keepsLatest: true, reportsGaps: false, blockBytes: 0))
        for number in 1...100 { world.publish("\(number)") }
        world.connect()
        world.pass(.seconds(2))

        #expect(world.upstream.received.map { String(decoding: $0.payload, as: UTF8.self) } == ["100"])
        #expect(world.queues[0].gaps.isEmpty)
        #expect(world.queues[0].endOfRun().isEmpty)
    }

    /// A publisher whose message gave way is told once the one in its place is safe, not before.
    @Test func aSupersededMessageIsAsSafeAsTheOneInItsPlace() throws {
        let world = try World(policy: Self.latest)
        for number in 1...5 { world.publish("\(number)", waits: true) }
        #expect(world.waiter.settled.isEmpty)

        world.settle()

        #expect(world.waiter.settled.count == 5)
        #expect(world.engine.groups.flatMap(\.segments).map(\.count) == [1])
    }

    // MARK: - Upstreams without MQTT 5 refuse by closing

    @Test(arguments: [1, 3, 6])
    func aMessageAtWhichTheUpstreamClosesIsFoundAndSetAside(place: Int) throws {
        let world = try World(routes: [RouteOptions(name: "plant", mode: .each)]) { $0.version = .v311 }
        world.upstream.answer = { $0.payload == Array("bad".utf8) ? .close : .reason(.success) }
        world.connect()
        for number in 1...6 { world.publish(number == place ? "bad" : "\(number)") }
        world.publish("last")
        world.rush(.seconds(600))
        // Only what is taken after it shows that the upstream has something against the message itself.
        world.publish("last")

        world.rush(.seconds(600))

        #expect(world.queues[0].messages == 0)
        #expect(world.queues[0].refused == 1)
        let good = world.upstream.received.map { String(decoding: $0.payload, as: UTF8.self) }.filter { $0 != "bad" }
        #expect(Set(good) == Set((1...6).filter { $0 != place }.map { "\($0)" } + ["last"]))
    }

    /// It closed at everything, for three connections a message; what it closed at first is late, and not lost.
    @Test(arguments: [RouteOptions.Mode.batch, .each])
    func whatAMendedUpstreamClosedAtGoesOnceMore(mode: RouteOptions.Mode) throws {
        let world = try World(routes: [RouteOptions(name: "plant", mode: mode)]) { $0.version = .v311 }
        var isMended = false
        world.upstream.answer = { _ in isMended ? .reason(.success) : .close }
        world.connect()
        for number in 1...3 { world.publish("\(number)") }
        var patience = 10_000
        while world.upstream.connects.count < 11, patience > 0 {
            world.pass(.milliseconds(500))
            patience -= 1
        }
        #expect(world.upstream.connects.count == 11)

        isMended = true
        world.pass(.seconds(600), step: .milliseconds(500))

        #expect(world.queues[0].messages == 0)
        #expect(world.queues[0].refused == 0)
        #expect(world.queues[0].gaps.isEmpty)
    }

    @Test func whatLeftIsWaitedForAtAStop() throws {
        let world = try World(routes: [RouteOptions(name: "plant", mode: .each)])
        world.upstream.answer = { _ in .silence }
        world.connect()
        for number in 1...3 { world.publish("\(number)") }
        world.settle()
        var isStopped = false
        world.uplink.stop { isStopped = true }
        world.publish("4")
        world.settle()
        #expect(!isStopped)
        #expect(world.upstream.received.count == 3)

        for message in world.upstream.received { world.upstream.acknowledge(message) }
        world.settle()

        #expect(isStopped)
        #expect(world.queues[0].messages == 1)
    }
}
