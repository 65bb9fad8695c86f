import EventLoop
import MQTT
import Store
import Testing

@testable import Broker

/// What happens while the store can't keep up, or can't keep anything.
struct PressureTests {
    private let error = StoreError.failed(path: "roost.db", code: 10, detail: "disk I/O error")

    private func node(_ memoryBytes: Int = 20_000) throws -> Node {
        var options = LogOptions()
        options.memoryBytes = memoryBytes
        let node = try Node(log: options)
        let absent = try node.client("absent", expiry: 3600)
        absent.subscribed("kept", .exactlyOnce)
        absent.disconnect()
        return node
    }

    private let payload = String(repeating: "x", count: 1000)

    @Test func publishesWaitWhileTheLogIsFullAndThenGoOnAtOnce() throws {
        let node = try node()
        let publisher = try node.client("publisher")
        let other = try node.client("other")
        node.store.hold = true

        for _ in 0..<60 {
            publisher.publish("kept", payload, .atLeastOnce)
            node.run()
        }
        other.publish("free", "", .atLeastOnce)
        publisher.send(Ping.request)
        #expect(publisher.take() == [.pingresp])
        #expect(node.log.meter.bytes < 25_000)
        #expect(other.take() == [])
        node.store.hold = false

        #expect(publisher.takeAcknowledgements().map(\.packetIdentifier) == Array(1...60))
        #expect(other.takeAcknowledgements().count == 1)
    }

    @Test(arguments: [ProtocolVersion.v311, .v5])
    func aConnectionThatWaitsTenSecondsIsClosed(version: ProtocolVersion) throws {
        let node = try node()
        let publisher = try node.client("publisher", version)
        node.store.hold = true
        for _ in 0..<60 { publisher.publish("kept", payload, .atLeastOnce) }

        node.advance(by: .seconds(9))
        #expect(!publisher.isClosed)
        node.advance(by: .seconds(3))

        #expect(publisher.isClosed)
    }

    /// Slow is not stuck: as long as some are taken, nobody is closed.
    @Test func aSlowStoreClosesNobody() throws {
        let node = try node()
        let publisher = try node.client("publisher")
        for _ in 0..<30 {
            node.store.hold = true
            for _ in 0..<3 { publisher.publish("kept", payload, .atLeastOnce) }
            node.advance(by: .seconds(1))
            node.store.hold = false
            node.run()
        }

        #expect(!publisher.isClosed)
        #expect(publisher.takeAcknowledgements().count == 90)
    }

    /// More than a connection may hold: QoS 0 is dropped, but not what those behind it need.
    @Test func aTopicAliasSurvivesTheWait() throws {
        let node = try node()
        let publisher = try node.client("publisher")
        let large = String(repeating: "x", count: 50_000)
        node.store.hold = true
        for _ in 0..<30 { publisher.publish("kept", large, .atLeastOnce) }
        publisher.publish("kept", "dropped")
        publisher.publish("kept", "0", alias: 1)

        publisher.publish("", "1", .atLeastOnce, alias: 1)
        node.store.hold = false
        node.run()

        #expect(!publisher.isClosed)
        #expect(publisher.takeAcknowledgements().count == 31)
    }

    @Test func aFailingStoreRefusesOnMQTT5() throws {
        let node = try node()
        let publisher = try node.client("publisher")
        node.log.handle(.failing(error))

        publisher.publish("kept", "1", .atLeastOnce)
        publisher.publish("kept", "2", .exactlyOnce)
        publisher.publish("free", "3", .atLeastOnce)

        #expect(
            publisher.takeAcknowledgements().map(\.reason) == [.quotaExceeded, .quotaExceeded, .noMatchingSubscribers])
        node.log.handle(.recovered)
        publisher.publish("kept", "4", .exactlyOnce)
        #expect(publisher.takeAcknowledgements().map(\.reason) == [.success])
    }

    @Test func onMQTT311ItWaitsAndIsClosed() throws {
        let node = try node()
        let publisher = try node.client("publisher", .v311)
        let harmless = try node.client("harmless", .v311)
        node.log.handle(.failing(error))

        publisher.publish("kept", "1", .atLeastOnce)
        harmless.publish("free", "1", .atLeastOnce)
        node.advance(by: .seconds(9))
        #expect(harmless.takeAcknowledgements().count == 1)
        #expect(publisher.take() == [])
        #expect(!publisher.isClosed)
        node.advance(by: .seconds(3))

        #expect(publisher.isClosed)
        #expect(!harmless.isClosed)
    }

    @Test func onMQTT311ItGoesOnWhenTheStoreRecovers() throws {
        let node = try node()
        let publisher = try node.client("publisher", .v311)
        node.log.handle(.failing(error))
        publisher.publish("kept", "1", .atLeastOnce)
        node.advance(by: .seconds(5))

        node.log.handle(.recovered)

        #expect(publisher.takeAcknowledgements().count == 1)
    }

    /// What was already on its way to the disk when it failed is never left without an end.
    @Test func whoIsOwedAnAnswerByAFailingStoreIsClosed() throws {
        let node = try node()
        let publisher = try node.client("publisher")
        node.store.hold = true
        publisher.publish("kept", "1", .atLeastOnce)
        node.run()

        node.log.handle(.failing(error))
        node.advance(by: .seconds(12))

        #expect(publisher.isClosed)
    }

    @Test func whoWaitsForAnotherAnswerIsClosedAsWell() throws {
        let node = try node()
        let subscriber = try node.client("subscriber", expiry: 3600)
        let newcomer = try node.open()
        node.store.hold = true
        subscriber.subscribe(.to("t"))
        newcomer.connect("newcomer", expiry: 3600)
        node.run()

        node.log.handle(.failing(error))
        node.advance(by: .seconds(12))

        #expect(subscriber.isClosed)
        #expect(newcomer.isClosed)
        #expect(newcomer.take() == [.connack(Connack(reason: .quotaExceeded, sessionPresent: false))])
    }

    @Test func qos0GoesOnWhileTheStoreFails() throws {
        let node = try node()
        let subscriber = try node.client("subscriber")
        subscriber.subscribed("t")
        node.log.handle(.failing(error))

        try node.client("publisher").publish("t", "1", retain: true)

        #expect(subscriber.takeMessages() == ["t=1/0"])
    }

    @Test func twoConnectionsAreInterleavedInOrder() throws {
        let node = try Node()
        let subscriber = try node.client("subscriber", expiry: 3600, acknowledges: true)
        subscriber.subscribed("+", .exactlyOnce)
        let publishers = try ["a", "b"].map { try node.client($0) }
        for number in 1...50 {
            for (name, publisher) in zip(["a", "b"], publishers) {
                publisher.publish(name, "\(number)", number % 2 == 0 ? .atLeastOnce : .exactlyOnce)
            }
            if number % 7 == 0 { node.run() }
        }
        node.advance(by: .seconds(1))

        let deliveries = subscriber.takeDeliveries()
        for name in ["a", "b"] {
            for remainder in 0...1 {
                let numbers = deliveries.filter { $0.topic == name }.compactMap { Int($0.payload) }
                    .filter { $0 % 2 == remainder }
                #expect(numbers == Array(stride(from: 2 - remainder, through: 50, by: 2)))
            }
        }
    }
}
