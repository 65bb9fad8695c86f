import Broker
import MQTT
import Store

@testable import Uplink

/// Batches from other nodes (docs/formats.md): opened, checked, noted. The first byte cuts the input in two, so that what the
/// receiver remembers of the first batch meets the second one.
enum Batches {
    private final class Sink: MessageSink {
        var count = 0

        func publish(_ message: PublishView, from origin: Broker.Origin, settled: @escaping (ReasonCode) -> Void) {
            settled(.success)
        }

        func ingest(_ messages: [PublishView], changes: [Change], committed: @escaping () -> Void) -> Bool {
            for message in messages {
                precondition(TopicName.isValid(message.topic), "a message to no topic")
                count += message.payload.count
            }
            committed()
            return true
        }
    }

    private struct Publisher: BatchPublisher {
        let name = "fuzz"
        func mayPublish(to topic: UnsafeRawBufferPointer) -> Bool { topic.first != UInt8(ascii: "$") }
    }

    static func take(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let sink = Sink()
        var options = IngestOptions(node: "cloud")
        options.maxBatch = 1 << 20
        guard let ingest = try? Ingest(options: options, sink: sink, stored: [], storeTime: { 1000 }) else { return }
        let bytes = input.dropFirst()
        let cut = bytes.startIndex + bytes.count * Int(first) / 255
        for batch in [bytes[..<cut], bytes[cut...], bytes[..<cut]] {
            var answers = 0
            Array("roost/batch/n".utf8).withUnsafeBytes { topic in
                Array(batch).withUnsafeBytes { payload in
                    ingest.receive(PublishView(topic: topic, payload: payload, qos: .atLeastOnce), from: Publisher()) {
                        _ in answers += 1
                    }
                }
            }
            precondition(answers == 1, "answered \(answers) times")
        }
        precondition(sink.count <= 2 << 20, "more than max_batch")
    }
}
