import EventLoop
import MQTT
import Testing

@testable import Broker
@testable import Store

/// What a route wanted at QoS 0 and nobody kept: a gap with its numbers, that costs no write.
struct UnstoredTests {
    private func node(storesQoS0: Bool = false, _ options: LogOptions = LogOptions()) throws -> Node {
        let node = try Node(log: options, starts: false)
        node.makeRoutes = { log, state in
            [
                RouteQueue(
                    name: "up/all", evictionClass: .normal, storesQoS0: storesQoS0, ttl: nil,
                    budgetBytes: node.routeBudget, log: log, state: state)
            ]
        }
        try node.start()
        return node
    }

    private func gaps(_ node: Node) -> [String] {
        (node.queues["up/all"]?.gaps ?? []).map { "\($0.run): \($0.first)-\($0.last) \($0.reason.rawValue)" }
    }

    @Test func whatIsNotStoredIsAGap() throws {
        let node = try node()
        let queue = try #require(node.queues["up/all"])
        let publisher = try node.client("publisher")
        node.advance(by: .seconds(3))
        let groups = node.log.submittedGroups

        for _ in 1...500 { publisher.publish("t", "x") }
        node.advance(by: .seconds(30))
        for _ in 1...500 { publisher.publish("t", "x") }
        node.advance(by: .seconds(30))

        #expect(gaps(node) == ["1: 1-1000 unstored"])
        #expect(queue.lost[.unstored] == 1000)
        #expect(node.log.submittedGroups == groups)
        #expect(queue.messages == 0)
        guard let gap = queue.gaps.first else { return }
        #expect(gap.to - gap.from == 30_000)
        // The far end has heard of it: nothing is left to be written either.
        queue.link = RouteLink(state: .healthy, smoothedMilliseconds: 1, hasRoom: true)
        queue.acknowledgeNews(gaps: queue.gaps, ended: [])
        node.advance(by: .seconds(3))
        #expect(gaps(node) == [])
        #expect(node.log.submittedGroups == groups)
        publisher.publish("t", "y")
        node.run()
        guard case .message(let next) = queue.peek() else {
            Issue.record("nothing to send")
            return
        }
        #expect(next.number == 1001)
    }

    /// It is on disk with what is written behind it, and after a clean end in any case.
    @Test(arguments: [false, true]) func itOutlivesAStop(isClean: Bool) throws {
        let node = try node()
        let publisher = try node.client("publisher")
        publisher.publish("t", "0")
        publisher.publish("t", "1", .atLeastOnce)
        node.advance(by: .seconds(2))
        publisher.publish("t", "2")
        node.advance(by: .seconds(2))

        if isClean {
            node.log.close(node.broker.routes.flatMap { $0.queue.endOfRun() }) {}
            node.run()
        }
        try node.restart()

        #expect(gaps(node) == (isClean ? ["1: 1-1 unstored", "1: 3-3 unstored"] : ["1: 1-1 unstored"]))
        #expect(node.queues["up/all"]?.ended.map(\.last) == [isClean ? 3 : nil])
        #expect(node.queues["up/all"]?.messages == 1)
    }

    /// No room in memory, and the connection's own is full.
    @Test func whatFindsNoRoomIsAGap() throws {
        let node = try node(storesQoS0: true, LogOptions(memoryBytes: 20_000))
        let publisher = try node.client("publisher")
        node.store.hold = true
        let payload = String(repeating: "x", count: 10_000)

        for _ in 0..<130 {
            publisher.publish("t", payload)
            node.run()
        }
        let lost = try #require(node.queues["up/all"]).lost[.unstored] ?? 0
        #expect((1...40).contains(lost))
        #expect(node.broker.figures.dropped == lost)
        node.store.hold = false
        node.advance(by: .seconds(5))

        let queue = try #require(node.queues["up/all"])
        var kept = 0
        reading: while true {
            switch queue.peek() {
            case .message:
                kept += 1
                queue.advance()
            case .loading: node.run()
            case .empty: break reading
            }
        }
        #expect(kept == 130 - Int(lost))
    }

    /// The route's own budget, where nothing is to be evicted for it.
    @Test(arguments: [ProtocolVersion.v311, .v5]) func aRoutesBudgetRefuses(version: ProtocolVersion) throws {
        let node = try node(storesQoS0: true, LogOptions(refusesWhenFull: true))
        node.kill()
        node.routeBudget = 5000
        node.databaseOptions.whenFull = .refuse
        try node.start()
        let publisher = try node.client("publisher", version)
        var answers: [ReasonCode] = []
        for _ in 0..<10 {
            publisher.publish("t", String(repeating: "x", count: 1000), .atLeastOnce)
            answers += publisher.takeAcknowledgements().map(\.reason)
        }

        #expect(
            answers == Array(repeating: .success, count: 5)
                + (version == .v5 ? Array(repeating: .quotaExceeded, count: 5) : []))
        #expect(node.queues["up/all"]?.messages == 5)
        #expect(node.queues["up/all"]?.isAtBudget == true)
        #expect(
            node.lines.filter { $0.contains("budget") || $0.contains("takes nothing") } == [
                "route up/all is at its own budget (uplink.route.budget): what it would have to keep is refused"
            ])
        node.advance(by: .seconds(12))
        #expect(publisher.isClosed == (version == .v311))
    }
}
