import EventLoop
import MQTT
import Store
import Testing

@testable import Broker

/// What was taken and was on its way to the disk when that failed: nobody is left without an answer, and what is refused is
/// refused for good.
struct WithdrawingTests {
    private func node() throws -> Node {
        let node = try Node(routes: [("up/all", "kept/#")])
        let absent = try node.client("absent", expiry: 3600)
        absent.subscribed("kept/#", .exactlyOnce)
        absent.disconnect()
        node.advance(by: .seconds(2))
        return node
    }

    /// Publishes while the writer holds everything, and lets it fail then.
    private func publishAndFail(_ node: Node, _ body: () -> Void) {
        node.store.hold = true
        node.disk.isFailing = true
        // The log learns of it a little later than the messages come.
        node.log.handle(.recovered)
        body()
        node.run()
        node.log.handle(.failing(.failed(path: "roost.db", code: 10, detail: "disk I/O error")))
        node.store.hold = false
    }

    private func payloads(_ node: Node) throws -> [String] {
        let back = try node.client("absent", clean: false, expiry: 3600, acknowledges: true)
        return back.takeDeliveries().map(\.payload)
    }

    private func routed(_ node: Node) throws -> [String] {
        let queue = try #require(node.queues["up/all"])
        var payloads: [String] = []
        while true {
            switch queue.peek() {
            case .message(let queued):
                payloads.append(String(decoding: queued.message.payload, as: UTF8.self))
                queue.advance()
            case .loading: node.run()
            case .empty: return payloads
            }
        }
    }

    @Test func onMQTT5ItIsRefusedAndNobodyGetsIt() throws {
        let node = try node()
        let publisher = try node.client("publisher", expiry: 3600)
        publishAndFail(node) {
            publisher.publish("kept/1", "1", .atLeastOnce)
            publisher.publish("kept/2", "2", .exactlyOnce)
            publisher.publish("kept/0", "0")
        }
        #expect(publisher.take() == [])

        node.advance(by: .seconds(7))
        #expect(publisher.takeAcknowledgements().map(\.reason) == [.quotaExceeded, .quotaExceeded])
        #expect(!publisher.isClosed)
        #expect(node.log.withdrawnMessages == 2)
        node.advance(by: .seconds(20))
        #expect(!publisher.isClosed)
        node.disk.isFailing = false
        node.run()
        // The identifiers are free, and both messages come anew.
        publisher.publish("kept/1", "again 1", .atLeastOnce, identifier: 1)
        publisher.publish("kept/2", "again 2", .exactlyOnce, identifier: 2)
        node.advance(by: .seconds(2))
        #expect(publisher.takeAcknowledgements().map(\.reason) == [.success, .success])

        // The one at QoS 0 was for the route alone.
        #expect(try routed(node) == ["0", "again 1", "again 2"])
        let queue = try #require(node.queues["up/all"])
        #expect(queue.gaps.map(\.reason) == [.unstored] && queue.gaps.first?.first == 1)
        #expect(queue.gaps.first?.last == 2)
        try node.restart()
        #expect(try payloads(node) == ["again 1", "again 2"])
    }

    @Test func nothingWaitsBehindAMessageThatIsGone() throws {
        let node = try node()
        let present = try node.client("present", expiry: 3600, acknowledges: true)
        present.subscribed("kept/#", .exactlyOnce)
        let publisher = try node.client("publisher", expiry: 3600)
        publishAndFail(node) { publisher.publish("kept/2", "2", .exactlyOnce) }
        node.advance(by: .seconds(7))
        #expect(publisher.takeAcknowledgements().map(\.reason) == [.quotaExceeded])
        node.disk.isFailing = false
        node.run()

        publisher.publish("kept/1", "1", .atLeastOnce)
        node.advance(by: .seconds(2))

        #expect(present.takeDeliveries().map(\.payload) == ["1"])
    }

    @Test func afterAKillItIsGoneAsWell() throws {
        let node = try node()
        let publisher = try node.client("publisher", expiry: 3600)
        publishAndFail(node) { publisher.publish("kept/2", "2", .exactlyOnce, identifier: 9) }
        node.advance(by: .seconds(7))
        #expect(publisher.takeAcknowledgements().map(\.reason) == [.quotaExceeded])
        node.disk.isFailing = false
        node.run()
        try node.restart()

        let back = try node.client("publisher", clean: false, expiry: 3600)
        back.publish("kept/2", "anew", .exactlyOnce, identifier: 9)

        #expect(back.takeAcknowledgements().map(\.reason) == [.success])
        #expect(try payloads(node) == ["anew"])
    }

    /// There are no words for it in MQTT 3.1.1, nor for what has been seen and can't be taken back.
    @Test(arguments: ["3.1.1", "retained", "seen at QoS 2"]) func whatCannotBeRefusedIsClosed(what: String) throws {
        let node = try node()
        let present = try node.client("present")
        present.subscribed("kept/#", .exactlyOnce)
        let publisher = try node.client("publisher", what == "3.1.1" ? .v311 : .v5)
        publishAndFail(node) {
            switch what {
            case "3.1.1": publisher.publish("kept/1", "1", .atLeastOnce)
            case "retained": publisher.publish("kept/1", "1", .atLeastOnce, retain: true)
            default: publisher.publish("kept/1", "1", .exactlyOnce)
            }
        }

        node.advance(by: .seconds(9))
        #expect(!publisher.isClosed)
        node.advance(by: .seconds(3))
        #expect(publisher.isClosed)
        node.disk.isFailing = false
        node.run()

        #expect(try payloads(node) == ["1"])
    }

    /// A disk that works again in time takes everything, and nobody notices.
    @Test func aShortFailureRefusesNothing() throws {
        let node = try node()
        let publisher = try node.client("publisher")
        publishAndFail(node) { publisher.publish("kept/1", "1", .atLeastOnce) }
        node.advance(by: .seconds(4))
        node.disk.isFailing = false

        #expect(publisher.takeAcknowledgements().map(\.reason) == [.success])
        #expect(try payloads(node) == ["1"])
    }

    /// Of a group only what is refused goes.
    @Test func theRestOfTheGroupIsWritten() throws {
        let node = try node()
        let publisher = try node.client("publisher")
        let old = try node.client("old", .v311)
        let newcomer = try node.open()
        publishAndFail(node) {
            for number in 1...3 {
                publisher.publish("kept/5", "refused \(number)", .atLeastOnce)
                old.publish("kept/4", "kept \(number)", .atLeastOnce)
                node.run()
            }
            newcomer.connect("newcomer", expiry: 3600)
        }
        node.advance(by: .seconds(7))
        #expect(publisher.takeAcknowledgements().map(\.reason) == [.quotaExceeded, .quotaExceeded, .quotaExceeded])
        node.disk.isFailing = false

        #expect(old.takeAcknowledgements().count == 3)
        #expect(try payloads(node) == ["kept 1", "kept 2", "kept 3"])
        try node.restart()
        #expect(try node.client("newcomer", clean: false, expiry: 3600).connack?.sessionPresent == true)
    }
}
