import MQTT

/// Topic Filters by their levels: who is interested in a Topic Name. Asked only when a topic is new to the cache.
final class SubscriptionTree {
    private final class Node {
        var children: [ArraySlice<UInt8>: Node] = [:]
        /// `+` at this level.
        var anyLevel: Node?
        /// Subscriptions whose filter ends here, and those whose filter goes on with `#`.
        var here = InterestList()
        var below = InterestList()

        var isEmpty: Bool { children.isEmpty && anyLevel == nil && here.isEmpty && below.isEmpty }
    }

    /// One session's subscription to one filter.
    struct Interest {
        let session: Session
        let subscription: SubscriptionState
    }

    private let root = Node()
    private(set) var count = 0
    /// Rises with every change: what was cached before is stale.
    private(set) var generation: UInt64 = 0

    /// Something else that the matches depend on has changed.
    func noteChange() { generation += 1 }

    /// Adds or replaces.
    func insert(_ filter: [UInt8], session: Session, subscription: SubscriptionState) {
        generation += 1
        let (node, isBelow) = find(filter)
        let interest = Interest(session: session, subscription: subscription)
        let isNew = isBelow ? node.below.insert(interest) : node.here.insert(interest)
        if isNew { count += 1 }
    }

    private func find(_ filter: [UInt8]) -> (Node, isBelow: Bool) {
        var node = root
        for level in Self.levels(filter) {
            if level.elementsEqual([UInt8(ascii: "#")]) { return (node, true) }
            if level.elementsEqual([UInt8(ascii: "+")]) {
                let next = node.anyLevel ?? Node()
                node.anyLevel = next
                node = next
            } else {
                let next = node.children[level] ?? Node()
                node.children[level] = next
                node = next
            }
        }
        return (node, false)
    }

    func remove(_ filter: [UInt8], session: Session) {
        generation += 1
        remove(Self.levels(filter)[...], session, from: root)
    }

    private func remove(_ levels: ArraySlice<ArraySlice<UInt8>>, _ session: Session, from node: Node) {
        guard let level = levels.first else {
            remove(session, from: &node.here)
            return
        }
        if level.elementsEqual([UInt8(ascii: "#")]) {
            remove(session, from: &node.below)
        } else if level.elementsEqual([UInt8(ascii: "+")]) {
            guard let next = node.anyLevel else { return }
            remove(levels.dropFirst(), session, from: next)
            if next.isEmpty { node.anyLevel = nil }
        } else {
            guard let next = node.children[level] else { return }
            remove(levels.dropFirst(), session, from: next)
            if next.isEmpty { node.children[level] = nil }
        }
    }

    private func remove(_ session: Session, from list: inout InterestList) {
        if list.remove(session) { count -= 1 }
    }

    /// Calls `body` for every subscription whose filter matches.
    func match(_ topic: UnsafeRawBufferPointer, _ body: (Interest) -> Void) {
        let levels = Self.levels([UInt8](topic))
        // Wildcards at the first level don't match topics that begin with `$` [MQTT-4.7.2-1].
        match(levels[...], root, wildcards: topic.first != UInt8(ascii: "$"), body)
    }

    private func match(
        _ levels: ArraySlice<ArraySlice<UInt8>>, _ node: Node, wildcards: Bool, _ body: (Interest) -> Void
    ) {
        if wildcards { node.below.forEach(body) }
        guard let level = levels.first else {
            node.here.forEach(body)
            return
        }
        if let next = node.children[level] { match(levels.dropFirst(), next, wildcards: true, body) }
        if wildcards, let next = node.anyLevel { match(levels.dropFirst(), next, wildcards: true, body) }
    }

    private static func levels(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    }
}

/// A subscription as its session holds it.
final class SubscriptionState {
    let filter: [UInt8]
    let qos: QoS
    let noLocal: Bool
    let retainAsPublished: Bool
    /// 0: none.
    let identifier: UInt32

    init(filter: [UInt8], qos: QoS, noLocal: Bool, retainAsPublished: Bool, identifier: UInt32) {
        self.filter = filter
        self.qos = qos
        self.noLocal = noLocal
        self.retainAsPublished = retainAsPublished
        self.identifier = identifier
    }
}
