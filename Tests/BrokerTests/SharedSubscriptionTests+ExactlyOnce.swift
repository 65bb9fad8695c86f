import EventLoop
import MQTT
import Testing

@testable import Broker
@testable import Store

/// ... at QoS 2, and over a SIGKILL.
extension SharedSubscriptionTests {
    // MARK: QoS 2

    @Test("[MQTT-4.8.2-4] QoS 2 that was begun waits for its client") func exactlyOnceWaits() throws {
        let node = try Node()
        let one = try member(node, "one", expiry: 3600, qos: .exactlyOnce)
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .exactlyOnce)
        publisher.publish("t", "2", .exactlyOnce)
        let sent = one.takeDeliveries()
        one.acknowledge(.pubrec, sent[0].identifier)
        one.take()
        let two = try member(node, "two", expiry: 3600, qos: .exactlyOnce, acknowledges: true)
        one.drop()
        #expect(two.takeDeliveries().isEmpty)

        let again = try back(node, "one")

        let packets = again.take()
        #expect(packets.count == 2)
        #expect(packets.first == .acknowledgement(Acknowledgement(.pubrel, packetIdentifier: sent[0].identifier)))
        #expect(node.broker.sessions[[UInt8]("one".utf8)]?.outbound[sent[1].identifier] != nil)
    }

    @Test("[MQTT-4.8.2-5] and goes to nobody else when its session ends", arguments: expiries, [false, true])
    func exactlyOnceEnds(expiry: UInt32?, otherIsKept: Bool) throws {
        let node = try Node()
        let one = try member(node, "one", expiry: expiry, qos: .exactlyOnce)
        let two = try member(
            node, "two", expiry: otherIsKept ? 3600 : nil, qos: .exactlyOnce, receiveMaximum: 1, acknowledges: true)
        try node.client("publisher").publish("t", "1", .exactlyOnce)
        #expect(one.takeMessages() == ["t=1/2"])

        one.drop()
        node.advance(by: .seconds(3601))

        #expect(two.takeDeliveries().isEmpty)
        try node.restart()
        if otherIsKept { #expect(try back(node, "two").takeDeliveries().isEmpty) }
    }

    @Test("not yet sent, it may go to another", arguments: expiries) func exactlyOnceUnsent(expiry: UInt32?) throws {
        let node = try Node()
        try member(node, "kept", expiry: 3600, qos: .exactlyOnce).disconnect()
        let one = try member(node, "one", expiry: expiry, qos: .exactlyOnce)
        let two = try member(node, "two", qos: .exactlyOnce, acknowledges: true)
        let publisher = try node.client("publisher")
        node.store.hold = true
        publisher.publish("t", "1", .exactlyOnce)
        node.run()

        one.disconnect(expiry: expiry == nil ? nil : 0)
        node.store.hold = false

        #expect(two.takeMessages() == ["t=1/2"])
        #expect(one.takeDeliveries().isEmpty)
    }

    // MARK: A stop

    @Test("the backlog and its place outlive a SIGKILL", arguments: [QoS.atLeastOnce, .exactlyOnce])
    func backlogOutlivesAKill(qos: QoS) throws {
        let node = try Node()
        let one = try member(node, "one", expiry: 3600, qos: qos, receiveMaximum: 2)
        try member(node, "two", expiry: 3600, qos: qos).disconnect()
        let publisher = try node.client("publisher", acknowledges: true)
        for number in 0..<6 { publisher.publish("t", "\(number)", qos) }
        let first = try #require(one.takeDeliveries().first)
        if qos == .atLeastOnce {
            one.acknowledge(.puback, first.identifier)
        } else {
            one.acknowledge(.pubrec, first.identifier)
            node.run()
            one.acknowledge(.pubcomp, first.identifier)
        }
        node.advance(by: .seconds(2))
        one.forget()

        try node.restart()

        let two = try back(node, "two")
        two.acknowledges = true
        let taken = two.takeDeliveries().map(\.payload)
        if qos == .atLeastOnce {
            #expect(taken == ["1", "2", "3", "4", "5"])
        } else {
            #expect(taken == ["3", "4", "5"])
            #expect(try back(node, "one").takeMessages() == ["t=1/2d", "t=2/2d"])
        }
    }

    @Test("[MQTT-4.8.2-5] what a member that is gone may have is not sent again after a SIGKILL")
    func marksOutliveAKill() throws {
        let node = try Node()
        try member(node, "kept", expiry: 3600, qos: .exactlyOnce).disconnect()
        let fleeting = try member(node, "fleeting", qos: .exactlyOnce, receiveMaximum: 2)
        let publisher = try node.client("publisher", expiry: 3600, acknowledges: true)
        for number in 0..<3 { publisher.publish("t", "\(number)", .exactlyOnce) }
        #expect(fleeting.takeDeliveries().map(\.payload) == ["0", "1"])

        try node.restart()

        #expect(try back(node, "kept").takeDeliveries().map(\.payload) == ["2"])
    }

    @Test("who unsubscribed with QoS 2 open completes it after a SIGKILL, and the group is gone then")
    func unsubscribedWithOpenDelivery() throws {
        let node = try Node()
        let one = try member(node, "one", expiry: 3600, qos: .exactlyOnce, receiveMaximum: 1)
        let publisher = try node.client("publisher", acknowledges: true)
        for number in 0..<3 { publisher.publish("t", "\(number)", .exactlyOnce) }
        _ = one.takeDeliveries()
        one.unsubscribe("$share/g/t/#")
        node.run()

        try node.restart()
        #expect(node.broker.shares.values.map(\.memberCount) == [0])
        let again = try node.client("one", clean: false, expiry: 3600, acknowledges: true)
        #expect(again.takeMessages() == ["t=0/2d"])

        node.advance(by: .seconds(2))
        #expect(node.broker.shares.isEmpty && node.log.streams.isEmpty)
        try node.restart()
        #expect(node.broker.shares.isEmpty && node.log.streams.isEmpty)
    }
}
