import EventLoop
import Glibc
import MQTT

@testable import Broker
@testable import Store

/// A whole broker with its log and its database, on virtual time, and four clients that do what the input says: open, send
/// well-formed packets or any bytes, leave or vanish; time passes, the disk waits, the broker is killed and starts again.
///
/// What must hold, whatever they do: nothing traps; what the broker sends is MQTT, begins with CONNACK or AUTH and ends with
/// DISCONNECT; nobody receives a topic that it may not; and when all are gone and their time is over, nothing of them is left.
///
/// Input: operations one after the other, each a byte (two bits for the client, six for what it does) and what it needs.
final class BrokerScript {
    private var input: ArraySlice<UInt8>
    private let clock = VirtualClock()
    private let directory: String
    private var running: FuzzNode?
    private var clients: [FuzzClient?] = [nil, nil, nil, nil]
    private var operations = 0

    private static let mostOperations = 200

    init(_ input: [UInt8]) {
        self.input = input[...]
        var template = Array("/dev/shm/roost-fuzz-XXXXXX".utf8CString)
        if mkdtemp(&template) == nil {
            template = Array("/tmp/roost-fuzz-XXXXXX".utf8CString)
            precondition(mkdtemp(&template) != nil, "no directory for the database")
        }
        directory = template.withUnsafeBufferPointer { text in
            String(decoding: text.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        running = FuzzNode(clock, directory)
    }

    private var node: FuzzNode {
        guard let running else { preconditionFailure("no node") }
        return running
    }

    func play() {
        while operations < Self.mostOperations, let byte = input.popFirst() {
            operations += 1
            perform(byte >> 2, Int(byte & 3))
        }
        end()
    }

    // MARK: - Operations

    private func perform(_ operation: UInt8, _ index: Int) {
        switch operation {
        case 0, 1: clients[index] = node.open(index)
        case 2: clients[index]?.stream.close()
        case 3: pass(.milliseconds(Int(input.popFirst() ?? 0) * 40))
        case 4: node.store.hold.toggle()
        case 5: restart()
        case 6, 7:
            // Any bytes.
            let count = Int(input.popFirst() ?? 0)
            clients[index]?.send(Array(input.prefix(count)))
            input = input.dropFirst(count)
        default:
            // What comes in one read is up to the input, too.
            clients[index]?.send(FuzzPackets.make(operation, &input))
            if operation & 1 == 1 { return }
        }
        node.run()
        for client in clients { client?.check() }
    }

    private func pass(_ duration: Duration) {
        let end = clock.now + duration
        node.run()
        while let next = node.loop.nextDeadline, next <= end {
            clock.advance(to: next)
            node.run()
        }
        clock.advance(to: end)
        node.run()
    }

    /// A SIGKILL.
    private func restart() {
        for index in clients.indices { clients[index] = nil }
        node.kill()
        // The data directory is its own until it is gone.
        running = nil
        running = FuzzNode(clock, directory)
    }

    // MARK: - The end

    private func end() {
        defer {
            node.kill()
            FuzzNode.remove(directory)
        }
        node.store.hold = false
        pass(.seconds(1))
        for client in clients { client?.stream.close() }
        // Longer than any session, Will or Keep Alive.
        for _ in 0..<4 { pass(.seconds(60)) }
        let broker = node.broker
        precondition(broker.connectionCount == 0, "connections are left")
        precondition(broker.sessions.isEmpty, "sessions are left")
        precondition(broker.subscriptionCount == 0, "subscriptions are left")
        precondition(broker.waitingConnections.isEmpty, "somebody waits who is gone")
        precondition(broker.waitingMeter.bytes == 0, "messages wait for nobody: \(broker.waitingMeter.bytes)")
        precondition(broker.retainedCount <= FuzzNode.limits.retained, "too much is retained")
    }
}
