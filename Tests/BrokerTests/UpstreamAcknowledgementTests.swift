import EventLoop
import MQTT
import Store
import Testing

@testable import Broker

/// `ack = "upstream"`: what a publisher is told, and when.
struct UpstreamAcknowledgementTests {
    private let node: Node
    private let queue: RouteQueue

    init() throws {
        node = try Node(routes: [("up/all", "#")], starts: false)
        node.policies = ["up/all": RoutePolicy(upstreamTimeout: .seconds(30))]
        try node.start()
        queue = try #require(node.queues["up/all"])
    }

    private func link(_ state: RouteLink.State) {
        queue.link = RouteLink(state: state, smoothedMilliseconds: 1, hasRoom: true)
        node.run()
    }

    /// Sends what waits; the numbers.
    @discardableResult
    private func send() -> [UInt64] {
        var numbers: [UInt64] = []
        while case .message(let queued) = queue.peek() {
            numbers.append(queued.number)
            queue.advance()
        }
        return numbers
    }

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce])
    func isRefusedWhereTheLinkIsDownAndNobodyGetsIt(qos: QoS) throws {
        let subscriber = try node.client("subscriber")
        subscriber.subscribed("#", .atLeastOnce)
        let publisher = try node.client("publisher")

        publisher.publish("t", "1", qos)

        #expect(publisher.takeAcknowledgements().map(\.reason) == [.quotaExceeded])
        #expect(subscriber.takeMessages() == [])
        #expect(queue.messages == 0)
    }

    @Test func closesAConnectionOf311() throws {
        let publisher = try node.client("publisher", .v311)
        publisher.publish("t", "1", .atLeastOnce)
        node.run()
        #expect(publisher.isClosed)
    }

    @Test func qos0IsKeptAsTheRouteSays() throws {
        try node.client("publisher").publish("t", "0")
        node.run()
        #expect(queue.messages == 1)
    }

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce], [true, false])
    func waitsForTheFarEnd(qos: QoS, durable: Bool) throws {
        link(.healthy)
        let publisher = try node.client("publisher", expiry: durable ? 3600 : nil)
        publisher.publish("t", "1", qos)
        node.advance(by: .seconds(2))
        #expect(publisher.takeAcknowledgements() == [])
        #expect(send() == [1])
        node.advance(by: .seconds(2))
        #expect(publisher.takeAcknowledgements() == [])

        queue.acknowledge(queue.stream.numbering, 1...1)

        #expect(publisher.takeAcknowledgements().map(\.reason) == [.success])
    }

    @Test func writesNothingWhileTheLinkIsHealthy() throws {
        link(.healthy)
        let publisher = try node.client("publisher")
        let before = node.log.submittedBytes
        publisher.publish("t", "1", .atLeastOnce)
        node.run()
        send()
        queue.acknowledge(queue.stream.numbering, 1...1)
        node.advance(by: .seconds(5))
        #expect(publisher.takeAcknowledgements().map(\.reason) == [.success])
        #expect(node.log.submittedBytes == before)
    }

    @Test func waitsForTheCommitOfOthersToo() throws {
        let absent = try node.client("absent", expiry: 3600)
        absent.subscribed("t")
        absent.disconnect()
        link(.healthy)
        let publisher = try node.client("publisher")
        node.store.hold = true
        publisher.publish("t", "1", .atLeastOnce)
        node.run()
        send()
        queue.acknowledge(queue.stream.numbering, 1...1)
        #expect(publisher.takeAcknowledgements() == [])

        node.store.hold = false

        #expect(publisher.takeAcknowledgements().map(\.reason) == [.success])
    }

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce])
    func whatWasNotSentIsWithdrawnWhenTheLinkGoes(qos: QoS) throws {
        link(.healthy)
        let publisher = try node.client("publisher", expiry: 3600)
        publisher.publish("t", "1", qos)
        node.run()

        link(.down)

        #expect(publisher.takeAcknowledgements().map(\.reason) == [.quotaExceeded])
        #expect(queue.messages == 0)
        #expect(queue.gaps.map(\.reason) == [.withdrawn])
        #expect(queue.lost == [.withdrawn: 1])
        // The identifier is the publisher's again.
        link(.healthy)
        publisher.publish("t", "2", qos, identifier: 1)
        node.run()
        #expect(send() == [2])
        queue.acknowledge(queue.stream.numbering, 2...2)
        #expect(publisher.takeAcknowledgements().map(\.reason) == [.success])
    }

    /// Else a power loss would bring it back, and it would reach the far end after all.
    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce])
    func whatIsOnDiskIsRefusedOnceItIsGoneFromThere(qos: QoS) throws {
        link(.healthy)
        let publisher = try node.client("publisher", expiry: 3600)
        publisher.publish("t", "1", qos)
        node.run()
        link(.doubt)
        #expect(node.log.submittedBytes > 0)

        node.store.hold = true
        link(.down)
        #expect(publisher.takeAcknowledgements() == [])
        node.store.hold = false
        node.run()
        #expect(publisher.takeAcknowledgements().map(\.reason) == [.quotaExceeded])

        try node.restart()
        #expect(try #require(node.queues["up/all"]).messages == 0)
    }

    /// Nothing is known of what a failing disk can't forget.
    @Test func whatTheDiskCannotForgetIsNotRefused() throws {
        link(.healthy)
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .atLeastOnce)
        node.run()
        node.log.commitStream(queue.stream)
        node.log.commit([])
        node.run()

        node.store.hold = true
        link(.down)
        node.advance(by: .seconds(31))

        #expect(publisher.takeAcknowledgements().map(\.reason) == [.implementationSpecificError])
    }

    @Test func whatWasSentIsStoredAndGoesAgain() throws {
        link(.healthy)
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .atLeastOnce)
        node.run()
        #expect(send() == [1])

        queue.rewind()
        link(.down)
        #expect(publisher.takeAcknowledgements() == [])
        #expect(node.log.submittedBytes > 0)
        link(.healthy)
        #expect(send() == [1])
        queue.acknowledge(queue.stream.numbering, 1...1)

        #expect(publisher.takeAcknowledgements().map(\.reason) == [.success])
    }

    @Test func afterTheTimeoutThePublisherLearnsWhatIsKnown() throws {
        link(.healthy)
        let publisher = try node.client("publisher")
        publisher.publish("t", "sent", .atLeastOnce)
        node.run()
        send()
        publisher.publish("t", "not sent", .atLeastOnce)
        node.advance(by: .seconds(29))
        #expect(publisher.takeAcknowledgements() == [])

        node.advance(by: .seconds(2))

        #expect(publisher.takeAcknowledgements().map(\.reason) == [.implementationSpecificError, .quotaExceeded])
        // It may have arrived: it stays, and is sent until the far end has it.
        #expect(queue.messages == 1)
        queue.rewind()
        #expect(send() == [1])
    }

    /// What is lost here was refused, unless it was sent: then the far end may have it.
    @Test func whatIsDroppedBehindItsSendingIsNotRefused() throws {
        link(.healthy)
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .atLeastOnce)
        node.run()
        #expect(send() == [1])
        publisher.publish("t", "2", .atLeastOnce)
        node.run()

        queue.dropAll()
        node.run()
        #expect(publisher.takeAcknowledgements() == [])
        queue.acknowledge(queue.stream.numbering, through: 1)
        node.run()

        #expect(publisher.takeAcknowledgements().map(\.reason) == [.success, .quotaExceeded])
    }

    @Test func aRefusalOfTheFarEndIsThePublishers() throws {
        link(.healthy)
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .atLeastOnce)
        node.run()
        send()
        queue.refuse(queue.stream.numbering, number: 1, reason: .notAuthorized)

        #expect(publisher.takeAcknowledgements().map(\.reason) == [.notAuthorized])
    }

    @Test func aMessageThatWasAtTheFarEndDoesNotGoThere() throws {
        link(.healthy)
        queue.farNode = Array("hub".utf8)
        var via = PropertyWriter()
        via.append(UserProperty("via", "hub"))
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", properties: via.bytes)
        publisher.publish("t", "2")
        node.run()
        #expect(queue.messages == 1)
    }

    @Test func acknowledgementsKeepTheirOrder() throws {
        link(.healthy)
        let publisher = try node.client("publisher")
        for number in 1...3 { publisher.publish("t", "\(number)", .atLeastOnce) }
        node.run()
        send()
        queue.acknowledge(queue.stream.numbering, 2...3)
        #expect(publisher.takeAcknowledgements() == [])
        queue.acknowledge(queue.stream.numbering, 1...1)
        #expect(publisher.takeAcknowledgements().map(\.packetIdentifier) == [1, 2, 3])
    }
}
