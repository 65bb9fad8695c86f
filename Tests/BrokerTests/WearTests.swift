import EventLoop
import Glibc
import MQTT
import Store
import Testing

@testable import Broker

/// A healthy node writes nothing, hour after hour.
struct WearTests {
    @Test func anHourOfHealthyTrafficIsNoWrite() throws {
        let node = try Node(routes: [("up/all", "#")])
        let queue = try #require(node.queues["up/all"])
        queue.link = RouteLink(state: .healthy, smoothedMilliseconds: 1, hasRoom: true)
        queue.onReadable = { [unowned queue] in
            while case .message(let queued) = queue.peek() {
                queue.advance()
                queue.acknowledge(queued.numbering, through: queued.number)
            }
        }
        let will = Will(topic: [UInt8]("w".utf8), payload: [1], qos: .atLeastOnce, retain: false)
        let subscriber = try node.client("subscriber", expiry: 3600, will: will, acknowledges: true)
        subscriber.subscribed("t/#")
        let publisher = try node.client("publisher", will: will)
        node.advance(by: .seconds(120))
        let groups = node.log.submittedGroups
        let file = node.directory.path + "/roost.db-wal"
        let size = fileStamp(file)

        for minute in 0..<60 {
            for number in 0..<5 {
                publisher.publish("t/\(number)", "\(minute)", .atLeastOnce)
                publisher.publish("t/\(number)", "\(minute)")
                node.run()
            }
            node.advance(by: .seconds(60))
            node.log.expire()
            node.run()
        }

        #expect(publisher.takeAcknowledgements().count == 300)
        #expect(subscriber.takeDeliveries().count == 600)
        #expect(node.log.submittedGroups == groups)
        #expect(fileStamp(file) == size)
    }

    /// A client that took long over its first message, perhaps since it was just starting, is waited for again soon.
    @Test func oneSlowAnswerIsForgotten() throws {
        let node = try Node()
        let subscriber = try node.client("subscriber", expiry: 3600)
        subscriber.subscribed("t")
        let publisher = try node.client("publisher")
        func publish(answeredAfter duration: Duration) {
            publisher.publish("t", "x", .atLeastOnce)
            node.advance(by: duration)
            for delivery in subscriber.takeDeliveries() { subscriber.acknowledge(.puback, delivery.identifier) }
            node.run()
        }
        publish(answeredAfter: .seconds(5))
        publish(answeredAfter: .milliseconds(1))
        node.advance(by: .seconds(5))
        let groups = node.log.submittedGroups

        for _ in 0..<5 { publish(answeredAfter: .milliseconds(1)) }
        node.advance(by: .seconds(5))

        #expect(publisher.takeAcknowledgements().count == 7)
        #expect(node.log.submittedGroups == groups)
    }

    /// One client that is away costs the writes of its own messages, not of others'.
    @Test func whoIsAwayCostsOnlyTheirOwn() throws {
        let node = try Node()
        let away = try node.client("away", expiry: 36000)
        away.subscribed("away")
        away.disconnect()
        let present = try node.client("present", expiry: 3600, acknowledges: true)
        present.subscribed("present")
        let publisher = try node.client("publisher")
        publisher.publish("away", "1", .atLeastOnce)
        node.advance(by: .seconds(3))
        let groups = node.log.submittedGroups

        for _ in 0..<20 {
            publisher.publish("present", "x", .atLeastOnce)
            node.advance(by: .seconds(5))
        }

        #expect(present.takeDeliveries().count == 20)
        #expect(node.log.submittedGroups == groups)
    }

    /// Positions go with what is written anyway: a backlog that drains costs one commit a second, and none of its own after.
    @Test func aDrainingBacklogCommitsByTime() throws {
        let node = try Node()
        let first = try node.client("subscriber", expiry: 3600)
        first.subscribed("t")
        first.disconnect()
        let publisher = try node.client("publisher")
        for _ in 0..<500 { publisher.publish("t", "x", .atLeastOnce) }
        node.advance(by: .seconds(3))
        let groups = node.log.submittedGroups

        let back = try node.client("subscriber", clean: false, expiry: 3600, receiveMaximum: 1)
        for _ in 0..<500 {
            for delivery in back.takeDeliveries() { back.acknowledge(.puback, delivery.identifier) }
            node.advance(by: .milliseconds(10))
        }
        node.advance(by: .seconds(3))
        let drained = node.log.submittedGroups
        node.advance(by: .seconds(60))

        #expect(drained - groups <= 8)
        #expect(node.log.submittedGroups == drained)
        #expect(node.broker.sessions[[UInt8]("subscriber".utf8)]?.queuedMessages == 0)
    }
}

/// When and how large: changes with every write.
private func fileStamp(_ path: String) -> [Int] {
    var status = stat()
    guard stat(path, &status) == 0 else { return [] }
    return [Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
}
