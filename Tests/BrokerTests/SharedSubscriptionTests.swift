import EventLoop
import MQTT
import Testing

@testable import Broker
@testable import Store

/// Shared Subscriptions (MQTT 5 §4.8.2): who gets what, and what becomes of messages whose member is gone.
struct SharedSubscriptionTests {
    static let versions: [ProtocolVersion] = [.v311, .v5]
    /// Session Expiry Intervals: the session ends with its connection, or is kept.
    static let expiries: [UInt32?] = [nil, 3600]

    func member(
        _ node: Node, _ name: String, expiry: UInt32? = nil, qos: QoS = .atLeastOnce, clean: Bool = true,
        receiveMaximum: UInt16 = 65_535, acknowledges: Bool = false
    ) throws -> TestClient {
        let client = try node.client(
            name, clean: clean, expiry: expiry, receiveMaximum: receiveMaximum, acknowledges: acknowledges)
        #expect(client.subscribed("$share/g/t/#", qos) == [ReasonCode(rawValue: qos.rawValue)])
        return client
    }

    func back(_ node: Node, _ name: String) throws -> TestClient {
        let client = try node.client(name, clean: false, expiry: 3600)
        #expect(client.connack?.sessionPresent == true)
        return client
    }

    // MARK: Who gets a message

    @Test(
        "each message goes to one member, in turn", arguments: versions, [QoS.atMostOnce, .atLeastOnce, .exactlyOnce])
    func inTurn(version: ProtocolVersion, qos: QoS) throws {
        let node = try Node()
        let members = try (0..<3).map { try node.client("m\($0)", version, acknowledges: true) }
        for member in members {
            #expect(member.subscribed("$share/g/t/#", qos) == [ReasonCode(rawValue: qos.rawValue)])
        }
        let other = try node.client("other", acknowledges: true)
        other.subscribed("t/#", qos)
        let publisher = try node.client("publisher")
        for number in 0..<30 { publisher.publish("t/a", "\(number)", qos) }

        let taken = members.map { $0.takeDeliveries().map(\.payload) }
        #expect(taken.map(\.count) == [10, 10, 10])
        #expect(Set(taken.joined()).count == 30)
        #expect(other.takeDeliveries().count == 30)
        #expect(node.broker.shares.values.first?.queuedMessages == 0)
        #expect(node.broker.subscriptionCount == 4)
    }

    @Test func namesAndFiltersMakeGroups() throws {
        let node = try Node()
        let client = try node.client("a", acknowledges: true)
        client.subscribed("$share/g/t", .atLeastOnce)
        client.subscribed("$share/h/t", .atLeastOnce)
        client.subscribed("$share/g/+", .atLeastOnce)
        client.subscribed("t", .atLeastOnce)
        try node.client("publisher").publish("t", "1", .atLeastOnce)

        #expect(client.takeMessages() == ["t=1/1", "t=1/1", "t=1/1", "t=1/1"])
        #expect(client.connack?.sharedSubscriptionAvailable == true)
        client.unsubscribe("$share/g/t", "$share/g/t", "$share/g/x")
        #expect(
            client.take() == [
                .unsuback(
                    Unsuback(packetIdentifier: 5, reasons: [.success, .noSubscriptionExisted, .noSubscriptionExisted]))
            ])
        try node.client("publisher").publish("t", "2", .atLeastOnce)
        #expect(client.takeMessages().count == 3)
        #expect(node.broker.shares.count == 2)
    }

    @Test("[MQTT-4.8.2-3] at the QoS that each was granted, with its options") func optionsOfTheMember() throws {
        let node = try Node()
        let one = try node.client("one", expiry: 3600, acknowledges: true)
        one.subscribed("$share/g/t", .atMostOnce, identifier: 7)
        let two = try node.client("two", expiry: 3600, acknowledges: true)
        two.subscribed("$share/g/t", .exactlyOnce, retainAsPublished: true, identifier: 8)
        let publisher = try node.client("publisher")
        for number in 1...4 { publisher.publish("t", "\(number)", .exactlyOnce, retain: true) }
        publisher.take()

        let (first, second) = (one.takeDeliveries(), two.takeDeliveries())
        #expect(first.map(\.description) == ["t=1/0", "t=3/0"])
        #expect(first.map(\.subscriptionIdentifiers) == [[7], [7]])
        #expect(second.map(\.description) == ["t=2/2r", "t=4/2r"])
        #expect(second.map(\.subscriptionIdentifiers) == [[8], [8]])
    }

    @Test func noRetainedMessagesAtSubscribe() throws {
        let node = try Node()
        try node.client("publisher").publish("t/1", "kept", .atLeastOnce, retain: true)
        let member = try member(node, "a", expiry: 3600)
        #expect(member.takeDeliveries().isEmpty)
    }

    @Test("past those that are away, full or slow", arguments: expiries) func pastTheFull(expiry: UInt32?) throws {
        let node = try Node()
        let full = try member(node, "full", expiry: expiry, receiveMaximum: 2)
        let away = try member(node, "away", expiry: 3600)
        away.disconnect()
        let able = try member(node, "able", expiry: expiry, acknowledges: true)
        let publisher = try node.client("publisher")
        for number in 0..<10 { publisher.publish("t", "\(number)", .atLeastOnce) }
        node.advance(by: node.logOptions.settle)

        #expect(publisher.takeAcknowledgements().count == 10)
        #expect(full.takeDeliveries().map(\.payload) == ["0", "2"])
        #expect(able.takeDeliveries().count == 8)
        full.drop()
        #expect(able.takeDeliveries().map(\.payload) == ["0", "2"])
        let returned = try node.client("away", clean: false, expiry: 3600)
        #expect(returned.takeDeliveries().isEmpty)
    }

    @Test("all are full: what waits goes to whoever acknowledges first", arguments: expiries)
    func backlog(expiry: UInt32?) throws {
        let node = try Node()
        let one = try member(node, "one", expiry: expiry, receiveMaximum: 1)
        let two = try member(node, "two", expiry: expiry, receiveMaximum: 1)
        let publisher = try node.client("publisher")
        for number in 0..<6 { publisher.publish("t", "\(number)", .atLeastOnce) }
        node.run()
        _ = one.takeDeliveries()
        var open = two.takeDeliveries()
        var taken: [String] = []
        while let delivery = open.popLast() {
            taken.append(delivery.payload)
            two.acknowledge(.puback, delivery.identifier)
            open += two.takeDeliveries()
        }
        #expect(taken == ["1", "2", "3", "4", "5"])
        #expect(node.broker.shares.values.first?.queuedMessages == (expiry == nil ? 0 : 1))
        #expect(node.broker.shares.values.first?.inflightCount == 1)
    }

    @Test("[MQTT-4.6.0-5] nobody is there: kept in order for who comes back") func keptForWhoComesBack() throws {
        let node = try Node()
        try member(node, "one", expiry: 3600).disconnect()
        try member(node, "two", expiry: 3600).disconnect()
        let publisher = try node.client("publisher")
        for number in 0..<5 { publisher.publish("t", "\(number)", .atLeastOnce) }
        #expect(publisher.takeAcknowledgements().count == 5)
        let share = try #require(node.broker.shares.values.first)
        #expect(share.queuedMessages == 5)

        let two = try back(node, "two")

        #expect(two.takeDeliveries().map(\.payload) == (0..<5).map { "\($0)" })
        #expect(try back(node, "one").takeDeliveries().isEmpty)
    }

    @Test func aMessageIsStoredOnceForTheGroup() throws {
        let node = try Node()
        for number in 0..<5 { try member(node, "m\(number)", expiry: 3600).disconnect() }
        try node.client("publisher").publish("t", "1", .atLeastOnce)
        node.run()

        #expect(node.log.streams.values.map(\.averageBytes).count == 1)
        #expect(node.log.streams.values.first?.next == 2)
    }

    // MARK: A member goes

    @Test("its unacknowledged messages go to another, in order", arguments: expiries, [false, true])
    func redelivery(expiry: UInt32?, endsSession: Bool) throws {
        let node = try Node()
        let one = try member(node, "one", expiry: expiry)
        let two = try member(node, "two", expiry: expiry)
        let publisher = try node.client("publisher")
        for number in 0..<6 { publisher.publish("t", "\(number)", .atLeastOnce) }
        #expect(one.takeDeliveries().map(\.payload) == ["0", "2", "4"])
        _ = two.takeDeliveries()

        if endsSession { one.disconnect(expiry: expiry == nil ? nil : 0) } else { one.drop() }

        let again = two.takeDeliveries()
        #expect(again.map(\.description) == ["t=0/1", "t=2/1", "t=4/1"])
        #expect(Set(again.map(\.identifier)).count == 3)
        for delivery in again { two.acknowledge(.puback, delivery.identifier) }
        if expiry != nil, !endsSession { #expect(try back(node, "one").takeDeliveries().isEmpty) }
        two.drop()
        #expect(node.broker.shares.count == (expiry == nil ? 0 : 1))
    }

    @Test("without another, it gets them back itself, under their identifiers") func backToItself() throws {
        let node = try Node()
        let one = try member(node, "one", expiry: 3600)
        let publisher = try node.client("publisher")
        for number in 0..<3 { publisher.publish("t", "\(number)", .atLeastOnce) }
        let sent = one.takeDeliveries()
        one.drop()

        let again = try back(node, "one").takeDeliveries()

        #expect(again.map(\.description) == ["t=0/1d", "t=1/1d", "t=2/1d"])
        #expect(again.map(\.identifier) == sent.map(\.identifier))
    }

    @Test("who unsubscribes completes what it has begun", arguments: expiries) func unsubscribing(expiry: UInt32?)
        throws
    {
        let node = try Node()
        let one = try member(node, "one", expiry: expiry)
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .atLeastOnce)
        let first = try #require(one.takeDeliveries().first)
        one.unsubscribe("$share/g/t/#")
        one.take()
        publisher.publish("t", "2", .atLeastOnce)
        #expect(one.take().isEmpty)
        #expect(node.broker.shares.count == 1)

        one.acknowledge(.puback, first.identifier)
        node.run()

        #expect(node.broker.shares.isEmpty)
        node.advance(by: .seconds(2))
        #expect(node.log.streams.values.allSatisfy { $0.memberships.isEmpty })
    }

    @Test("... and what it doesn't acknowledge goes to who is left", arguments: expiries)
    func unsubscribingAndGone(expiry: UInt32?) throws {
        let node = try Node()
        let one = try member(node, "one", expiry: expiry)
        try node.client("publisher").publish("t", "1", .atLeastOnce)
        #expect(one.takeDeliveries().count == 1)
        let two = try member(node, "two", expiry: expiry)
        one.unsubscribe("$share/g/t/#")
        #expect(two.takeDeliveries().isEmpty)

        one.drop()

        #expect(two.takeMessages() == ["t=1/1"])
    }

    @Test("a group without members is gone, with what waits for it") func noMembers() throws {
        let node = try Node()
        try member(node, "one", expiry: 3600).disconnect()
        let publisher = try node.client("publisher")
        for number in 0..<3 { publisher.publish("t", "\(number)", .atLeastOnce) }
        publisher.take()

        let one = try back(node, "one")
        #expect(one.takeDeliveries().count == 3)
        one.disconnect(expiry: 0)

        #expect(node.broker.shares.isEmpty && node.broker.subscriptionCount == 0)
        node.advance(by: .seconds(2))
        #expect(node.log.streams.isEmpty)
        #expect(try member(node, "two", expiry: 3600).takeDeliveries().isEmpty)
    }

    @Test("the last member that is kept has gone: others empty the queue, and it goes") func fromTheLogToMemory() throws
    {
        let node = try Node()
        let kept = try member(node, "kept", expiry: 3600, receiveMaximum: 1)
        let publisher = try node.client("publisher")
        for number in 0..<4 { publisher.publish("t", "\(number)", .atLeastOnce) }
        publisher.take()
        let other = try member(node, "other", receiveMaximum: 1)
        #expect(other.takeDeliveries().map(\.payload) == ["1"])
        kept.disconnect(expiry: 0)
        publisher.publish("t", "4", .atLeastOnce)
        #expect(publisher.takeAcknowledgements().count == 1)
        let share = try #require(node.broker.shares.values.first)
        #expect(share.queue != nil && !share.isDurable)

        other.acknowledges = true
        other.acknowledge(.puback, 1)

        #expect(other.takeDeliveries().map(\.payload) == ["0", "2", "3", "4"])
        #expect(share.queue == nil && share.queuedMessages == 0)
    }

    // MARK: Refused by the member

    @Test(
        "[MQTT-4.8.2-6] what a member refuses goes to no other", arguments: expiries, [QoS.atLeastOnce, .exactlyOnce])
    func refused(expiry: UInt32?, qos: QoS) throws {
        let node = try Node()
        let one = try member(node, "one", expiry: expiry, qos: qos)
        try node.client("publisher").publish("t", "1", qos)
        let delivery = try #require(one.takeDeliveries().first)
        let two = try member(node, "two", expiry: expiry, qos: qos)

        one.acknowledge(qos == .atLeastOnce ? .puback : .pubrec, delivery.identifier, .unspecifiedError)
        node.run()
        one.drop()

        #expect(two.takeDeliveries().isEmpty)
        #expect(node.broker.shares.values.first?.queuedMessages == 0)
    }

    // MARK: Acknowledging the publisher

    @Test("the publisher hears when the message is safe") func pubackComesAfterCommit() throws {
        let node = try Node()
        try member(node, "one", expiry: 3600).disconnect()
        let publisher = try node.client("publisher")
        node.store.hold = true
        publisher.publish("t", "1", .atLeastOnce)
        #expect(publisher.takeAcknowledgements().isEmpty)
        node.store.hold = false
        #expect(publisher.takeAcknowledgements().count == 1)
    }

    @Test("... or when a member has it, and nothing is written") func acknowledgedByAMemberIsNeverWritten() throws {
        let node = try Node()
        let members = try (0..<2).map { try member(node, "m\($0)", expiry: 3600, acknowledges: true) }
        node.advance(by: .seconds(2))
        node.store.hold = true
        let publisher = try node.client("publisher")
        for number in 0..<4 { publisher.publish("t", "\(number)", .atLeastOnce) }

        #expect(publisher.takeAcknowledgements().count == 4)
        #expect(members.map { $0.takeDeliveries().count } == [2, 2])
        #expect(node.log.submittedBytes == 0)
    }

    // MARK: Limits

    @Test("the group's queue has a session's limits", arguments: [false, true]) func limits(isKept: Bool) throws {
        var limits = BrokerLimits()
        limits.sessionMessages = 5
        let node = try Node(limits: limits)
        let one = try member(node, "one", expiry: isKept ? 3600 : nil, receiveMaximum: 1)
        if isKept { one.disconnect() }
        let publisher = try node.client("publisher")
        for number in 0..<9 { publisher.publish("t", "\(number)", .atLeastOnce) }
        #expect(publisher.takeAcknowledgements().count == 9)

        let share = try #require(node.broker.shares.values.first)
        #expect(share.queuedMessages == 5)
        #expect(share.lostMessages == (isKept ? 4 : 3))
        #expect(node.broker.lostBySessions == share.lostMessages)
        #expect(node.lines.contains { $0.contains("shared subscription $share/g/t/# is full") })
    }

    @Test("a message too large for one goes to another") func tooLarge() throws {
        let node = try Node()
        let small = try node.client("small", maximumPacketSize: 100, acknowledges: true)
        small.subscribed("$share/g/t")
        let large = try node.client("large", acknowledges: true)
        large.subscribed("$share/g/t")
        let publisher = try node.client("publisher")
        for qos in [QoS.atMostOnce, .atLeastOnce] {
            for _ in 0..<4 { publisher.publish("t", String(repeating: "x", count: 200), qos) }
        }
        #expect(small.takeDeliveries().isEmpty)
        #expect(large.takeDeliveries().count == 8)
    }

    @Test("members' rights are their own") func rights() throws {
        let access = ScriptedAccess()
        access.rights["some"] = ScriptedRights(subscribe: ["t/a"])
        let node = try Node(starts: false)
        node.access = access
        try node.start()
        let some = try node.client("some", expiry: 3600, acknowledges: true, user: "some")
        #expect(some.subscribed("$share/g/u") == [.notAuthorized])
        some.subscribed("$share/g/t/+")
        let all = try node.client("all", expiry: 3600, acknowledges: true)
        all.subscribed("$share/g/t/+")
        let publisher = try node.client("publisher")

        for topic in ["t/b", "t/b", "t/a", "t/a", "t/a", "t/a"] { publisher.publish(topic, "1", .atLeastOnce) }
        publisher.take()
        #expect(some.takeDeliveries().map(\.topic) == ["t/a", "t/a"])
        #expect(all.takeDeliveries().count == 4)

        all.disconnect()
        for (number, topic) in ["t/b", "t/a", "t/b", "t/a"].enumerated() {
            publisher.publish(topic, "\(number)", .atLeastOnce)
        }
        #expect(publisher.takeAcknowledgements().count == 4)
        #expect(some.takeDeliveries().map(\.payload) == ["1", "3"])
        #expect(try back(node, "all").takeDeliveries().map(\.payload) == ["0", "2"])
    }
}
