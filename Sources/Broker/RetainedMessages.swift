import HeapModule
import MQTT
import Store

/// The retained message of each topic, by the topic's levels.
final class RetainedMessages {
    private final class Node {
        var children: [ArraySlice<UInt8>: Node] = [:]
        var message: Message?
    }

    private let root = Node()
    private(set) var count = 0
    private(set) var bytes = 0
    /// Retained messages wait for nobody, so they don't count against the log's memory.
    private let meter = MemoryMeter()

    /// When a topic's message may expire: it may have been replaced since.
    private struct Expiry: Comparable {
        let time: Int64
        let topic: [UInt8]

        static func < (a: Self, b: Self) -> Bool { a.time < b.time }
    }

    private var expiries = Heap<Expiry>()

    /// Sets the topic's retained message; nil removes it.
    func set(_ topic: UnsafeRawBufferPointer, _ message: Message?) {
        let levels = Self.levels(topic)
        if message == nil {
            remove(levels[...], from: root)
            return
        }
        var node = root
        for level in levels {
            let next = node.children[level] ?? Node()
            node.children[level] = next
            node = next
        }
        if let old = node.message { bytes -= old.byteCount } else { count += 1 }
        node.message = message
        message?.charge(to: meter)
        bytes += message?.byteCount ?? 0
        guard let message, message.expiresAt < .max else { return }
        expiries.insert(Expiry(time: message.expiresAt, topic: [UInt8](topic)))
        if expiries.count > 2 * count + Self.staleExpiries { forgetReplacedExpiries() }
    }

    private static let staleExpiries = 1024

    private func forgetReplacedExpiries() {
        expiries = Heap(
            expiries.unordered.filter { expiry in
                expiry.topic.withUnsafeBytes { message($0)?.expiresAt == expiry.time }
            })
    }

    /// Removes what has expired at `now` (store time), and tells its topics.
    func removeExpired(at now: Int64, _ removed: ([UInt8]) -> Void) {
        while let next = expiries.min, next.time <= now {
            expiries.removeMin()
            next.topic.withUnsafeBytes { topic in
                guard message(topic)?.expiresAt == next.time else { return }
                set(topic, nil)
                removed(next.topic)
            }
        }
    }

    func contains(_ topic: UnsafeRawBufferPointer) -> Bool { message(topic) != nil }

    /// The lane sequence of the topic's message.
    func laneSequence(_ topic: UnsafeRawBufferPointer) -> UInt64? { message(topic)?.laneSequence }

    func message(_ topic: UnsafeRawBufferPointer) -> Message? {
        var node = root
        for level in Self.levels(topic) {
            guard let next = node.children[level] else { return nil }
            node = next
        }
        return node.message
    }

    private func remove(_ levels: ArraySlice<ArraySlice<UInt8>>, from node: Node) {
        guard let level = levels.first else {
            if let old = node.message {
                count -= 1
                bytes -= old.byteCount
            }
            node.message = nil
            return
        }
        guard let next = node.children[level] else { return }
        remove(levels.dropFirst(), from: next)
        if next.children.isEmpty, next.message == nil { node.children[level] = nil }
    }

    /// Calls `body` for every retained message whose topic the filter matches, in the order of topics.
    func match(_ filter: [UInt8], _ body: (Message) -> Void) {
        let levels = filter.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        match(levels[...], root, isFirst: true, body)
    }

    private func match(
        _ levels: ArraySlice<ArraySlice<UInt8>>, _ node: Node, isFirst: Bool, _ body: (Message) -> Void
    ) {
        guard let level = levels.first else {
            if let message = node.message { body(message) }
            return
        }
        if level.elementsEqual([UInt8(ascii: "#")]) {
            everything(node, isFirst: isFirst, body)
        } else if level.elementsEqual([UInt8(ascii: "+")]) {
            for (name, next) in sorted(node) where !isFirst || name.first != UInt8(ascii: "$") {
                match(levels.dropFirst(), next, isFirst: false, body)
            }
        } else if let next = node.children[level] {
            match(levels.dropFirst(), next, isFirst: false, body)
        }
    }

    private func everything(_ node: Node, isFirst: Bool, _ body: (Message) -> Void) {
        if let message = node.message { body(message) }
        for (name, next) in sorted(node) where !isFirst || name.first != UInt8(ascii: "$") {
            everything(next, isFirst: false, body)
        }
    }

    private func sorted(_ node: Node) -> [(ArraySlice<UInt8>, Node)] {
        node.children.map { ($0.key, $0.value) }.sorted { $0.0.lexicographicallyPrecedes($1.0) }
    }

    private static func levels(_ topic: UnsafeRawBufferPointer) -> [ArraySlice<UInt8>] {
        [UInt8](topic).split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    }
}
