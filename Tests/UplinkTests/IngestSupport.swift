import Broker
import Client
import EventLoop
import Glibc
import MQTT
import Store

@testable import Uplink

/// A broker that notes what it is given.
final class NotingSink: MessageSink {
    var published: [Inner] = []
    var taken: [Inner] = []
    var changes: [Change] = []
    var isFull = false
    /// nil: commits at once.
    var waiting: [() -> Void]?

    func publish(_ message: PublishView, from origin: Broker.Origin, settled: @escaping (ReasonCode) -> Void) {
        published.append(Inner(message))
        settled(.success)
    }

    func ingest(_ messages: [PublishView], changes: [Change], committed: @escaping () -> Void) -> Bool {
        if isFull { return false }
        taken += messages.map { Inner($0) }
        self.changes += changes
        if waiting == nil { committed() } else { waiting?.append(committed) }
        return true
    }
}

final class AnyPublisher: BatchPublisher {
    var name = "pump-7-cloud"
    var forbidden: Set<String> = []
    var connection: UInt64?
    func mayPublish(to topic: UnsafeRawBufferPointer) -> Bool {
        !forbidden.contains(String(decoding: topic, as: UTF8.self))
    }
}

/// A receiver with a sink that notes what it is given.
final class Receiving {
    let sink = NotingSink()
    let publisher = AnyPublisher()
    let ingest: Ingest
    var now: Int64 = 1000
    private(set) var lines: [String] = []

    init(_ change: (inout IngestOptions) -> Void = { _ in }) throws {
        var options = IngestOptions(node: "cloud")
        change(&options)
        final class Clock { var now: () -> Int64 = { 0 } }
        let clock = Clock()
        ingest = try Ingest(options: options, sink: sink, stored: [], storeTime: { clock.now() })
        clock.now = { [unowned self] in now }
        ingest.onNotice = { [unowned self] in lines.append($0) }
    }

    @discardableResult
    func send(_ batch: [UInt8], node: String = "pump-7") -> ReasonCode? {
        var reason: ReasonCode?
        Array(Batch.topic(prefix: "roost/batch", node: node).utf8).withUnsafeBytes { topic in
            batch.withUnsafeBytes { payload in
                ingest.receive(PublishView(topic: topic, payload: payload, qos: .atLeastOnce), from: publisher) {
                    reason = $0
                }
            }
        }
        return reason
    }

    func state(_ run: BatchRun = makeHeader().run, node: String = "pump-7", route: String = "cloud/plant")
        -> ReceiverState?
    {
        ingest.states[ReceiverKey(node: node, route: route, run: run)]
    }
}

/// Samples with these payloads.
func samples(_ numbers: ClosedRange<Int>) -> [Sample] {
    numbers.map { Sample(payload: "\($0)", time: WallTime(milliseconds: Int64($0) * 1000)) }
}
