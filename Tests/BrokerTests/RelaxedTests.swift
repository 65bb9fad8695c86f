import EventLoop
import MQTT
import Store
import Testing

@testable import Broker

/// `store.durability = "relaxed"`: acknowledged when in memory, on disk by `store.commit` or size.
struct RelaxedTests {
    private func node(_ memoryBytes: Int = 32 << 20) throws -> Node {
        let node = try Node(log: LogOptions(memoryBytes: memoryBytes, isRelaxed: true), routes: [("up/all", "#")])
        let absent = try node.client("absent", expiry: 3600)
        absent.subscribed("#", .exactlyOnce)
        absent.disconnect()
        node.advance(by: .seconds(3))
        return node
    }

    private func payloads(_ node: Node) throws -> [String] {
        try node.client("absent", clean: false, expiry: 3600, acknowledges: true).takeDeliveries().map(\.payload)
    }

    @Test(arguments: [QoS.atLeastOnce, .exactlyOnce], [false, true])
    func isAcknowledgedBeforeItIsWritten(qos: QoS, retain: Bool) throws {
        let node = try node()
        let publisher = try node.client("publisher", expiry: 3600)
        node.run()
        let groups = node.log.submittedGroups
        node.store.hold = true
        publisher.publish("t", "1", qos, retain: retain)

        #expect(publisher.takeAcknowledgements().map(\.type) == [qos == .atLeastOnce ? .puback : .pubrec])
        if qos == .exactlyOnce {
            publisher.acknowledge(.pubrel, 1)
            #expect(publisher.takeAcknowledgements().map(\.type) == [.pubcomp])
        }
        #expect(node.log.acknowledgedInMemory == 1)
        #expect(node.log.submittedGroups == groups)
        node.store.hold = false
        node.advance(by: .milliseconds(1100))
        #expect(node.log.submittedGroups == groups + 1)
        try node.restart()
        #expect(try payloads(node) == ["1"])
    }

    @Test func aKillLosesNoMoreThanTheCommitTime() throws {
        let node = try node()
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .atLeastOnce)
        node.advance(by: .milliseconds(1100))
        publisher.publish("t", "2", .atLeastOnce)
        #expect(publisher.takeAcknowledgements().count == 2)

        try node.restart()

        #expect(try payloads(node) == ["1"])
    }

    @Test func aCleanStopLosesNothing() throws {
        let node = try node()
        let publisher = try node.client("publisher")
        publisher.publish("t", "1", .atLeastOnce)
        publisher.publish("r", "2", .atLeastOnce, retain: true)
        var isClosed = false
        node.run()

        node.log.close([]) { isClosed = true }
        node.run()
        #expect(isClosed)
        try node.restart()

        #expect(try payloads(node) == ["1", "2"])
        let newcomer = try node.client("newcomer")
        newcomer.subscribed("r")
        #expect(newcomer.takeMessages() == ["r=2/1r"])
    }

    @Test func muchIsWrittenBeforeItsTime() throws {
        let node = try node(100_000)
        let publisher = try node.client("publisher")
        node.run()
        let groups = node.log.submittedGroups
        for _ in 0..<60 { publisher.publish("t", String(repeating: "x", count: 1000), .atLeastOnce) }
        node.run()

        #expect(node.log.submittedGroups > groups)
        #expect(node.log.submittedBytes > 50_000)
    }
}
