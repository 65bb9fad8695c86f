import Broker
import EventLoop
import MQTT
import Store
import Testing

@testable import Uplink

/// A cloud that commits when it is told to, and remembers what it delivered.
private final class Cloud: MessageSink, BatchPublisher {
    var ingest: Ingest?
    let name = "pump-7-cloud"
    private(set) var delivered: [String] = []
    private(set) var stored: [[UInt8]: [UInt8]] = [:]
    private var waiting: [() -> Void] = []
    var isFull = false

    func start() throws {
        ingest = try Ingest(
            options: IngestOptions(node: "cloud"), sink: self, stored: stored.map { ($0.key, $0.value) },
            storeTime: { 0 })
        waiting = []
    }

    func mayPublish(to topic: UnsafeRawBufferPointer) -> Bool { true }

    func publish(_ message: PublishView, from origin: Broker.Origin, settled: @escaping (ReasonCode) -> Void) {
        settled(.success)
    }

    func ingest(_ messages: [PublishView], changes: [Change], committed: @escaping () -> Void) -> Bool {
        guard !isFull else { return false }
        let payloads = messages.map { String(decoding: $0.payload, as: UTF8.self) }
        waiting.append { [unowned self] in
            delivered += payloads
            for change in changes {
                if case .state(.receiver, let key, let value) = change { stored[key] = value }
            }
            committed()
        }
        return true
    }

    func commit() {
        let due = waiting
        waiting = []
        for action in due { action() }
    }
}

/// Uplink and receiver together, under cuts, restarts of the receiver, full stores and missing receivers: everything arrives
/// once and in order (docs/how-it-works.md).
@Suite struct UplinkAndIngestTests {
    @Test(arguments: 1...25)
    func everythingArrivesOnceAndInOrder(seed: UInt64) throws {
        var numbers = SplitMix64(state: seed)
        let world = try World(routes: [
            RouteOptions(name: "plant", batchBytes: 300 + Int(numbers.next() % 3000), batchDelay: .milliseconds(200))
        ])
        world.upstream.connack.sessionPresent = true
        if seed % 2 == 0 { world.upstream.connack.maximumPacketSize = 600 }
        world.upstream.connack.receiveMaximum = UInt16(1 + numbers.next() % 8)
        let cloud = Cloud()
        try cloud.start()
        var hasReceiver = true
        world.upstream.answer = { [unowned world] message in
            guard hasReceiver else { return .reason(.noMatchingSubscribers) }
            let connection = world.upstream.connects.count
            Array(message.topic.utf8).withUnsafeBytes { topic in
                message.payload.withUnsafeBytes { payload in
                    cloud.ingest?.receive(PublishView(topic: topic, payload: payload), from: cloud) { reason in
                        guard world.upstream.connects.count == connection else { return }
                        world.upstream.acknowledge(message, reason)
                    }
                }
            }
            return .silence
        }
        world.uplink.start()
        var sent = 0
        for _ in 0..<120 {
            for _ in 0..<numbers.next() % 8 {
                sent += 1
                world.publish("\(sent) " + String(repeating: "x", count: Int(numbers.next() % 60)))
            }
            switch numbers.next() % 14 {
            case 0: world.network.cut(.broken)
            case 1: world.network.cut(.silent)
            case 2: world.upstream.close()
            case 3: cloud.isFull = true
            case 4: hasReceiver = false
            case 5:
                world.upstream.close()
                try cloud.start()
            case 6: world.uplink.flush()
            default:
                world.network.restore()
                cloud.isFull = false
                hasReceiver = true
                cloud.commit()
            }
            world.pass(.milliseconds(Int64(numbers.next() % 700)))
        }
        world.network.restore()
        cloud.isFull = false
        hasReceiver = true
        var rounds = 0
        while world.queues[0].messages > 0, rounds < 500 {
            cloud.commit()
            world.pass(.seconds(1), step: .milliseconds(250))
            rounds += 1
        }

        #expect(world.upstream.unknownAliases == 0)
        let arrived = cloud.delivered.compactMap { Int($0.split(separator: " ")[0]) }
        #expect(world.queues[0].messages == 0)
        #expect(arrived == Array(1...max(sent, 1)))
        let key = ReceiverKey(node: "pump-7", route: "cloud/plant", run: BatchRun(epoch: 0xABCD))
        #expect(cloud.ingest?.states[key]?.received == [1...UInt64(sent)])
    }
}
