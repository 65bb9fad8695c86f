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

    /// One session's subscription to one filter, or a Shared Subscription, however many members it has.
    struct Interest {
        enum Subscriber {
            case session(Session)
            case share(ShareGroup)

            var identity: ObjectIdentifier {
                switch self {
                case .session(let session): ObjectIdentifier(session)
                case .share(let group): ObjectIdentifier(group)
                }
            }
        }

        let subscriber: Subscriber
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
        insert(filter, Interest(subscriber: .session(session), subscription: subscription))
    }

    func insert(_ filter: [UInt8], _ interest: Interest) {
        generation += 1
        let (node, isBelow) = find(filter)
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

    func remove(_ filter: [UInt8], session: Session) { remove(filter, .session(session)) }

    func remove(_ filter: [UInt8], _ subscriber: Interest.Subscriber) {
        generation += 1
        remove(Self.levels(filter)[...], subscriber, from: root)
    }

    private func remove(
        _ levels: ArraySlice<ArraySlice<UInt8>>, _ subscriber: Interest.Subscriber, from node: Node
    ) {
        guard let level = levels.first else {
            remove(subscriber, from: &node.here)
            return
        }
        if level.elementsEqual([UInt8(ascii: "#")]) {
            remove(subscriber, from: &node.below)
        } else if level.elementsEqual([UInt8(ascii: "+")]) {
            guard let next = node.anyLevel else { return }
            remove(levels.dropFirst(), subscriber, from: next)
            if next.isEmpty { node.anyLevel = nil }
        } else {
            guard let next = node.children[level] else { return }
            remove(levels.dropFirst(), subscriber, from: next)
            if next.isEmpty { node.children[level] = nil }
        }
    }

    private func remove(_ subscriber: Interest.Subscriber, from list: inout InterestList) {
        if list.remove(subscriber) { count -= 1 }
    }

    /// Some filter begins with this level.
    func hasFilters(below level: StaticString) -> Bool {
        let level = Array(UnsafeBufferPointer(start: level.utf8Start, count: level.utf8CodeUnitCount))
        return root.children[level[...]] != nil
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

    /// Of a Shared Subscription.
    let isShared: Bool

    init(filter: [UInt8], qos: QoS, noLocal: Bool, retainAsPublished: Bool, identifier: UInt32) {
        isShared = ShareGroup.isShared(filter)
        self.filter = filter
        self.qos = qos
        self.noLocal = noLocal
        self.retainAsPublished = retainAsPublished
        self.identifier = identifier
    }
}
