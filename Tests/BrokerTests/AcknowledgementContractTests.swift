import EventLoop
import MQTT
import Store
import Testing

@testable import Broker

/// What an acknowledgement waits for (the promises of the design's first section).
struct AcknowledgementContractTests {
    /// A subscriber whose session persists and who is away.
    private func absentSubscriber(_ node: Node, _ filter: String = "t", _ qos: QoS = .exactlyOnce) throws {
        let subscriber = try node.client("absent", clean: true, expiry: 3600)
        subscriber.subscribed(filter, qos)
        subscriber.disconnect()
    }

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce])
    func comesAfterCommitForAPersistentSession(qos: QoS) throws {
        let node = try Node()
        try absentSubscriber(node)
        let publisher = try node.client("publisher")
        node.store.hold = true

        publisher.publish("t", "1", qos)
        node.advance(by: .seconds(5))
        #expect(publisher.take() == [])
        node.store.hold = false

        let type: PacketType = qos == .atLeastOnce ? .puback : .pubrec
        #expect(publisher.take() == [.acknowledgement(Acknowledgement(type, packetIdentifier: 1))])
    }

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce])
    func comesAfterCommitForARouteWhoseLinkIsDown(qos: QoS) throws {
        let node = try Node(routes: [("up/all", "#")])
        let publisher = try node.client("publisher")
        node.store.hold = true

        publisher.publish("t", "1", qos)
        node.advance(by: .seconds(5))
        #expect(publisher.take() == [])
        node.store.hold = false

        #expect(publisher.takeAcknowledgements().map(\.packetIdentifier) == [1])
    }

    @Test func comesAfterCommitForARetainedMessage() throws {
        let node = try Node()
        let publisher = try node.client("publisher")
        node.store.hold = true

        publisher.publish("t", "1", .atLeastOnce, retain: true)
        node.advance(by: .seconds(5))
        #expect(publisher.take() == [])
        node.store.hold = false

        #expect(publisher.takeAcknowledgements().map(\.packetIdentifier) == [1])
        try node.restart()
        let subscriber = try node.client("subscriber")
        subscriber.subscribed("t")
        #expect(subscriber.takeMessages() == ["t=1/1r"])
    }

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce])
    func comesAtOnceWithoutDurableDestination(qos: QoS) throws {
        let node = try Node()
        let subscriber = try node.client("subscriber")
        subscriber.subscribed("t", .exactlyOnce)
        let publisher = try node.client("publisher")
        node.store.hold = true

        publisher.publish("t", "1", qos)

        #expect(publisher.takeAcknowledgements().map(\.packetIdentifier) == [1])
        #expect(subscriber.takeMessages() == ["t=1/\(qos.rawValue)"])
    }

    @Test func nothingIsWrittenForASubscriberThatAcknowledgesInTime() throws {
        let node = try Node()
        let subscriber = try node.client("subscriber", expiry: 3600)
        subscriber.subscribed("t")
        subscriber.acknowledges = true
        let publisher = try node.client("publisher")
        node.advance(by: .seconds(3))
        let groups = node.log.submittedGroups

        for number in 1...20 {
            publisher.publish("t", "\(number)", .atLeastOnce)
            #expect(publisher.takeAcknowledgements().count == 1)
        }
        node.advance(by: .seconds(3))

        #expect(node.log.submittedBytes == 0)
        #expect(node.log.submittedGroups == groups)
        #expect(subscriber.takeDeliveries().count == 20)
    }

    @Test func settlesForTheWindowAndThenCommits() throws {
        let node = try Node()
        let subscriber = try node.client("subscriber", expiry: 3600)
        subscriber.subscribed("t")
        let publisher = try node.client("publisher")
        node.advance(by: .seconds(3))

        publisher.publish("t", "1", .atLeastOnce)
        node.advance(by: .milliseconds(19))
        #expect(publisher.take() == [])
        #expect(node.log.submittedBytes == 0)
        node.advance(by: .milliseconds(2))

        #expect(publisher.takeAcknowledgements().count == 1)
        #expect(node.log.submittedBytes > 0)
    }

    /// Once everything that was on disk is passed, a healthy subscriber costs no more writes than before.
    @Test func writesEndWhenTheBacklogIsGone() throws {
        let node = try Node()
        let first = try node.client("subscriber", expiry: 3600)
        first.subscribed("t")
        first.disconnect()
        let publisher = try node.client("publisher")
        publisher.publish("t", "0", .atLeastOnce)
        node.advance(by: .seconds(3))
        let subscriber = try node.client("subscriber", clean: false, expiry: 3600, acknowledges: true)
        node.advance(by: .seconds(3))
        #expect(subscriber.takeMessages() == ["t=0/1"])
        node.advance(by: .seconds(3))
        let groups = node.log.submittedGroups

        for number in 1...20 {
            publisher.publish("t", "\(number)", .atLeastOnce)
            node.advance(by: .seconds(2))
        }

        #expect(node.log.submittedGroups == groups)
    }

    @Test func qos0WithAHealthyRouteIsNeverWritten() throws {
        let node = try Node(routes: [("up/all", "#")])
        let queue = try #require(node.queues["up/all"])
        queue.link = RouteLink(state: .healthy, smoothedMilliseconds: 1, hasRoom: true)
        let publisher = try node.client("publisher")

        for number in 1...20 { publisher.publish("t", "\(number)") }
        node.advance(by: .seconds(10))
        #expect(node.log.submittedBytes == 0)
        queue.link.state = .doubt
        node.run()

        #expect(node.log.submittedBytes > 0)
    }

    @Test func comeInTheOrderOfTheirPublishes() throws {
        let node = try Node()
        try absentSubscriber(node, "kept/#")
        let publisher = try node.client("publisher")
        node.store.hold = true

        publisher.publish("kept/1", "", .atLeastOnce, identifier: 5)
        publisher.publish("free", "", .atLeastOnce, identifier: 3)
        publisher.publish("kept/2", "", .atLeastOnce, identifier: 4)
        publisher.publish("free", "", .exactlyOnce, identifier: 9)
        #expect(publisher.takeAcknowledgements().map(\.packetIdentifier) == [9])
        node.store.hold = false

        #expect(publisher.takeAcknowledgements().map(\.packetIdentifier) == [5, 3, 4])
    }

    // MARK: What else waits

    @Test func connackWaitsWhereASessionIsMadeOrDiscarded() throws {
        let node = try Node()
        node.store.hold = true
        let new = try node.client("a", expiry: 3600)
        #expect(new.connack == nil)
        node.store.hold = false
        node.run()
        new.takeConnack()
        #expect(new.connack?.sessionPresent == false)

        node.store.hold = true
        let resumed = try node.client("a", clean: false, expiry: 3600)
        #expect(resumed.connack?.sessionPresent == true)
        let discarding = try node.client("a", clean: true)
        #expect(discarding.connack == nil)
        node.store.hold = false
        node.run()
        discarding.takeConnack()
        #expect(discarding.connack?.sessionPresent == false)

        node.store.hold = true
        let ephemeral = try node.client("b")
        #expect(ephemeral.connack != nil)
    }

    @Test func subackAndUnsubackWaitForADurableSession() throws {
        let node = try Node()
        let durable = try node.client("a", expiry: 3600)
        let ephemeral = try node.client("b")
        node.store.hold = true

        durable.subscribe(.to("t"))
        ephemeral.subscribe(.to("t"))
        #expect(durable.take() == [])
        #expect(ephemeral.take().count == 1)
        node.store.hold = false
        #expect(durable.take().count == 1)
        node.store.hold = true

        durable.unsubscribe("t")
        #expect(durable.take() == [])
        node.store.hold = false
        #expect(durable.take() == [.unsuback(Unsuback(packetIdentifier: 2, reasons: [.success]))])
    }

    @Test func pubrecAndPubcompWaitForADurablePublisher() throws {
        let node = try Node()
        let publisher = try node.client("publisher", expiry: 3600)
        node.store.hold = true

        publisher.publish("t", "1", .exactlyOnce)
        #expect(publisher.take() == [])
        node.store.hold = false
        #expect(publisher.takeAcknowledgements().map(\.type) == [.pubrec])
        node.store.hold = true
        publisher.acknowledge(.pubrel, 1)
        #expect(publisher.take() == [])
        node.store.hold = false

        #expect(publisher.takeAcknowledgements().map(\.type) == [.pubcomp])
    }

    /// The identifier is on disk until its removal is: PUBCOMP frees it for another message, which must not look known.
    @Test func pubcompForARepeatedPubrelWaitsForTheFirst() throws {
        let node = try Node()
        let first = try node.client("publisher", expiry: 3600)
        first.publish("t", "1", .exactlyOnce, identifier: 1)
        #expect(first.takeAcknowledgements().map(\.type) == [.pubrec])
        node.store.hold = true

        first.acknowledge(.pubrel, 1)
        node.run()
        first.drop()
        let second = try node.client("publisher", clean: false, expiry: 3600)
        second.acknowledge(.pubrel, 1)

        #expect(second.take() == [])
        node.store.hold = false
        #expect(second.takeAcknowledgements().map(\.type) == [.pubcomp])
    }

    @Test func outboundQoS2WaitsForItsIdentifierAndPubrelForPubrec() throws {
        let node = try Node()
        let subscriber = try node.client("subscriber", expiry: 3600)
        subscriber.subscribed("t", .exactlyOnce)
        let publisher = try node.client("publisher")
        node.store.hold = true

        publisher.publish("t", "1", .exactlyOnce)
        #expect(subscriber.take() == [])
        node.store.hold = false
        let delivery = try #require(subscriber.takeDeliveries().first)
        #expect(delivery.description == "t=1/2")
        node.store.hold = true
        subscriber.acknowledge(.pubrec, delivery.identifier)
        #expect(subscriber.take() == [])
        node.store.hold = false

        #expect(subscriber.takeAcknowledgements().map(\.type) == [.pubrel])
    }

    /// A connected subscriber that is not durable must not be lost while the message waits for its commit.
    @Test func subscriberMayLeaveWhileAHeldMessageWaits() throws {
        let node = try Node()
        let subscriber = try node.client("subscriber")
        subscriber.subscribed("t", .exactlyOnce)
        let other = try node.client("other")
        other.subscribed("t", .exactlyOnce)
        let publisher = try node.client("publisher", expiry: 3600)
        node.store.hold = true

        publisher.publish("t", "1", .exactlyOnce)
        node.run()
        subscriber.drop()
        node.store.hold = false

        #expect(publisher.takeAcknowledgements().map(\.type) == [.pubrec])
        #expect(other.takeMessages() == ["t=1/2"])
    }
}
