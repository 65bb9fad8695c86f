import EventLoop
import MQTT
import Store
import Testing

@testable import Broker

/// The wall clock does what it likes; nothing is lost, nothing expires for it, and dates are right.
struct ClockTests {
    private static let year: Int64 = 365 * 86_400_000
    private static let truth: Int64 = 1_767_225_600_000

    private func node(wall: Int64, isSynchronised: Bool) throws -> Node {
        let node = try Node(log: LogOptions(ttl: 30 * 86_400_000), routes: [("up/all", "#")], starts: false)
        node.clock.wallMilliseconds = wall
        node.clock.isSynchronised = isSynchronised
        try node.start()
        let absent = try node.client("absent", expiry: 86_400)
        absent.subscribed("t")
        absent.disconnect()
        return node
    }

    private func publish(_ node: Node, _ payload: String, expiry: UInt32? = nil) throws {
        try node.client("publisher").publish("t", payload, .atLeastOnce, retain: true, expiry: expiry)
        node.run()
    }

    private func routed(_ node: Node) throws -> [(payload: String, date: Int64, isSet: Bool)] {
        let queue = try #require(node.queues["up/all"])
        var found: [(String, Int64, Bool)] = []
        while true {
            switch queue.peek() {
            case .message(let queued):
                let time = queue.wallTime(queued)
                found.append((String(decoding: queued.message.payload, as: UTF8.self), time.milliseconds, time.isSet))
                queue.advance()
            case .loading: node.run()
            case .empty:
                queue.rewind()
                return found
            }
        }
    }

    private func received(_ node: Node) throws -> [String] {
        try node.client("absent", clean: false, expiry: 86_400, acknowledges: true).takeDeliveries().map(\.payload)
    }

    /// While it runs, over a restart, and over a reboot: back to 1970, and 30 years on.
    @Test(arguments: ["running", "restart", "reboot"], [-56 * year, 30 * year])
    func jumps(when: String, by jump: Int64) throws {
        let node = try node(wall: Self.truth, isSynchronised: true)
        let first = node.clock.wallMilliseconds
        try publish(node, "1", expiry: 7200)
        node.advance(by: .seconds(60))

        if when == "reboot" {
            node.kill()
            node.clock.reboot(bootID: "another")
        }
        node.clock.wallMilliseconds += jump
        node.clock.isSynchronised = false
        if when != "running" { try node.restart() }
        node.log.expire()
        node.advance(by: .seconds(3600))
        node.log.expire()
        node.run()

        let got = try routed(node)
        #expect(got.map(\.payload) == ["1"])
        // What a synchronised clock said before is believed.
        #expect(abs((got.first?.date ?? 0) - first) < 2000)
        #expect(try received(node) == ["1"])
        #expect(node.broker.retainedCount == 1)
        #expect(node.log.expiredMessages == 0)
    }

    /// A node that starts in 1970 and learns the date an hour later; then the power fails, and it starts in 1970 again.
    @Test(arguments: [false, true]) func theDateIsLearntLater(isWrittenAgain: Bool) throws {
        let node = try node(wall: 5000, isSynchronised: false)
        let start = node.clock.now
        try publish(node, "1", expiry: 86_400)
        let undated = try routed(node)
        #expect(undated.map(\.isSet) == [false])
        node.advance(by: .seconds(3600))
        node.clock.wallMilliseconds = Self.truth
        node.clock.isSynchronised = true
        let date = Self.truth - (node.clock.now - start).components.seconds * 1000
        let found = try routed(node)
        #expect(found.map(\.isSet) == [true])
        let dated = try #require(found.first)
        #expect(abs(dated.date - date) < 2000)

        // It goes to disk with the next message, or within a minute by itself.
        if isWrittenAgain { try publish(node, "2") } else { node.log.expire() }
        node.advance(by: .seconds(2))
        node.kill()
        node.clock.reboot(bootID: "another")
        node.clock.wallMilliseconds = 5000
        node.clock.isSynchronised = false
        try node.start()
        node.log.expire()
        node.run()

        let got = try routed(node)
        #expect(got.map(\.payload) == (isWrittenAgain ? ["1", "2"] : ["1"]))
        #expect(!got.contains { !$0.isSet })
        #expect(abs((got.first?.date ?? 0) - date) < 2000)
    }

    /// Time switched off counts if the clock was right before and is after: what is too old then goes.
    @Test(arguments: [false, true]) func timeSwitchedOff(isSynchronisedAfter: Bool) throws {
        let node = try node(wall: Self.truth, isSynchronised: true)
        try publish(node, "1", expiry: 3600)
        node.advance(by: .seconds(10))
        node.kill()
        node.clock.advance(by: .seconds(7200))
        node.clock.reboot(bootID: "another")
        node.clock.isSynchronised = isSynchronisedAfter
        try node.start()

        node.log.expire()
        node.run()

        #expect(try routed(node).map(\.payload) == (isSynchronisedAfter ? [] : ["1"]))
        #expect(try received(node) == (isSynchronisedAfter ? [] : ["1"]))
    }
}
