import EventLoop
import MQTT
import Store
import Testing

@testable import Broker

/// Listeners for the node's own parts.
struct InternalListenerTests {
    private let payload = String(repeating: "x", count: 40_000)

    private func node() throws -> Node {
        var options = LogOptions()
        options.memoryBytes = 20_000
        let node = try Node(log: options, starts: false)
        node.listener = ListenerOptions(anonymous: .always, isInternal: true)
        try node.start()
        let absent = try node.client("absent", expiry: 3600)
        absent.subscribed("kept", .exactlyOnce)
        absent.disconnect()
        return node
    }

    /// What it acknowledges may be what makes room.
    @Test func readingNeverStops() throws {
        let node = try node()
        let module = try node.client("module")
        node.store.hold = true

        for _ in 0..<60 { module.publish("kept", payload, .atLeastOnce) }
        node.run()
        module.send(Ping.request)

        #expect(module.take() == [.pingresp])
        node.store.hold = false
        node.run()
        #expect(module.takeAcknowledgements().count == 60)
    }

    @Test(arguments: [ProtocolVersion.v311, .v5])
    func whatWaitsIsBounded(version: ProtocolVersion) throws {
        let node = try node()
        let module = try node.client("module", version)
        node.store.hold = true

        for _ in 0..<500 where !module.isClosed {
            module.publish("kept", payload, .atLeastOnce)
            node.run()
        }

        #expect(module.isClosed)
        #expect(node.lines.contains { $0.contains("too much of it waits for the store, unacknowledged") })
    }

    private final class Doorkeeper: Attendance {
        var lines: [String] = []
        func clientDidArrive(_ identity: ClientIdentity) { lines.append("+\(text(identity.clientIdentifier))") }
        func clientDidLeave(_ identity: ClientIdentity) { lines.append("-\(text(identity.clientIdentifier))") }
    }

    @Test func attendance() throws {
        let node = try node()
        let doorkeeper = Doorkeeper()
        node.listener?.attendance = doorkeeper

        let first = try node.client("a")
        let second = try node.client("a")
        _ = node.broker.kick(Array("a".utf8))
        node.run()

        #expect(first.isClosed && second.isClosed)
        #expect(doorkeeper.lines == ["+a", "-a", "+a", "-a"])
    }
}
