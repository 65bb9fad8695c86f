import EventLoop
import MQTT
import Testing

@testable import Broker

/// Receive Maximum, Maximum Packet Size, Topic Alias and Message Expiry.
struct FlowControlTests {
    // MARK: Receive Maximum

    @Test(
        "[MQTT-3.3.4-9] no more than the client's Receive Maximum are open", arguments: [nil, UInt32(3600)],
        [QoS.atLeastOnce, .exactlyOnce])
    func outboundWindow(expiry: UInt32?, qos: QoS) throws {
        let node = try Node()
        let client = try node.client("a", expiry: expiry, receiveMaximum: 3)
        client.subscribed("t", qos)
        let publisher = try node.client("publisher")
        for number in 1...10 {
            publisher.publish("t", "\(number)", qos)
            node.run()
        }

        var got: [String] = []
        for _ in 0..<10 {
            let deliveries = client.takeDeliveries()
            #expect(deliveries.count <= 3)
            got += deliveries.map(\.payload)
            for delivery in deliveries {
                if qos == .atLeastOnce {
                    client.acknowledge(.puback, delivery.identifier)
                } else {
                    client.acknowledge(.pubrec, delivery.identifier)
                    node.run()
                    client.acknowledge(.pubcomp, delivery.identifier)
                }
            }
            node.run()
        }

        #expect(got == (1...10).map { "\($0)" })
    }

    @Test("[MQTT-3.3.4-7] more than our Receive Maximum ends the connection")
    func inboundWindow() throws {
        var limits = BrokerLimits()
        limits.inflight = 5
        let node = try Node(limits: limits)
        let publisher = try node.client("publisher")
        #expect(publisher.connack?.receiveMaximum == 5)
        for _ in 0..<5 { publisher.publish("t", "", .exactlyOnce) }
        #expect(publisher.takeAcknowledgements().count == 5)

        publisher.publish("t", "", .atLeastOnce)

        #expect(publisher.take() == [.disconnect(.receiveMaximumExceeded)])
    }

    /// The quota is the connection's; what an older one left open is sent again, and may be joined by as much again.
    @Test func aResumedSessionHasItsFullWindow() throws {
        var limits = BrokerLimits()
        limits.inflight = 5
        let node = try Node(limits: limits)
        let first = try node.client("publisher", expiry: 3600)
        for number in 1...5 { first.publish("t", "", .exactlyOnce, identifier: UInt16(number)) }
        #expect(first.takeAcknowledgements().count == 5)
        first.drop()

        let second = try node.client("publisher", clean: false, expiry: 3600)
        for number in 1...5 {
            second.publish("t", "", .exactlyOnce, isDuplicate: true, identifier: UInt16(number))
        }

        #expect(second.takeAcknowledgements().map(\.type) == Array(repeating: .pubrec, count: 5))
        #expect(!second.isClosed)
    }

    @Test func aRefusedQoS2MessageIsForgotten() throws {
        let node = try Node()
        let subscriber = try node.client("a", expiry: 3600)
        subscriber.subscribed("t", .exactlyOnce)
        try node.client("publisher").publish("t", "1", .exactlyOnce)
        let identifier = try #require(subscriber.takeDeliveries().first).identifier

        subscriber.acknowledge(.pubrec, identifier, .unspecifiedError)

        #expect(subscriber.take() == [])
        subscriber.drop()
        #expect(try node.client("a", clean: false, expiry: 3600).takeDeliveries() == [])
    }

    // MARK: Maximum Packet Size

    @Test(
        "[MQTT-3.1.2-24] no packet above the client's Maximum Packet Size", arguments: [nil, UInt32(3600)],
        [QoS.atMostOnce, .atLeastOnce, .exactlyOnce])
    func maximumPacketSize(expiry: UInt32?, qos: QoS) throws {
        let node = try Node()
        let client = try node.client("a", expiry: expiry, maximumPacketSize: 50, acknowledges: true)
        client.subscribed("t", .exactlyOnce)
        let publisher = try node.client("publisher")
        // Fixed header 2, topic 3, Packet Identifier 2, Property Length 1.
        let largest = 50 - 6 - (qos == .atMostOnce ? 0 : 2)

        for count in [largest, largest + 1, 1] {
            publisher.publish("t", String(repeating: "x", count: count), qos)
            node.advance(by: .seconds(1))
        }

        #expect(client.takeDeliveries().map(\.payload.count) == [largest, 1])
        #expect(qos == .atMostOnce || publisher.take().count == 3)
    }

    @Test func packetsAboveOurMaximumEndTheConnection() throws {
        var limits = BrokerLimits()
        limits.packetBytes = 100
        let node = try Node(limits: limits)
        let client = try node.client("a")
        #expect(client.connack?.maximumPacketSize == 100)

        client.publish("t", String(repeating: "x", count: 100))

        #expect(client.take() == [.disconnect(.packetTooLarge)])
    }

    @Test(arguments: [ProtocolVersion.v311, .v5]) func payloadsAboveTheLimitAreRefused(version: ProtocolVersion) throws
    {
        var limits = BrokerLimits()
        limits.payloadBytes = 10
        let node = try Node(limits: limits)
        let client = try node.client("a", version)
        client.subscribed("t", .exactlyOnce)

        client.publish("t", "0123456789", .atLeastOnce)
        client.publish("t", "0123456789a")
        #expect(client.takeMessages() == ["t=0123456789/1"])
        client.publish("t", "0123456789a", .atLeastOnce, identifier: 9)
        let answers = client.take()

        let refusal = Received.acknowledgement(Acknowledgement(.puback, packetIdentifier: 9, reason: .quotaExceeded))
        #expect(answers == (version == .v5 ? [refusal] : []))
        #expect(client.isClosed == (version == .v311))
    }

    // MARK: Topic Alias

    @Test func topicAliasesAreResolved() throws {
        let node = try Node()
        let client = try node.client("a")
        client.subscribed("#", .exactlyOnce)
        let publisher = try node.client("publisher")

        publisher.publish("one", "1", alias: 1)
        publisher.publish("two", "2", alias: 2)
        publisher.publish("", "3", .atLeastOnce, alias: 1)
        publisher.publish("three", "4", alias: 1)
        publisher.publish("", "5", .exactlyOnce, alias: 1)
        publisher.publish("", "6", alias: 2)

        #expect(
            client.takeMessages() == ["one=1/0", "two=2/0", "one=3/1", "three=4/0", "three=5/2", "two=6/0"])
    }

    @Test(arguments: [("", UInt16(1), ReasonCode.protocolError), ("t", 11, .topicAliasInvalid)])
    func badAliasesEndTheConnection(_ row: (topic: String, alias: UInt16, reason: ReasonCode)) throws {
        let node = try Node()
        let client = try node.client("a")

        client.publish(row.topic, "", alias: row.alias)

        #expect(client.take() == [.disconnect(row.reason)])
    }

    // MARK: Message Expiry

    @Test func queuedMessagesExpireAndTellWhatIsLeft() throws {
        let node = try Node()
        let client = try node.client("a", expiry: 3600)
        client.subscribed("t")
        client.disconnect()
        let publisher = try node.client("publisher")
        publisher.publish("t", "short", .atLeastOnce, expiry: 5)
        publisher.publish("t", "long", .atLeastOnce, expiry: 60)
        publisher.publish("t", "ever", .atLeastOnce)
        node.advance(by: .seconds(3))
        try node.restart()
        node.advance(by: .seconds(7))

        let back = try node.client("a", clean: false, expiry: 3600)

        let deliveries = back.takeDeliveries()
        #expect(deliveries.map(\.payload) == ["long", "ever"])
        #expect(deliveries.map(\.expiry) == [50, nil])
    }

    @Test("[MQTT-3.3.4-7] what is sent again honours the new connection's Receive Maximum", arguments: [1, 2, 5])
    func resendsHonourReceiveMaximum(receiveMaximum: UInt16) throws {
        let node = try Node()
        let client = try node.client("a", expiry: 3600, receiveMaximum: 4)
        client.subscribed("t", .exactlyOnce)
        let publisher = try node.client("publisher")
        for number in 0..<6 { publisher.publish("t", "\(number)", number < 2 ? .exactlyOnce : .atLeastOnce) }
        let first = client.takeDeliveries()
        #expect(first.map(\.payload).sorted() == ["0", "1", "2", "3"])
        client.drop()

        let back = try node.client("a", clean: false, expiry: 3600, receiveMaximum: receiveMaximum)
        var open: Set<UInt16> = []
        var got: [String] = []
        var isDone = false
        while !isDone {
            isDone = true
            var finished: Set<UInt16> = []
            for packet in back.take() {
                isDone = false
                if case .publish(let delivery) = packet {
                    got.append(delivery.payload)
                    open.insert(delivery.identifier)
                    #expect(open.count <= Int(receiveMaximum))
                    back.acknowledge(delivery.qos == .exactlyOnce ? .pubrec : .puback, delivery.identifier)
                    if delivery.qos == .atLeastOnce { finished.insert(delivery.identifier) }
                } else if case .acknowledgement(let pubrel) = packet {
                    finished.insert(pubrel.packetIdentifier)
                    back.acknowledge(.pubcomp, pubrel.packetIdentifier)
                }
            }
            open.subtract(finished)
        }

        #expect(got == first.map(\.payload) + ["4", "5"])
    }

    @Test("[MQTT-3.3.4-7] what waited for its commit honours it, too")
    func boundDeliveriesHonourReceiveMaximum() throws {
        let node = try Node()
        let client = try node.client("a", expiry: 3600, receiveMaximum: 3)
        client.subscribed("t", .exactlyOnce)
        let publisher = try node.client("publisher")
        node.store.hold = true
        for number in 0..<3 { publisher.publish("t", "\(number)", .exactlyOnce) }
        #expect(client.takeDeliveries() == [])
        client.drop()
        let back = try node.client("a", clean: false, expiry: 3600, receiveMaximum: 1)
        node.store.hold = false

        for number in 0..<3 {
            let delivery = try #require(back.takeDeliveries().first)
            #expect("\(delivery)" == "t=\(number)/2")
            #expect(back.takeDeliveries() == [])
            back.acknowledge(.pubrec, delivery.identifier)
            node.run()
            back.acknowledge(.pubcomp, delivery.identifier)
        }
    }
}
