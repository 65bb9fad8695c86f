import EventLoop
import MQTT
import Store
import Testing

@testable import Broker

/// A SIGKILL on either side of each commit of a QoS 2 exchange, and what the clients find afterwards.
struct CrashTests {
    private func subscriber(_ node: Node) throws -> TestClient {
        let client = try node.client("subscriber", expiry: 3600)
        client.subscribed("t", .exactlyOnce)
        return client
    }

    private func back(_ node: Node, _ name: String = "subscriber") throws -> TestClient {
        let client = try node.client(name, clean: false, expiry: 3600)
        #expect(client.connack?.sessionPresent == true)
        return client
    }

    // MARK: Towards a subscriber

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce]) func acknowledgedIsDelivered(qos: QoS) throws {
        let node = try Node()
        try subscriber(node).disconnect()
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", qos)
        publisher.publish("t", "2", qos)
        #expect(publisher.takeAcknowledgements().count == 2)

        try node.restart()

        #expect(try back(node).takeMessages() == ["t=1/\(qos.rawValue)", "t=2/\(qos.rawValue)"])
    }

    @Test func notCommittedWasNotAcknowledged() throws {
        let node = try Node()
        try subscriber(node).disconnect()
        let publisher = try node.client("publisher")
        node.store.hold = true
        publisher.publish("t", "1", .atLeastOnce)
        #expect(publisher.take() == [])

        try node.restart()

        #expect(try back(node).take() == [])
    }

    @Test func aPublishThatWasSentComesAgainUnderItsIdentifier() throws {
        let node = try Node()
        let first = try subscriber(node)
        let publisher = try node.client("publisher")
        for number in 1...3 { publisher.publish("t", "\(number)", .exactlyOnce) }
        let sent = first.takeDeliveries()
        #expect(sent.map(\.isDuplicate) == [false, false, false])

        try node.restart()

        let again = try back(node).takeDeliveries()
        #expect(again.map(\.description) == ["t=1/2d", "t=2/2d", "t=3/2d"])
        #expect(again.map(\.identifier) == sent.map(\.identifier))
    }

    /// An identifier that may be in use is not given to another message.
    @Test func identifiersInUseAreNotGivenAgain() throws {
        let node = try Node()
        let first = try subscriber(node)
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .exactlyOnce)
        let identifier = try #require(first.takeDeliveries().first).identifier
        try node.restart()

        let second = try back(node)
        let other = try node.client("publisher")
        other.publish("t", "2", .exactlyOnce)
        other.publish("t", "3", .atLeastOnce)

        let deliveries = second.takeDeliveries()
        #expect(deliveries.map(\.payload).sorted() == ["1", "2", "3"])
        #expect(Set(deliveries.map(\.identifier)).count == 3)
        #expect(deliveries.first { $0.payload == "1" }?.identifier == identifier)
    }

    @Test(arguments: [false, true]) func pubrec(isCommitted: Bool) throws {
        let node = try Node()
        let first = try subscriber(node)
        try node.client("publisher").publish("t", "1", .exactlyOnce)
        let identifier = try #require(first.takeDeliveries().first).identifier
        node.store.hold = !isCommitted
        first.acknowledge(.pubrec, identifier)
        #expect(first.takeAcknowledgements().map(\.type) == (isCommitted ? [.pubrel] : []))

        try node.restart()
        let second = try back(node)

        if !isCommitted {
            #expect(second.takeMessages() == ["t=1/2d"])
            second.acknowledge(.pubrec, identifier)
        }
        let released = second.takeAcknowledgements()
        #expect(released == [Acknowledgement(.pubrel, packetIdentifier: identifier)])
        second.acknowledge(.pubcomp, identifier)
        node.advance(by: .seconds(2))
        try node.restart()
        #expect(try back(node).take() == [])
    }

    @Test func aFirstSendingAfterTheCommitIsNoDuplicate() throws {
        let node = try Node()
        let first = try subscriber(node)
        node.store.hold = true
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .exactlyOnce)
        node.run()
        first.drop()
        node.store.hold = false
        node.run()

        #expect(try back(node).takeMessages() == ["t=1/2"])
    }

    // MARK: From a publisher

    @Test(arguments: [false, true]) func publish(isCommitted: Bool) throws {
        let node = try Node()
        try subscriber(node).disconnect()
        let first = try node.client("publisher", expiry: 3600)
        node.store.hold = !isCommitted
        first.publish("t", "1", .exactlyOnce, identifier: 5)
        #expect(first.take().count == (isCommitted ? 1 : 0))
        try node.restart()

        let second = try back(node, "publisher")
        second.publish("t", "1", .exactlyOnce, isDuplicate: true, identifier: 5)

        #expect(second.takeAcknowledgements().map(\.type) == [.pubrec])
        #expect(try back(node).takeMessages() == ["t=1/2"])
    }

    @Test(arguments: [false, true]) func pubrel(isCommitted: Bool) throws {
        let node = try Node()
        try subscriber(node).disconnect()
        let first = try node.client("publisher", expiry: 3600)
        first.publish("t", "1", .exactlyOnce, identifier: 5)
        _ = first.take()
        node.store.hold = !isCommitted
        first.acknowledge(.pubrel, 5)
        #expect(first.take().count == (isCommitted ? 1 : 0))
        try node.restart()

        let second = try back(node, "publisher")
        if !isCommitted {
            second.acknowledge(.pubrel, 5)
            #expect(second.takeAcknowledgements().map(\.reason) == [.success])
        }
        second.publish("t", "2", .exactlyOnce, identifier: 5)

        #expect(second.takeAcknowledgements().map(\.type) == [.pubrec])
        #expect(try back(node).takeMessages() == ["t=1/2", "t=2/2"])
    }

    // MARK: The rest

    @Test func subscriptionsThatWereAcknowledgedAreThere() throws {
        let node = try Node()
        let client = try node.client("subscriber", expiry: 3600)
        client.subscribed("kept", .exactlyOnce, noLocal: true, retainAsPublished: true, identifier: 9)
        client.subscribed("gone")
        client.unsubscribe("gone")
        _ = client.take()

        try node.restart()
        let back = try back(node)
        let publisher = try node.client("publisher")
        publisher.publish("kept", "1", .atLeastOnce, retain: true)
        publisher.publish("gone", "2", .atLeastOnce)
        back.publish("kept", "own")

        let deliveries = back.takeDeliveries()
        #expect(deliveries.map(\.description) == ["kept=1/1r"])
        #expect(deliveries.first?.subscriptionIdentifiers == [9])
    }

    /// A route's numbers go on where its cursor was, and what was stored comes first.
    @Test func routesKeepTheirBacklog() throws {
        let node = try Node(routes: [("up/all", "#")])
        let publisher = try node.client("publisher")
        publisher.publish("t", "0")
        for number in 1...3 { publisher.publish("t", "\(number)", .atLeastOnce) }
        node.advance(by: .seconds(2))
        let before = try #require(node.queues["up/all"])
        guard case .message(let first) = before.peek() else {
            Issue.record("nothing to send")
            return
        }
        before.acknowledge(first.numbering, through: first.number)
        node.advance(by: .seconds(2))

        try node.restart()
        try node.client("publisher").publish("t", "4", .atLeastOnce)
        node.run()

        let queue = try #require(node.queues["up/all"])
        var got: [String] = []
        for _ in 0..<20 {
            switch queue.peek() {
            case .message(let queued):
                got.append(String(decoding: queued.message.payload, as: UTF8.self))
                queue.advance()
            case .loading: node.run()
            case .empty: break
            }
        }
        #expect(got == ["1", "2", "3", "4"])
    }
}
