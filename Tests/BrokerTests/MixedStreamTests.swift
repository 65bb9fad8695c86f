import EventLoop
import MQTT
import Testing

@testable import Broker
@testable import Store

/// Sessions whose sets are too many for streams of their own: each gets its own, and pays for nobody else.
struct MixedStreamTests {
    private func node(_ streams: Int = 0, limits: BrokerLimits = BrokerLimits()) throws -> Node {
        var options = LogOptions()
        options.maximumSessionStreams = streams
        return try Node(limits: limits, log: options)
    }

    /// Sessions that are away, each with its own filter, QoS and Subscription Identifier.
    private func away(_ count: Int, on node: Node) throws {
        for number in 1...count {
            let client = try node.client("s\(number)", expiry: 3600)
            client.subscribed(
                "t/\(number)", number % 2 == 0 ? .exactlyOnce : .atLeastOnce, identifier: UInt32(number))
            client.subscribed("all")
            client.disconnect()
        }
    }

    private func back(_ number: Int, on node: Node, acknowledges: Bool = true) throws -> TestClient {
        try node.client("s\(number)", clean: false, expiry: 3600, acknowledges: acknowledges)
    }

    private func publish(_ numbers: some Sequence<Int>, to topic: (Int) -> String, on node: Node) throws {
        let publisher = try node.client("publisher")
        for number in numbers { publisher.publish(topic(number), "\(number)", .atLeastOnce, identifier: 1) }
        node.run()
        #expect(publisher.takeAcknowledgements().count == Array(numbers).count)
        publisher.disconnect()
    }

    private func mixed(_ node: Node) throws -> [LogStream] {
        node.log.streams.values.filter { $0.record.kind == .mixed }.sorted {
            $0.record.id.rawValue < $1.record.id.rawValue
        }
    }

    /// What the mixed streams have in the database.
    private func stored(_ node: Node) throws -> [StoredState.Stream] {
        let database = try Database.openReadOnly(path: node.directory.path)
        defer { try? database.close() }
        return try database.load().streams.filter { $0.record.kind == .mixed && $0.messages > 0 }
    }

    private func payloads(_ numbers: some Sequence<Int>) -> [String] { numbers.map { "\($0)" } }

    @Test func setsBeyondTheLimitShareOneStream() throws {
        let node = try node(2)
        try away(6, on: node)

        try publish(1...12, to: { "t/\(1 + $0 % 6)" }, on: node)

        let kinds = node.log.streams.values.map(\.record.kind)
        #expect(kinds.count == 3 && kinds.filter { $0 == .mixed }.count == 1)
        for number in 1...6 {
            let expected = (1...12).filter { 1 + $0 % 6 == number }
            #expect(try back(number, on: node).takeDeliveries().map(\.payload) == payloads(expected))
        }
    }

    @Test(arguments: [0, 1, 2]) func eachGetsItsOwnAfterRestarts(restarts: Int) throws {
        let node = try node()
        try away(5, on: node)
        try publish(1...30, to: { $0 % 6 == 0 ? "all" : "t/\($0 % 6)" }, on: node)
        for _ in 0..<restarts { try node.restart() }

        for number in 1...5 {
            let deliveries = try back(number, on: node).takeDeliveries()

            #expect(deliveries.map(\.payload) == payloads((1...30).filter { [0, number].contains($0 % 6) }))
            for delivery in deliveries where delivery.topic != "all" {
                #expect(delivery.qos == .atLeastOnce)
                #expect(delivery.subscriptionIdentifiers == [UInt32(number)])
            }
        }
        node.advance(by: .seconds(3))
        #expect(try stored(node).isEmpty)
        node.advance(by: .seconds(130))
        #expect(try mixed(node).count == (restarts == 0 ? 1 : 0))
        try node.restart()
        for number in 1...5 { #expect(try back(number, on: node).takeDeliveries() == []) }
    }

    /// Out of order, and over a restart in the middle: only what was not acknowledged comes again.
    @Test func aRestartKeepsWhatWasAcknowledgedOutOfOrder() throws {
        let node = try node()
        try away(2, on: node)
        try publish(1...20, to: { "t/\(1 + $0 % 2)" }, on: node)
        let client = try back(1, on: node, acknowledges: false)
        let deliveries = client.takeDeliveries()
        #expect(deliveries.map(\.payload) == payloads(stride(from: 2, through: 20, by: 2)))
        for place in [0, 3, 4, 9] { client.acknowledge(.puback, deliveries[place].identifier) }
        node.advance(by: .seconds(3))
        try node.restart()

        #expect(try back(1, on: node).takeDeliveries().map(\.payload) == payloads([4, 6, 12, 14, 16, 18]))
        #expect(try back(2, on: node).takeDeliveries().map(\.payload) == payloads(stride(from: 1, through: 20, by: 2)))
    }

    @Test func qos2GoesOnUnderItsIdentifierAfterARestart() throws {
        let node = try node()
        let client = try node.client("a", expiry: 3600)
        client.subscribed("t", .exactlyOnce)
        let publisher = try node.client("publisher")
        for number in 1...3 { publisher.publish("t", "\(number)", .exactlyOnce, identifier: UInt16(number)) }
        node.run()
        let first = client.takeDeliveries()
        #expect(first.count == 3)
        client.acknowledge(.pubrec, first[1].identifier)
        node.advance(by: .seconds(2))
        try node.restart()

        let again = try node.client("a", clean: false, expiry: 3600)
        let received = again.take()

        let deliveries = received.compactMap { if case .publish(let delivery) = $0 { delivery } else { nil } }
        #expect(deliveries.map(\.payload) == ["1", "3"] && deliveries.allSatisfy(\.isDuplicate))
        #expect(deliveries.map(\.identifier) == [first[0].identifier, first[2].identifier])
        #expect(
            received.contains {
                if case .acknowledgement(let packet) = $0 {
                    packet.type == .pubrel && packet.packetIdentifier == first[1].identifier
                } else {
                    false
                }
            })
    }

    /// What a session that is away keeps is its own rows; what others have had goes.
    @Test func aSlowSessionPinsNobodyElses() throws {
        let node = try node()
        try away(2, on: node)
        for round in 0..<40 {
            try publish([round], to: { $0 % 20 == 0 ? "t/1" : "t/2" }, on: node)
            node.advance(by: .seconds(2))
        }
        #expect(try stored(node).map(\.messages) == [40])
        let fast = try back(2, on: node)
        #expect(fast.takeDeliveries().count == 38)
        node.advance(by: .seconds(3))

        #expect(try stored(node).map(\.messages) == [2])
        try node.restart()
        #expect(try back(2, on: node).takeDeliveries() == [])
        #expect(try back(1, on: node).takeDeliveries().map(\.payload) == ["0", "20"])
        node.advance(by: .seconds(3))
        #expect(try stored(node).isEmpty)
    }

    /// Who is away costs the writes of its own messages: the others' settle.
    @Test func whoIsAwayEndsNobodyElsesSettling() throws {
        let node = try node()
        try away(1, on: node)
        let present = try node.client("present", expiry: 3600, acknowledges: true)
        present.subscribed("present")
        try publish([1], to: { _ in "t/1" }, on: node)
        let publisher = try node.client("publisher")
        node.advance(by: .seconds(3))
        let groups = node.log.submittedGroups

        for number in 0..<20 {
            publisher.publish("present", "\(number)", .atLeastOnce)
            node.run()
            node.advance(by: .seconds(2))
        }

        #expect(publisher.takeAcknowledgements().count == 20)
        #expect(present.takeDeliveries().count == 20)
        #expect(node.log.submittedGroups == groups)
    }

    /// Who had the message before it was written for another isn't stored with it, and gets it no second time.
    @Test func whoFinishedBeforeTheWriteNeedsNoPosition() throws {
        let node = try node()
        let silent = try node.client("silent", expiry: 3600)
        silent.subscribed("t")
        let present = try node.client("present", expiry: 3600, acknowledges: true)
        present.subscribed("t")
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .atLeastOnce)
        node.run()
        #expect(present.takeDeliveries().count == 1)
        #expect(publisher.takeAcknowledgements().isEmpty)
        node.advance(by: .milliseconds(21))
        #expect(publisher.takeAcknowledgements().count == 1)
        node.kill()
        try node.start()

        #expect(try node.client("present", clean: false, expiry: 3600).takeDeliveries() == [])
        #expect(try node.client("silent", clean: false, expiry: 3600).takeDeliveries().map(\.payload) == ["1"])
    }

    @Test(arguments: [false, true]) func aLimitTakesItsOwn(losesNewest: Bool) throws {
        var limits = BrokerLimits()
        limits.sessionMessages = 10
        limits.sessionFullLosesNewest = losesNewest
        let node = try node(limits: limits)
        try away(2, on: node)
        try publish(1...30, to: { "t/\(1 + $0 % 2)" }, on: node)
        node.advance(by: .seconds(2))
        try node.restart()

        let odd = Array(stride(from: 1, through: 30, by: 2))
        #expect(
            try back(2, on: node).takeDeliveries().map(\.payload)
                == payloads(losesNewest ? odd.prefix(10) : odd.suffix(10)))
    }

    /// A row that goes from the middle takes what was in it, from those that it was for.
    @Test func evictionTakesItsOwnersMessages() throws {
        let node = try node()
        try away(2, on: node)
        for round in 0..<5 {
            try publish(round * 10 + 1...round * 10 + 10, to: { "t/\(1 + $0 % 2)" }, on: node)
            node.advance(by: .seconds(2))
        }
        let stream = try #require(try mixed(node).first)
        for first in [UInt64(1), 21] {
            let removal = Removal(
                stream: stream.record.id, first: first, last: first + 9, bytes: 0, reason: .evicted, from: 0, to: 0)
            node.log.handle(.expired([removal], usedBytes: 0))
        }

        #expect(node.broker.sessions[[UInt8]("s1".utf8)]?.lostMessages == 10)
        #expect(node.broker.sessions[[UInt8]("s1".utf8)]?.queuedMessages == 15)
        let kept = (1...50).filter { !(1...10).contains($0) && !(21...30).contains($0) }
        #expect(try back(1, on: node).takeDeliveries().map(\.payload) == payloads(kept.filter { $0 % 2 == 0 }))
        node.advance(by: .seconds(3))
        #expect(try back(2, on: node).takeDeliveries().map(\.payload) == payloads(kept.filter { $0 % 2 == 1 }))
        node.advance(by: .seconds(3))
        #expect(try stored(node).isEmpty)
    }

    /// By the store itself, at its budget.
    @Test func aBudgetIsKept() throws {
        var options = LogOptions()
        options.maximumSessionStreams = 0
        options.budgetBytes = 200_000
        let node = try Node(log: options)
        try away(3, on: node)
        let publisher = try node.client("publisher")
        for number in 1...600 {
            publisher.publish("t/\(1 + number % 3)", "\(number)-\(String(repeating: "x", count: 500))", .atLeastOnce)
            if number % 10 == 0 { node.advance(by: .milliseconds(50)) }
        }
        #expect(publisher.takeAcknowledgements().count == 600)
        #expect(node.log.usedBytes <= 200_000)
        try node.restart()

        for number in 1...3 {
            let got = try back(number, on: node).takeDeliveries().compactMap { Int($0.payload.prefix { $0 != "-" }) }
            #expect(got == got.sorted() && got.allSatisfy { 1 + $0 % 3 == number })
            #expect(got.last ?? 0 > 597)
        }
    }

    /// A session that ended leaves nothing that would keep rows, or that a new one inherits.
    @Test(arguments: [false, true]) func whoIsGoneLeavesNothing(dies: Bool) throws {
        let node = try node()
        try away(3, on: node)
        try publish(1...30, to: { "t/\(1 + $0 % 3)" }, on: node)
        node.advance(by: .seconds(2))
        _ = try node.client("s2", clean: true, expiry: 0)
        if !dies { node.advance(by: .seconds(2)) }
        try node.restart()
        try node.client("stranger", expiry: 3600).disconnect()
        node.advance(by: .seconds(2))
        try node.restart()

        #expect(try node.client("stranger", clean: false, expiry: 3600).takeDeliveries() == [])
        #expect(try back(1, on: node).takeDeliveries().count == 10)
        #expect(try back(3, on: node).takeDeliveries().count == 10)
        node.advance(by: .seconds(3))
        #expect(try stored(node).isEmpty)
    }

    /// The only session of a mixed stream ends while the node is down: the rows go at the start.
    @Test func rowsOfNobodyGoAtTheStart() throws {
        let node = try node()
        try away(2, on: node)
        try publish(1...20, to: { "t/\(1 + ($0 > 10 ? 0 : 1))" }, on: node)
        node.advance(by: .seconds(2))
        node.kill()
        let database = try Database.open(path: node.directory.path)
        let session = try #require(
            try database.load().sessions.first { $0.record.clientIdentifier == [UInt8]("s2".utf8) })
        _ = try database.commit(CommitGroup(number: 1, segments: [], changes: [.sessionRemoved(session.record.id)]))
        try database.close()

        try node.start()
        #expect(try back(1, on: node).takeDeliveries().map(\.payload) == payloads(11...20))
        node.advance(by: .seconds(3))
        #expect(try stored(node).isEmpty)
    }

    /// Read back in steps, by many at once.
    @Test func aBacklogLargerThanMemoryIsReadInSteps() throws {
        var options = LogOptions()
        options.maximumSessionStreams = 0
        options.memoryBytes = 200_000
        let node = try Node(log: options)
        try away(10, on: node)
        let publisher = try node.client("publisher")
        for number in 1...1000 {
            publisher.publish("t/\(1 + number % 10)", "\(number)-\(String(repeating: "x", count: 1000))", .atLeastOnce)
            if number % 20 == 0 { node.advance(by: .milliseconds(50)) }
        }
        #expect(publisher.takeAcknowledgements().count == 1000)
        try node.restart()

        let clients = try (1...10).map { try back($0, on: node) }
        node.run()

        for (place, client) in clients.enumerated() {
            let got = client.takeDeliveries().compactMap { Int($0.payload.prefix { $0 != "-" }) }
            #expect(got == (1...1000).filter { $0 % 10 == place })
        }
    }
}
