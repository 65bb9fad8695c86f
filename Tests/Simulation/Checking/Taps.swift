import Broker
import MQTT
import Store
import Uplink

/// Reads along which batches come to the receiver, and what it answers.
final class ReceiverTap: BatchReceiver {
    private let ingest: Ingest
    private unowned let model: Model
    private let reader = BatchReader(limitBytes: 16 << 20)
    /// Of the batch that is being received.
    private(set) var route = ""

    init(_ ingest: Ingest, _ model: Model) {
        self.ingest = ingest
        self.model = model
    }

    func wants(_ topic: UnsafeRawBufferPointer) -> Bool { ingest.wants(topic) }

    func receive(_ publish: PublishView, from origin: Broker.Origin, answer: @escaping (ReasonCode) -> Void) {
        guard let batch = try? reader.open(publish.payload) else {
            model.fail(.integrity, "a batch that can't be opened")
            return ingest.receive(publish, from: origin, answer: answer)
        }
        let header = batch.header
        model.checkWindow(header)
        route = header.route
        var number = header.sequence
        for packet in batch.packets {
            let place = BatchPlace(route: header.route, run: header.run, number: number)
            model.batchCarries(place, String(decoding: packet.payload, as: UTF8.self))
            number += 1
        }
        let places = header.sequence..<number
        let model = model
        model.world.trace.note("the receiver gets \(header.summary(count: batch.count))")
        ingest.receive(publish, from: origin) { reason in
            model.world.trace.note("the receiver answers \(header.route) \(header.sequence) with \(reason.name)")
            if reason == .success { model.batchIsTaken(header, places) }
            answer(reason)
        }
    }
}

/// One number of a route.
struct BatchPlace: Hashable, CustomStringConvertible {
    var route: String
    var run: BatchRun
    var number: UInt64

    var description: String { "\(route) \(String(run.epoch, radix: 16)) number \(number)" }
}

/// Reads along what the receiver hands to the broker, and whether it was kept.
final class SinkTap: MessageSink {
    private let broker: Broker
    private unowned let model: Model
    weak var receiver: ReceiverTap?

    init(_ broker: Broker, _ model: Model) {
        self.broker = broker
        self.model = model
    }

    func publish(_ message: PublishView, from origin: Broker.Origin, settled: @escaping (ReasonCode) -> Void) {
        broker.publish(message, from: origin, settled: settled)
    }

    var takesMessages: Bool { broker.takesMessages }

    func ingest(_ messages: [PublishView], changes: [Change], committed: @escaping () -> Void) -> Bool {
        let contents = messages.map {
            (topic: String(decoding: $0.topic, as: UTF8.self), payload: String(decoding: $0.payload, as: UTF8.self))
        }
        let model = model
        let route = receiver?.route ?? ""
        return broker.ingest(messages, changes: changes) {
            model.receiverTakes(contents, of: route)
            committed()
        }
    }
}

extension BatchHeader {
    fileprivate func summary(count: Int) -> String {
        func name(_ run: BatchRun) -> String { String(String(run.epoch, radix: 16).prefix(4)) }
        let gaps = gaps.map { " gap \(name($0.run)) \($0.first)-\($0.last) \($0.reason)" }.joined()
        let ended = ended.map { " end \(name($0.run)) \($0.last.map { "\($0)" } ?? "?")" }.joined()
        return "\(route) \(name(run)) \(sequence), \(count) messages\(gaps)\(ended)"
    }
}
