import EventLoop
import MQTT
import Testing

@testable import Broker
@testable import Store

/// What a route's order, its topics' latest messages and its numbers become over a restart, on a real database.
struct RouteRestartTests {
    private func node(_ policy: RoutePolicy) throws -> Node {
        let node = try Node(routes: [("up/all", "#")], starts: false)
        node.policies = ["up/all": policy]
        try node.start()
        return node
    }

    private func queue(_ node: Node) throws -> RouteQueue { try #require(node.queues["up/all"]) }

    /// Takes up to `count` messages, as if they were sent.
    private func take(_ count: Int = .max, _ node: Node) throws -> [QueuedMessage] {
        let queue = try queue(node)
        var taken: [QueuedMessage] = []
        var rounds = 0
        while taken.count < count, rounds < 100_000 {
            rounds += 1
            switch queue.peek() {
            case .message(let queued):
                taken.append(queued)
                queue.advance()
            case .loading: node.run()
            case .empty: return taken
            }
        }
        return taken
    }

    private func payloads(_ messages: [QueuedMessage]) -> [String] {
        messages.map { String(decoding: $0.message.payload, as: UTF8.self) }
    }

    private func publish(_ numbers: ClosedRange<Int>, _ node: Node, topic: (Int) -> String = { _ in "t" }) throws {
        let publisher = try node.client("publisher")
        for number in numbers {
            publisher.publish(topic(number), "\(number)", .atLeastOnce)
            // Segments of ten.
            if number % 10 == 0 { node.run() }
        }
        node.advance(by: .seconds(2))
        publisher.disconnect()
    }

    private func segments(_ node: Node) throws -> Int {
        let database = try Database.openReadOnly(path: node.directory.path)
        var count = 0
        try database.forEachSegment { _, _ in count += 1 }
        try database.close()
        return count
    }

    // MARK: - Newest first

    @Test(arguments: [true, false])
    func newestFirstGoesOnWhereItWas(killed: Bool) throws {
        let node = try node(RoutePolicy(sendsNewestFirst: true, blockBytes: 0))
        try publish(1...100, node)
        let sent = try take(45, node)
        #expect(payloads(sent) == (56...100).reversed().map { "\($0)" })
        for message in sent { try queue(node).acknowledge(message.numbering, message.number...message.number) }
        node.advance(by: .seconds(2))
        // What lies wholly in what is done with has left the disk, though nothing before it has.
        #expect(try segments(node) == 6)

        try node.restart()
        try publish(101...110, node)

        let rest = try take(.max, node)
        #expect(payloads(rest) == ((101...110).reversed() + (1...55).reversed()).map { "\($0)" })
        for message in rest { try queue(node).acknowledge(message.numbering, message.number...message.number) }
        node.advance(by: .seconds(2))
        #expect(try segments(node) == 0)
        #expect(try queue(node).messages == 0)
    }

    @Test func blocksFromDiskAscendAndComeFromTheEnd() throws {
        var options = LogOptions()
        options.memoryBytes = 64 << 10
        let node = try Node(log: options, routes: [("up/all", "#")], starts: false)
        node.policies = ["up/all": RoutePolicy(sendsNewestFirst: true, blockBytes: 4096)]
        try node.start()
        let publisher = try node.client("publisher")
        let text = String(repeating: "x", count: 300)
        for number in 1...2000 {
            publisher.publish("t", "\(number) \(text)", .atLeastOnce)
            if number % 20 == 0 { node.advance(by: .seconds(1)) }
        }
        #expect(node.log.meter.bytes <= 64 << 10)

        let numbers = try take(.max, node).map(\.number)

        #expect(numbers.count == 2000)
        #expect(Set(numbers) == Set(1...2000))
        // Within a block ascending, and each block below the one before.
        var blocks: [ClosedRange<UInt64>] = []
        for number in numbers {
            if let last = blocks.last, last.upperBound + 1 == number {
                blocks[blocks.count - 1] = last.lowerBound...number
            } else {
                blocks.append(number...number)
            }
        }
        #expect(blocks.map(\.lowerBound) == blocks.map(\.lowerBound).sorted(by: >))
        #expect((100...300).contains(blocks.count))
    }

    // MARK: - A disk that lost a run

    /// What is left of it passes for no other run's, and is sent.
    @Test func streamsOfALostRunKeepToThemselves() throws {
        let node = try node(RoutePolicy())
        try publish(1...3, node)
        let lost = try queue(node).stream.numbering
        node.kill()
        let database = try Database.open(path: node.directory.path)
        try database.connection.execute("DELETE FROM run")
        try database.close()

        try node.start()
        try publish(4...5, node)
        try node.restart()
        let left = try take(.max, node)

        #expect(payloads(left) == (1...5).map { "\($0)" })
        let first = left[0].numbering
        #expect(first.run == lost.run && first.epoch != 0 && first.epoch != lost.epoch)
        #expect(Set(left.map(\.numbering.epoch)).count == 2)
        #expect(left[3].numbering.run > lost.run)
    }

    // MARK: - The latest alone

    /// A message that nobody waits for takes the place of one that was acknowledged; another group goes before its time.
    @Test func whatWasReplacedLeavesTheDiskWithTheNewerMessage() throws {
        let node = try node(RoutePolicy(keepsLatest: true))
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .atLeastOnce)
        node.advance(by: .seconds(2))

        publisher.publish("t", "2")
        _ = try node.client("other", expiry: 3600)
        try node.restart()

        let left = payloads(try take(.max, node))
        #expect(left == ["2"])
    }

    /// What is in flight gives way only when it is to be sent again, by the same rule.
    @Test func whatWasReplacedInFlightLeavesTheDiskWithTheNewerMessage() throws {
        let node = try node(RoutePolicy(keepsLatest: true))
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .atLeastOnce)
        node.advance(by: .seconds(2))
        #expect(payloads(try take(1, node)) == ["1"])

        publisher.publish("t", "2")
        node.run()
        try queue(node).rewind()
        _ = try node.client("other", expiry: 3600)
        try node.restart()

        let left = payloads(try take(.max, node))
        #expect(left == ["2"])
    }

    @Test func theLatestOfEachTopicIsLeftAlsoOverRestarts() throws {
        let node = try node(RoutePolicy(keepsLatest: true))
        try publish(1...200, node) { "t/\($0 % 20)" }
        #expect(try queue(node).messages == 20)
        #expect(try segments(node) == 2)

        try node.restart()
        node.run()
        #expect(try queue(node).messages == 20)
        // Half of the topics again, in the new run.
        try publish(201...210, node) { "t/\($0 % 20)" }
        #expect(try queue(node).messages == 20)
        #expect(try segments(node) == 2)

        try node.restart()
        let left = try take(.max, node)
        #expect(
            Set(payloads(left))
                == Set(((181...200).filter { !(1...10).contains($0 % 20) } + (201...210)).map { "\($0)" }))
        #expect(left.count == 20)
    }

    /// Ten thousand updates of a few topics take no more room than the topics.
    @Test func diskAndMemoryAreBoundedByTheTopics() throws {
        let node = try node(RoutePolicy(keepsLatest: true))
        let publisher = try node.client("publisher")
        for number in 1...10_000 {
            publisher.publish("t/\(number % 7)", "\(number)", .atLeastOnce)
            if number % 50 == 0 { node.run() }
        }
        node.advance(by: .seconds(3))

        #expect(try queue(node).messages == 7)
        #expect(try segments(node) <= 7)
        #expect(node.log.meter.bytes < 64 << 10)
    }

    @Test func whatWasAcknowledgedIsNotSentAgain() throws {
        let node = try node(RoutePolicy(keepsLatest: true))
        try publish(1...10, node) { "t/\($0)" }
        let sent = try take(10, node)
        for message in sent where message.number % 2 == 0 {
            try queue(node).acknowledge(message.numbering, message.number...message.number)
        }
        node.advance(by: .seconds(2))

        try node.restart()

        #expect(payloads(try take(.max, node)) == ["1", "3", "5", "7", "9"])
    }

    @Test func supersededNumbersAreReportedAfterACrash() throws {
        let node = try node(RoutePolicy(keepsLatest: true))
        try publish(1...50, node)
        try node.restart()
        let queue = try queue(node)
        _ = try take(.max, node)
        queue.link = RouteLink(state: .healthy, smoothedMilliseconds: 1, hasRoom: true)
        node.run()

        #expect(queue.gaps.map { $0.first...$0.last } == [1...49])
        #expect(queue.gaps.map(\.reason) == [.superseded])
        queue.acknowledgeNews(gaps: queue.gaps, ended: [])
        node.advance(by: .seconds(2))

        try node.restart()
        let again = try self.queue(node)
        again.link = queue.link
        node.run()
        #expect(again.gaps.isEmpty)
    }

    // MARK: - The configuration changes

    @Test func aRouteThatLeavesAndComesBackTakesItsPlaceAgain() throws {
        let node = try node(RoutePolicy())
        try publish(1...10, node)
        node.routes = [("up/other", "x/#")]
        try node.restart()
        #expect(node.log.orphanedRoutes.map(\.name) == ["up/all"])
        #expect(node.log.orphanedRoutes.map(\.messages) == [10])

        node.routes = [("up/other", "x/#"), ("up/all", "#")]
        try node.restart()

        #expect(node.log.orphanedRoutes.isEmpty)
        #expect(payloads(try take(.max, node)) == (1...10).map { "\($0)" })
    }

    @Test func aDroppedOrphanIsAGapForTheRouteThatComesBack() throws {
        let node = try node(RoutePolicy())
        try publish(1...10, node)
        node.routes = []
        try node.restart()
        node.log.drop(try #require(node.log.orphanedRoutes.first))
        node.advance(by: .seconds(2))

        node.routes = [("up/all", "#")]
        try node.restart()

        #expect(try queue(node).messages == 0)
        #expect(try queue(node).gaps.map(\.reason) == [.dropped])
        #expect(try queue(node).gaps.map { $0.first...$0.last } == [1...10])
    }

    @Test func anOrderMayBeChangedOverARestart() throws {
        let node = try node(RoutePolicy(sendsNewestFirst: true, blockBytes: 0))
        try publish(1...20, node)
        for message in try take(5, node) {
            try queue(node).acknowledge(message.numbering, message.number...message.number)
        }
        node.advance(by: .seconds(2))
        node.policies = ["up/all": RoutePolicy()]

        try node.restart()

        #expect(payloads(try take(.max, node)) == (1...15).map { "\($0)" })
    }
}
