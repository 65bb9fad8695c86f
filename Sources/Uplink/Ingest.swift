import Broker
import MQTT
import Store

/// The receiving side of batches (docs/formats.md): opens them, keeps what it has of each run, and hands the
/// messages that are new to the broker, which commits both together before the batch is acknowledged.
public final class Ingest {
    public let options: IngestOptions
    public internal(set) var states = ReceiverStates()

    /// What came, since the start.
    public struct Figures: Equatable, Sendable {
        public var batches: UInt64 = 0
        /// By the word of the reason.
        public var refused: [String: UInt64] = [:]
        public var messages: UInt64 = 0
        /// Messages that were here already.
        public var duplicates: UInt64 = 0
        /// Messages that had been here before they came (`via`).
        public var loops: UInt64 = 0

        public var refusedBatches: UInt64 { refused.values.reduce(0, +) }
    }

    public internal(set) var figures = Figures()
    /// One line for a person, about a refusal: the first of each kind from each publisher, until a minute passes without.
    public var onNotice: ((String) -> Void)?

    let filter: [UInt8]
    unowned let sink: any MessageSink
    let storeTime: () -> Int64
    let via: [UInt8]
    var mapping = TopicMapping.identity
    var mappingNode: String?
    /// Topics and properties that differ from those in the batch.
    var scratch = RawBytes()
    var refusals = RefusalEpisodes()
    private let reader: BatchReader
    private var turns = IngestTurns()

    static let refusedPrefix = "roost/refused/"

    /// - Parameters:
    ///   - stored: what the store holds under `StateKind.receiver`.
    ///   - storeTime: store time, milliseconds.
    /// - Throws: a pattern that can't be used.
    public init(
        options: IngestOptions, sink: any MessageSink, stored: [(key: [UInt8], value: [UInt8])],
        storeTime: @escaping () -> Int64
    ) throws(TopicMapping.PatternError) {
        self.options = options
        self.sink = sink
        filter = Array(options.filter.utf8)
        self.storeTime = storeTime
        via = Array(options.node.utf8)
        reader = BatchReader(limitBytes: options.maxBatch)
        _ = try TopicMapping(options.topic, node: "node", labels: options.labels)
        for entry in stored {
            guard let key = ReceiverKey(decoding: entry.key), let state = ReceiverState(decoding: entry.value) else {
                continue
            }
            states.set(key, state)
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
            answer(error.reason)
        }
    }

    private func take(
        _ publish: PublishView, from publisher: any BatchPublisher, answer: @escaping (ReasonCode) -> Void
    ) throws(BatchRefusal) {
        defer {
            scratch.giveBackIfLarge()
            reader.giveBackIfLarge()
        }
        let batch = try reader.open(publish.payload)
        guard batch.length == publish.payload.count else {
            throw .structure("bytes behind the batch", offset: batch.length)
        }
        let header = batch.header
        let level = Self.lastLevel(publish.topic)
        guard level.elementsEqual(header.node.utf8) else {
            throw .nodeMismatch(header: header.node, topic: String(decoding: level, as: UTF8.self))
        }
        let key = ReceiverKey(node: header.node, route: header.route, run: header.run)
        var touched: [ReceiverKey: ReceiverState] = [:]
        let new = try note(batch, as: key, in: &touched)
        try turns.check(key, publisher.connection, hasNew: !new.isEmpty) {
            (touched[$0] ?? states[$0])?.knows($1) == true
        }
        let taken = try views(of: batch, new: new, from: publisher)

        let count = UInt64(taken.messages.count)
        let isTaken = sink.ingest(taken.messages, changes: changes(touched)) { [weak self] in
            self?.figures.batches += 1
            self?.figures.messages += count
            answer(.success)
        }
        guard isTaken else {
            // What is here already is not waited for, nor is the number of an empty batch, whose message may not be there yet.
            if let first = new.first?.lowerBound { turns.wait(for: first, key, publisher.connection) }
            throw .storeFull
        }
        figures.duplicates += UInt64(taken.repeated)
        figures.loops += UInt64(taken.looped)
        for (key, state) in touched { states.set(key, state) }
        forgetBeyondLimit(header.node, keeping: Set(touched.keys))
    }

    /// Works the header's numbers and news into copies of the states that they concern, and returns the numbers that are
    /// new. What is refused leaves `states` as it was.
    private func note(
        _ batch: BatchReader.Opened, as key: ReceiverKey, in touched: inout [ReceiverKey: ReceiverState]
    ) throws(BatchRefusal) -> [ClosedRange<UInt64>] {
        let header = batch.header
        let now = storeTime()
        let states = states
        func open(_ run: BatchRun) throws(BatchRefusal) -> (key: ReceiverKey, state: ReceiverState) {
            let key = ReceiverKey(node: header.node, route: header.route, run: run)
            var state = touched[key] ?? states[key] ?? ReceiverState()
            guard state.changedAt != 0 || states.hasRoom || states[key] != nil else {
                throw .tooManyRuns(limitBytes: states.limitBytes)
            }
            state.changedAt = now
            return (key, state)
        }
        for gap in header.gaps {
            var (key, state) = try open(gap.run)
            try state.accept(
                ReceiverState.Gap(first: gap.first, last: gap.last, reason: gap.reason, from: gap.from, to: gap.to))
            touched[key] = state
        }
        for end in header.ended {
            var (key, state) = try open(end.run)
            try state.accept(ended: end.last, at: end.at)
            touched[key] = state
        }
        var (_, state) = try open(header.run)
        state.madeAt = header.madeAt
        let from = batch.packets.first.flatMap(WallTime.init(of:)) ?? header.madeAt
        let to = batch.packets.last.flatMap(WallTime.init(of:)) ?? header.madeAt
        let new = try state.accept(header.sequence, count: batch.count, from: from, to: to)
        touched[key] = state
        return new
    }

    private func changes(_ touched: [ReceiverKey: ReceiverState]) -> [Change] {
        touched.map { (key: $0.key.encoded, value: $0.value.encoded) }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
            .map { Change.state(.receiver, key: $0.key, value: $0.value) }
    }

    // MARK: - Forgetting

    /// Drops runs that are over and that nothing was heard of for 90 days, and returns what the store is to forget. Called
    /// now and then.
    public func forgetEnded() -> [Change] {
        states.forgetOld(now: storeTime()).map { .state(.receiver, key: $0.encoded, value: nil) }
    }

    /// A node with too many runs loses its oldest.
    private func forgetBeyondLimit(_ node: String, keeping: Set<ReceiverKey>) {
        let forgotten = states.trim(node, keeping: keeping)
        guard !forgotten.isEmpty else { return }
        onNotice?("node \(node): what came in its \(forgotten.count) oldest runs is forgotten, there are too many")
        _ = sink.ingest([], changes: forgotten.map { .state(.receiver, key: $0.encoded, value: nil) }) {}
    }

    static func lastLevel(_ topic: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let start = topic.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
        return UnsafeRawBufferPointer(rebasing: topic[start...])
    }
}

/// Batches that were on their way behind one that the store could not keep wait as well, so that order is kept: until
/// that one comes again, or its number is known never to come.
private struct IngestTurns {
    private struct Route: Hashable {
        let node: String
        let name: String

        init(_ key: ReceiverKey) {
            node = key.node
            name = key.route
        }
    }

    private struct Awaited {
        var key: ReceiverKey
        var number: UInt64
        var connection: UInt64?
    }

    /// The first number of each route that the store could not keep, until it comes again. On one connection what is left of
    /// an earlier run comes before anything newer: so there a route waits as a whole. A new connection begins with what is
    /// unacknowledged, and nothing is on its way behind it.
    private var awaited: [Route: Awaited] = [:]
    /// Batches refused for them in a row, which is bounded, so that no sender is held for ever.
    private var heldBack = 0
    private static let maximumHeldBack = 64

    /// - Parameter connection: nil where batches come by way of another broker, which mixes them.
    mutating func check(
        _ key: ReceiverKey, _ connection: UInt64?, hasNew: Bool, isKnown: (ReceiverKey, UInt64) -> Bool
    ) throws(BatchRefusal) {
        let route = Route(key)
        guard let first = awaited[route], connection != nil || first.key == key else { return }
        if first.connection == connection, !isKnown(first.key, first.number), heldBack < Self.maximumHeldBack {
            guard hasNew else { return }
            heldBack += 1
            throw .storeFull
        }
        awaited[route] = nil
        heldBack = 0
    }

    mutating func wait(for number: UInt64, _ key: ReceiverKey, _ connection: UInt64?) {
        if awaited.count >= 100_000 { awaited.removeAll() }
        let route = Route(key)
        if let known = awaited[route], known.key == key, known.connection == connection, known.number < number {
            return
        }
        awaited[route] = Awaited(key: key, number: number, connection: connection)
    }
}
