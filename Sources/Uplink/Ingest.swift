import Broker
import MQTT
import Store

/// `[ingest]`: how this node takes batches from others.
public struct IngestOptions {
    /// This node's id: packets whose `via` names it are dropped.
    public var node: String
    /// Topics that carry batches.
    public var filter: String
    /// Pattern for the inner topics, with `{topic}`, `{node}` (the batch's) and this node's labels.
    public var topic: String
    public var labels: [(name: String, value: String)]
    /// Leaves the node's time, User Property `t`, on the messages.
    public var stamp: Bool
    /// Bytes of a batch decompressed.
    public var maxBatch: Int
    /// Topics below `$` that batches may carry nevertheless: the twin's own.
    public var allowsReserved: (UnsafeRawBufferPointer) -> Bool

    public init(
        node: String, filter: String = "roost/batch/#", topic: String = "{topic}",
        labels: [(name: String, value: String)] = [], stamp: Bool = true,
        maxBatch: Int = 16 << 20, allowsReserved: @escaping (UnsafeRawBufferPointer) -> Bool = { _ in false }
    ) {
        self.node = node
        self.filter = filter
        self.topic = topic
        self.labels = labels
        self.stamp = stamp
        self.maxBatch = maxBatch
        self.allowsReserved = allowsReserved
    }
}

/// The receiving side of batches (docs/formats.md): opens them, keeps what it has of each run, and hands the
/// messages that are new to the broker, which commits both together before the batch is acknowledged.
public final class Ingest {
    public let options: IngestOptions
    public private(set) var states: [ReceiverKey: ReceiverState] = [:]

    /// Batches taken and refused, messages taken, messages that were here already, messages that had been here before
    /// they came (`via`).
    public private(set) var batches: UInt64 = 0
    public private(set) var refusedBatches: UInt64 = 0
    public private(set) var messages: UInt64 = 0
    public private(set) var duplicates: UInt64 = 0
    public private(set) var loops: UInt64 = 0
    /// One line for a person, about a refusal.
    public var onNotice: ((String) -> Void)?

    let filter: [UInt8]
    let access: any AccessControl
    private unowned let sink: any MessageSink
    private let reader: BatchReader
    private let storeTime: () -> Int64
    private let via: [UInt8]
    private var mapping = TopicMapping.identity
    private var mappingNode: String?
    /// Numbers that the store could not keep, until they come again; and how many batches were refused for them in a row,
    /// which is bounded, so that no sender is held for ever.
    private var awaited: [ReceiverKey: UInt64] = [:]
    private var heldBack = 0
    private static let maximumHeldBack = 64
    /// Topics and properties that differ from those in the batch.
    private var scratch = RawBytes()

    /// - Parameters:
    ///   - stored: what the store holds under `StateKind.receiver`.
    ///   - storeTime: store time, milliseconds.
    /// - Throws: a pattern that can't be used.
    public init(
        options: IngestOptions, sink: any MessageSink, access: any AccessControl = OpenAccess(),
        stored: [(key: [UInt8], value: [UInt8])], storeTime: @escaping () -> Int64
    ) throws(TopicMapping.PatternError) {
        self.options = options
        self.sink = sink
        self.access = access
        filter = Array(options.filter.utf8)
        self.storeTime = storeTime
        via = Array(options.node.utf8)
        reader = BatchReader(limitBytes: options.maxBatch)
        _ = try TopicMapping(options.topic, node: "node", labels: options.labels)
        for entry in stored {
            guard let key = ReceiverKey(decoding: entry.key), let state = ReceiverState(decoding: entry.value) else {
                continue
            }
            states[key] = state
        }
    }

    // MARK: - Taking batches

    public func receive(
        _ publish: PublishView, from publisher: any BatchPublisher, answer: @escaping (ReasonCode) -> Void
    ) {
        do throws(BatchRefusal) {
            try take(publish, from: publisher, answer: answer)
        } catch {
            refuse(publish, from: publisher, error)
            answer(error == .storeFull ? .quotaExceeded : .payloadFormatInvalid)
        }
    }

    private func take(
        _ publish: PublishView, from publisher: any BatchPublisher, answer: @escaping (ReasonCode) -> Void
    ) throws(BatchRefusal) {
        let batch = try reader.open(publish.payload)
        guard batch.length == publish.payload.count else {
            throw .structure("bytes behind the batch", offset: batch.length)
        }
        let header = batch.header
        let level = Self.lastLevel(publish.topic)
        guard level.elementsEqual(header.node.utf8) else {
            throw .nodeMismatch(header: header.node, topic: String(decoding: level, as: UTF8.self))
        }
        var touched: [ReceiverKey: ReceiverState] = [:]
        let key = ReceiverKey(node: header.node, route: header.route, run: header.run)
        let new = try note(header, count: batch.count, as: key, in: &touched)
        try checkTurn(header, key, touched)
        let taken = try views(of: batch, new: new, from: publisher)

        let changes = touched.map { (key: $0.key.encoded, value: $0.value.encoded) }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .map { Change.state(.receiver, key: $0.key, value: $0.value) }
        states.merge(touched) { _, latest in latest }
        sink.ingest(taken, changes: changes) { [weak self] isKept in
            guard let self else { return answer(isKept ? .success : .quotaExceeded) }
            if isKept {
                batches += 1
                messages += UInt64(taken.count)
            } else {
                states[key]?.giveBack(new)
                awaited[key] = min(awaited[key] ?? .max, header.sequence)
                refusedBatches += 1
                onNotice?("a batch of node \(header.node) is refused: \(BatchRefusal.storeFull)")
            }
            answer(isKept ? .success : .quotaExceeded)
        }
        scratch.giveBackIfLarge()
        reader.giveBackIfLarge()
    }

    /// Batches that were on their way behind one that the store could not keep wait as well, so that order is kept: until
    /// that one comes again, or its number is known never to come.
    private func checkTurn(
        _ header: BatchHeader, _ key: ReceiverKey, _ touched: [ReceiverKey: ReceiverState]
    ) throws(BatchRefusal) {
        guard let number = awaited[key] else { return }
        let isHere = touched[key]?.knows(number) == true
        if !isHere, heldBack < Self.maximumHeldBack {
            heldBack += 1
            throw .storeFull
        }
        awaited[key] = nil
        heldBack = 0
    }

    /// Works the header's numbers and news into copies of the states that they concern, and returns the numbers that are
    /// new. What is refused leaves `states` as it was.
    private func note(
        _ header: BatchHeader, count: Int, as key: ReceiverKey, in touched: inout [ReceiverKey: ReceiverState]
    ) throws(BatchRefusal) -> [ClosedRange<UInt64>] {
        let now = storeTime()
        func open(_ run: BatchRun) -> (key: ReceiverKey, state: ReceiverState) {
            let key = ReceiverKey(node: header.node, route: header.route, run: run)
            var state = touched[key] ?? states[key] ?? ReceiverState()
            state.changedAt = now
            return (key, state)
        }
        for gap in header.gaps {
            var (key, state) = open(gap.run)
            try state.accept(
                ReceiverState.Gap(first: gap.first, last: gap.last, reason: gap.reason, from: gap.from, to: gap.to))
            touched[key] = state
        }
        for end in header.ended {
            var (key, state) = open(end.run)
            try state.accept(ended: end.last, at: end.at)
            touched[key] = state
        }
        var (_, state) = open(header.run)
        state.madeAt = header.madeAt
        let new = try state.accept(header.sequence, count: count)
        touched[key] = state
        return new
    }

    /// The packets whose numbers are new, as they are to be published; valid until the next batch is opened.
    private func views(
        of batch: BatchReader.Opened, new: [ClosedRange<UInt64>], from publisher: any BatchPublisher
    ) throws(BatchRefusal) -> [IngestedMessage] {
        try prepareMapping(for: batch.header.node)
        var views: [IngestedMessage] = []
        views.reserveCapacity(new.reduce(0) { $0 + $1.count })
        scratch.removeAll()
        if !mapping.isIdentity || !options.stamp {
            // Reserved whole, so that what points into it stays where it is.
            _ = scratch.reserve(mapping.capacity(topicBytes: batch.byteCount, count: batch.count) + batch.byteCount)
        }
        var number = batch.header.sequence
        var range = 0
        var repeated: UInt64 = 0
        var looped: UInt64 = 0
        for packet in batch.packets {
            defer { number += 1 }
            while range < new.count, new[range].upperBound < number { range += 1 }
            guard range < new.count, new[range].contains(number) else {
                repeated += 1
                continue
            }
            guard !Self.names(via, in: packet.properties) else {
                looped += 1
                continue
            }
            var view = packet
            try checkReserved(view.topic)
            if !mapping.isIdentity {
                view.topic = mapped(view.topic)
                guard TopicName.isValid(view.topic) else {
                    throw .structure("a topic that can't be mapped", offset: 0)
                }
                try checkReserved(view.topic)
            }
            guard publisher.mayPublish(to: view.topic) else {
                throw .topic(String(decoding: view.topic, as: UTF8.self))
            }
            if !options.stamp { view.properties = withoutTime(view.properties) }
            views.append(IngestedMessage(publish: view))
        }
        duplicates += repeated
        loops += looped
        return views
    }

    private func prepareMapping(for node: String) throws(BatchRefusal) {
        guard mappingNode != node else { return }
        do throws(TopicMapping.PatternError) {
            mapping = try TopicMapping(options.topic, node: node, labels: options.labels)
            mappingNode = node
        } catch {
            throw .structure("node \(node) has no place in the topic pattern", offset: 0)
        }
    }

    private func checkReserved(_ topic: UnsafeRawBufferPointer) throws(BatchRefusal) {
        guard topic.first != UInt8(ascii: "$") || options.allowsReserved(topic) else {
            throw .topic(String(decoding: topic, as: UTF8.self))
        }
    }

    private func mapped(_ topic: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let start = scratch.reserve(mapping.mappedLength(topic.count))
        let end = mapping.write(topic, to: start)
        scratch.commit(end - start)
        return UnsafeRawBufferPointer(start: start, count: end - start)
    }

    /// The properties without the last `t`, which is the node's: one before it is the publisher's own, or another node's.
    private func withoutTime(_ properties: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        var place: UnsafeRawBufferPointer?
        for property in PropertyReader(properties) {
            if case .pair(let name, _) = property.value, name.count == 1, name[0] == UInt8(ascii: "t") {
                place = property.encoded
            }
        }
        guard let place, let first = place.baseAddress, let whole = properties.baseAddress else { return properties }
        let before = UnsafeRawBufferPointer(start: whole, count: first - whole)
        let after = UnsafeRawBufferPointer(rebasing: properties[(before.count + place.count)...])
        let count = before.count + after.count
        let start = scratch.reserve(count)
        let target = UnsafeMutableRawBufferPointer(start: start, count: count)
        target.copyMemory(from: before)
        UnsafeMutableRawBufferPointer(rebasing: target[before.count...]).copyMemory(from: after)
        scratch.commit(count)
        return UnsafeRawBufferPointer(start: start, count: count)
    }

    /// Whether a `via` among the User Properties names `node`.
    static func names(_ node: [UInt8], in properties: UnsafeRawBufferPointer) -> Bool {
        for property in PropertyReader(properties) {
            if case .pair(let name, let value) = property.value, name.elementsEqual("via".utf8),
                value.elementsEqual(node)
            {
                return true
            }
        }
        return false
    }

    // MARK: - Refusing

    private func refuse(_ publish: PublishView, from publisher: any BatchPublisher, _ refusal: BatchRefusal) {
        refusedBatches += 1
        let topic = String(decoding: publish.topic, as: UTF8.self)
        let levels = topic.split(separator: "/", omittingEmptySubsequences: false)
        let node = levels.last.map(String.init) ?? ""
        onNotice?("a batch from \(publisher.name) on \(topic) is refused: \(refusal)")
        guard refusal.keepsCopy else { return }
        let shard = levels.count > 1 ? String(levels[levels.count - 2]) : Batch.shard(of: node)
        Array("roost/refused/\(shard)/\(node)".utf8).withUnsafeBytes { topic in
            sink.publish(PublishView(topic: topic, payload: publish.payload, qos: .atLeastOnce), from: .node) { _ in }
        }
    }

    // MARK: - Forgetting

    /// Drops ended runs that nothing was heard of for 90 days, and returns what the store is to forget. Called once a day.
    public func forgetEnded() -> [Change] {
        let now = storeTime()
        let forgotten = states.filter { $0.value.isForgotten(now: now) }.map(\.key)
        for key in forgotten { states[key] = nil }
        return forgotten.map { .state(.receiver, key: $0.encoded, value: nil) }
    }

    private static func lastLevel(_ topic: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let start = topic.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        return UnsafeRawBufferPointer(rebasing: topic[start...])
    }
}
