import EventLoop
import MQTT
import Store
import Testing

@testable import Uplink

@Suite struct BatchSenderTests {
    @Test func messagesArriveInOneBatchAfterTheDelay() throws {
        let world = try World()
        world.connect()
        world.settle()
        for number in 1...3 { world.publish("\(number)", qos: .atMostOnce) }

        world.settle()
        #expect(world.upstream.received.isEmpty)
        world.pass(.milliseconds(1000))

        #expect(world.upstream.batches.count == 1)
        let batch = try #require(world.upstream.batches.first)
        #expect(batch.messages.map(\.payload) == ["1", "2", "3"])
        #expect(batch.header.sequence == 1)
        #expect(batch.header.run == BatchRun(epoch: 0xABCD))
        #expect(batch.header.route == "cloud/plant")
        #expect(world.upstream.received[0].topic == Batch.topic(prefix: "roost/batch", node: "pump-7"))
        #expect(world.queues[0].messages == 0)
        #expect(world.uplink.figures.acknowledgedMessages == 3)
    }

    @Test func aFullBatchGoesAtOnce() throws {
        let world = try World(routes: [RouteOptions(name: "plant", batchBytes: 2000)])
        world.connect()
        for number in 1...30 { world.publish("message \(number) " + String(repeating: "x", count: 200)) }

        world.settle()

        let numbers = world.upstream.batches.flatMap { batch in
            batch.messages.indices.map { batch.header.sequence + UInt64($0) }
        }
        #expect(Set(numbers).count >= 20)
        #expect(numbers == numbers.sorted())
        #expect(world.upstream.batches.allSatisfy { $0.messages.count <= 9 })
    }

    @Test func whatAFullBatchLeavesGoesAtOnceWhereItFillsAnother() throws {
        let world = try World(routes: [RouteOptions(name: "plant", batchBytes: 2000)])
        world.connect()
        for number in 1...40 { world.publish("\(number)", waits: true) }
        world.pass(.seconds(2))
        let before = world.upstream.batches.count

        for _ in 1...9 { world.publish(String(repeating: "x", count: 900), waits: true) }
        world.settle()

        #expect(world.upstream.batches.dropFirst(before).map(\.messages.count) == [2, 2, 2, 2])
    }

    @Test func anAwaitedMessageGoesAtOnceWhereItCanSettle() throws {
        let world = try World()
        world.connect()

        world.publish("1", waits: true)
        world.settle()

        #expect(world.upstream.batches.map(\.messages.count) == [1])
        #expect(world.waiter.settled == [.success])
        #expect(world.engine.groups.allSatisfy { $0.segments.isEmpty })
    }

    @Test func aBacklogGoesInOrderAfterACut() throws {
        let world = try World()
        world.connect()
        world.upstream.isSilent = true
        for number in 1...50 { world.publish("\(number)") }
        world.pass(.seconds(2))
        #expect(world.upstream.batches.count == 1)

        world.network.cut(.broken)
        world.settle()
        for number in 51...60 { world.publish("\(number)") }
        world.network.restore()
        world.upstream.isSilent = false
        world.pass(.seconds(5))

        let again = world.upstream.batches.dropFirst()
        #expect(again.flatMap(\.messages).map(\.payload) == (1...60).map { "\($0)" })
        #expect(again.first?.header.sequence == 1)
        #expect(world.queues[0].messages == 0)
        #expect(world.uplink.figures.reconnects == 1)
    }

    @Test func aBatchThatGoesAgainInTheSameSessionSaysSo() throws {
        let world = try World()
        world.upstream.connack.sessionPresent = true
        world.connect()
        world.upstream.isSilent = true
        world.publish("1")
        world.pass(.seconds(2))
        let first = try #require(world.upstream.received.first)

        world.upstream.close()
        world.upstream.isSilent = false
        world.pass(.seconds(5))

        let second = world.upstream.received[1]
        #expect(second.isDuplicate)
        #expect(second.identifier == first.identifier)
        #expect(!first.isDuplicate)
    }

    @Test func noReceiverHoldsTheRoute() throws {
        let world = try World()
        world.upstream.answer = { _ in .reason(.noMatchingSubscribers) }
        world.connect()
        world.publish("1")
        world.pass(.milliseconds(1100))

        #expect(world.uplink.state == .noReceiver)
        #expect(world.queues[0].messages == 1)
        #expect(world.upstream.received.count == 1)

        world.upstream.answer = { _ in .reason(.success) }
        world.pass(.seconds(3))

        #expect(world.uplink.state == .connected)
        #expect(world.queues[0].messages == 0)
        #expect(world.states.contains(.noReceiver))
    }

    @Test func aFullReceiverIsTriedAgainLater() throws {
        let world = try World()
        world.upstream.answer = { _ in .reason(.quotaExceeded) }
        world.connect()
        world.publish("1")
        world.pass(.milliseconds(1100))
        #expect(world.uplink.holding(route: 0) == "the upstream answers: quota exceeded")

        world.pass(.seconds(20))
        #expect((3...6).contains(world.upstream.received.count))
        world.upstream.answer = { _ in .reason(.success) }
        world.pass(.seconds(40))

        #expect(world.queues[0].messages == 0)
        #expect(world.queues[0].gaps.isEmpty)
    }

    /// A receiver that refuses batches with a message that says "bad".
    private static func refuseBad(_ message: ScriptedUpstream.Received) -> ScriptedUpstream.Answer {
        guard let (_, inner, _) = try? openBatch(message.payload) else { return .close }
        return .reason(inner.contains { $0.payload == "bad" } ? .payloadFormatInvalid : .success)
    }

    @Test(arguments: [1, 2, 7, 16, 20])
    func aRefusedMessageIsFoundByHalvesAndSetAside(place: Int) throws {
        let world = try World()
        world.upstream.answer = Self.refuseBad
        world.connect()
        for number in 1...20 { world.publish(number == place ? "bad" : "\(number)") }

        world.pass(.seconds(10))

        let accepted = world.upstream.batches.filter { !$0.messages.contains { $0.payload == "bad" } }
        let arrived = accepted.flatMap(\.messages).map(\.payload)
        #expect(Set(arrived) == Set((1...20).filter { $0 != place }.map { "\($0)" }))
        #expect(world.queues[0].messages == 0)
        let gaps = accepted.flatMap(\.header.gaps)
        #expect(gaps.map(\.first) == [UInt64(place)])
        #expect(gaps.map(\.reason) == ["refused"])
        #expect(world.queues[0].gaps.isEmpty)
        #expect(world.queues[0].refused == 1)
    }

    @Test func threeClosedConnectionsAtABatchAreARefusal() throws {
        let world = try World()
        world.upstream.answer = { message in
            if case .reason(.payloadFormatInvalid) = Self.refuseBad(message) { return .close }
            return .reason(.success)
        }
        world.connect()
        for payload in ["1", "2", "bad", "4"] { world.publish(payload) }

        world.pass(.seconds(400), step: .milliseconds(500))

        #expect(world.queues[0].refused == 1)
        #expect(world.queues[0].messages == 0)
        #expect(world.upstream.batches.contains { $0.messages.map(\.payload) == ["4"] })
    }

    @Test func aReceiverThatRefusesEverythingLosesNothing() throws {
        let world = try World()
        world.upstream.answer = { _ in .reason(.payloadFormatInvalid) }
        world.connect()
        for number in 1...40 { world.publish("\(number)") }

        world.pass(.seconds(30))

        #expect(world.uplink.holding(route: 0) == "the receiver refuses everything")
        #expect(world.queues[0].refused == 0)
        #expect(world.queues[0].messages == 40)

        world.upstream.answer = { _ in .reason(.success) }
        world.pass(.seconds(130), step: .milliseconds(500))

        #expect(world.queues[0].messages == 0)
        #expect(world.queues[0].gaps.isEmpty)
    }

    @Test func batchesFitTheUpstreamsMaximumPacketSize() throws {
        let world = try World()
        world.upstream.connack.maximumPacketSize = 1000
        world.connect()
        var numbers = SplitMix64(state: 1)
        var sent: [String] = []
        for number in 1...40 {
            let noise = (0..<6).map { _ in String(numbers.next(), radix: 36) }.joined()
            sent.append("\(number) " + noise)
            world.publish(sent[number - 1])
        }
        world.publish((0..<200).map { _ in String(numbers.next(), radix: 36) }.joined())
        world.publish("last")

        world.pass(.seconds(5))

        #expect(world.upstream.batches.flatMap(\.messages).map(\.payload) == sent + ["last"])
        #expect(world.upstream.received.allSatisfy { $0.payload.count < 1000 })
        #expect(world.queues[0].refused == 1)
        #expect(world.queues[0].messages == 0)
    }

    @Test func theServersReceiveMaximumIsKept() throws {
        let world = try World(routes: [RouteOptions(name: "plant", batchBytes: 500)])
        world.upstream.connack.receiveMaximum = 3
        var open = 0
        var most = 0
        world.upstream.answer = { _ in
            open += 1
            most = max(most, open)
            return .silence
        }
        world.connect()
        for number in 1...100 { world.publish("\(number)" + String(repeating: "x", count: 100)) }
        world.pass(.seconds(2))
        #expect(most == 3)

        while world.queues[0].messages > 0 {
            let waiting = world.upstream.received.suffix(open)
            open = 0
            for message in waiting { world.upstream.acknowledge(message) }
            let before = world.queues[0].messages
            world.pass(.milliseconds(1100))
            try #require(world.queues[0].messages < before)
        }

        #expect(most <= 3)
        #expect(world.upstream.batches.flatMap(\.messages).count == 100)
    }

    @Test func expiredMessagesBecomeAGapAndBatchesDoNotSpanIt() throws {
        let world = try World()
        world.publish("1")
        world.publish("2", expiry: 1)
        world.publish("3", expiry: 60)
        world.pass(.seconds(5))

        world.connect()
        world.pass(.seconds(3))

        #expect(world.upstream.batches.map { $0.messages.map(\.payload) }.filter { !$0.isEmpty } == [["1"], ["3"]])
        #expect(world.upstream.batches.flatMap(\.messages).last?.expiry == 55)
        #expect(world.upstream.batches.flatMap(\.header.gaps).map(\.first) == [2])
        #expect(world.upstream.batches.flatMap(\.header.gaps).map(\.reason) == ["expired"])
        #expect(world.queues[0].gaps.isEmpty)
    }

    @Test func anEmptyBatchIsASignOfLife() throws {
        let world = try World { $0.heartbeat = .seconds(60) }
        world.connect()
        world.publish("1")
        world.pass(.seconds(5))
        #expect(world.upstream.batches.count == 1)

        world.pass(.seconds(130), step: .seconds(1))

        #expect(world.upstream.batches.map(\.header.sequence) == [1, 2, 2])
        #expect(world.upstream.batches.map(\.messages.count) == [1, 0, 0])
    }
}
