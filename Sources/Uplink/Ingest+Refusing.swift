import MQTT

/// What becomes of a batch that is refused: counted, told once, and kept as a copy where a person can look at it.
extension Ingest {
    func refuse(_ publish: PublishView, from publisher: any BatchPublisher, _ refusal: BatchRefusal) {
        figures.refused[refusal.word, default: 0] += 1
        let topic = String(decoding: publish.topic, as: UTF8.self)
        if refusals.begins("\(refusal.word) \(publisher.name) \(topic)", at: storeTime()) {
            onNotice?("a batch from \(publisher.name) on \(topic) is refused: \(refusal)")
        }
        guard refusal.keepsCopy else { return }
        let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
        let node = levels.last.map(String.init) ?? ""
        let shard = levels.count > 1 ? String(levels[levels.count - 2]) : Batch.shard(of: node)
        Array("\(Self.refusedPrefix)\(shard)/\(node)".utf8).withUnsafeBytes { topic in
            sink.publish(PublishView(topic: topic, payload: publish.payload, qos: .atLeastOnce), from: .node) { _ in }
        }
    }
}

/// Refusals that happen again and again: one line for each kind, until it hasn't happened for a minute.
struct RefusalEpisodes {
    private var last: [String: Int64] = [:]
    private static let silence: Int64 = 60_000
    private static let maximum = 1000

    /// - Parameter now: store time, milliseconds.
    mutating func begins(_ kind: String, at now: Int64) -> Bool {
        let before = last[kind]
        if before == nil, last.count >= Self.maximum {
            last = last.filter { now - $0.value < Self.silence }
            // Very many kinds at once: that some are told again is the lesser evil.
            if last.count >= Self.maximum { last.removeAll() }
        }
        last[kind] = now
        return before.map { now - $0 >= Self.silence } ?? true
    }
}
