import EventLoop
import MQTT
import Testing

@testable import Broker
@testable import Store

/// Memory that slow readers may take.
struct MemoryTests {
    /// Sessions that end with their connection share what the log may have, and the slowest gives way.
    @Test func slowSubscribersAreBoundedTogether() throws {
        let node = try Node(log: LogOptions(memoryBytes: 100_000))
        var slow: [TestClient] = []
        for name in ["a", "b", "c", "d"] {
            let client = try node.client(name, receiveMaximum: 1)
            client.subscribed("t/\(name)")
            slow.append(client)
        }
        let publisher = try node.client("publisher")
        let payload = String(repeating: "x", count: 1000)
        for _ in 0..<150 {
            publisher.publish("t/a", payload, .atLeastOnce)
            node.run()
        }
        for _ in 0..<20 {
            for name in ["b", "c", "d"] { publisher.publish("t/\(name)", payload, .atLeastOnce) }
            node.run()
        }

        #expect(node.broker.waitingMeter.bytes <= 100_000)
        #expect(node.broker.waitingMeter.bytes > 80_000)
        // Whoever asked for little still has all of it.
        for name in ["b", "c", "d"] {
            #expect(node.broker.sessions[[UInt8](name.utf8)]?.queuedMessages == 19)
        }
        let lost = 149 - (node.broker.sessions[[UInt8]("a".utf8)]?.queuedMessages ?? 0)
        #expect(node.broker.figures.dropped == UInt64(lost))
        #expect(node.lines.count { $0.contains("slow subscribers") } == 1)
        #expect(node.lines.count { $0.hasPrefix("a reads too slowly and loses messages") } == 1)
        for client in slow { client.drop() }
        #expect(node.broker.waitingMeter.bytes == 0)
    }

    /// Retained messages that wait for a slow subscriber are not counted twice.
    @Test func retainedMessagesAreNotChargedToSlowSubscribers() throws {
        let node = try Node()
        let publisher = try node.client("publisher")
        for number in 0..<50 { publisher.publish("t/\(number)", "x", .atLeastOnce, retain: true) }
        node.run()
        let slow = try node.client("slow", receiveMaximum: 1)
        slow.subscribed("t/#")

        #expect(node.broker.sessions[[UInt8]("slow".utf8)]?.queuedMessages == 49)
        #expect(node.broker.waitingMeter.bytes == 0)
    }

    /// A large retained set goes as the output drains, whole, and never an older message after a newer one.
    @Test(arguments: [nil, UInt32(3600)]) func aLargeRetainedSetIsNotCut(expiry: UInt32?) throws {
        var limits = BrokerLimits()
        limits.outputBytes = 20_000
        let node = try Node(limits: limits)
        let publisher = try node.client("publisher")
        let payload = String(repeating: "x", count: 1000)
        for number in 100..<300 {
            publisher.publish("t/\(number)", payload, retain: true)
            node.run()
        }
        let subscriber = try node.client("subscriber", expiry: expiry)
        subscriber.subscribe(.to("t/#", .atMostOnce))
        publisher.publish("t/299", "newer", retain: true)
        node.run()

        let deliveries = subscriber.takeDeliveries()
        #expect(Set(deliveries.map(\.topic)).count == 200)
        #expect(deliveries.last { $0.topic == "t/299" }?.payload == "newer")
        #expect(node.broker.figures.dropped == 0)
        publisher.publish("t/1", "live")
        #expect(subscriber.takeDeliveries().map(\.payload) == ["live"])
    }

    /// Many sessions that read the same stream at different places, from disk: nobody reads the same again and again.
    @Test func manyReadersAtDifferentPlaces() throws {
        let node = try Node(log: LogOptions(memoryBytes: 1 << 20))
        let count = 40
        for number in 0..<count {
            let client = try node.client("c\(number)", expiry: 3600)
            client.subscribed("t")
            client.disconnect()
        }
        let publisher = try node.client("publisher")
        let payload = String(repeating: "x", count: 1000)
        for _ in 0..<1000 {
            publisher.publish("t", payload, .atLeastOnce, identifier: 1)
            _ = publisher.takeAcknowledgements()
        }
        var clients: [TestClient] = []
        for number in 0..<count {
            let client = try node.client("c\(number)", clean: false, expiry: 3600, receiveMaximum: 10)
            clients.append(client)
            // Each is elsewhere than the one before.
            for _ in 0..<number {
                for delivery in client.takeDeliveries() { client.acknowledge(.puback, delivery.identifier) }
            }
        }
        let before = node.log.lastRead
        for _ in 0..<20 {
            for client in clients {
                for delivery in client.takeDeliveries() { client.acknowledge(.puback, delivery.identifier) }
            }
        }

        // A reader went on by 200 messages of a kilobyte: ten reads of 32 KiB at most, and not one for each window of ten.
        #expect(node.log.lastRead - before < 40 * 10)
        #expect(node.log.readMeter.bytes < 1 << 20)
    }
}
