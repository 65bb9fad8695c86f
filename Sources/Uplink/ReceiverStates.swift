import Store

/// What a receiver has of all nodes, bounded in memory: a stranger that makes up nodes, routes and runs can't make it grow
/// without limit.
public struct ReceiverStates {
    /// A route's run, within a node.
    public struct RouteRun: Hashable, Sendable {
        public var route: String
        public var run: BatchRun
    }

    /// Bytes for all nodes, and for one: about what 500,000 and 8,000 runs take.
    public var limitBytes = 256 << 20
    public var nodeLimitBytes = 4 << 20

    public private(set) var bytes = 0
    private var nodes: [String: Node] = [:]

    private struct Node {
        var runs: [RouteRun: ReceiverState] = [:]
        var bytes = 0
    }

    public init() {}

    public var nodeCount: Int { nodes.count }
    public var runCount: Int { nodes.values.reduce(0) { $0 + $1.runs.count } }
    public var nodeNames: [String] { nodes.keys.sorted() }

    public subscript(key: ReceiverKey) -> ReceiverState? {
        nodes[key.node]?.runs[RouteRun(route: key.route, run: key.run)]
    }

    /// One node's runs.
    public subscript(node name: String) -> [RouteRun: ReceiverState] { nodes[name]?.runs ?? [:] }

    public var keys: [ReceiverKey] {
        nodes.flatMap { name, node in node.runs.keys.map { ReceiverKey(node: name, route: $0.route, run: $0.run) } }
    }

    /// Whether a run that isn't known yet has a place.
    public var hasRoom: Bool { bytes < limitBytes }

    public mutating func set(_ key: ReceiverKey, _ state: ReceiverState) {
        var run = RouteRun(route: key.route, run: key.run)
        if nodes[key.node]?.runs[run] == nil {
            // All runs of a route share one copy of its name.
            let known = nodes[key.node]?.runs.keys.first { $0.route == run.route }
            if let known { run.route = known.route }
        }
        let before = nodes[key.node, default: Node()].runs.updateValue(state, forKey: run)
        count(key, state.byteCount - (before?.byteCount ?? -key.route.utf8.count))
    }

    public mutating func remove(_ key: ReceiverKey) {
        guard let state = nodes[key.node]?.runs.removeValue(forKey: RouteRun(route: key.route, run: key.run)) else {
            return
        }
        count(key, -state.byteCount - key.route.utf8.count)
        if nodes[key.node]?.runs.isEmpty == true { nodes[key.node] = nil }
    }

    private mutating func count(_ key: ReceiverKey, _ change: Int) {
        bytes += change
        nodes[key.node]?.bytes += change
    }

    /// Takes out runs of a node that has passed its limit, those first that nothing was heard of for longest, but none of
    /// `keeping`; returns them.
    public mutating func trim(_ node: String, keeping: Set<ReceiverKey>) -> [ReceiverKey] {
        guard let found = nodes[node], found.bytes > nodeLimitBytes else { return [] }
        let oldest = found.runs.sorted { $0.value.changedAt < $1.value.changedAt }
        var removed: [ReceiverKey] = []
        for (run, _) in oldest {
            guard let bytes = nodes[node]?.bytes, bytes > nodeLimitBytes * 3 / 4 else { break }
            let key = ReceiverKey(node: node, route: run.route, run: run.run)
            guard !keeping.contains(key) else { continue }
            remove(key)
            removed.append(key)
        }
        return removed
    }

    /// Takes out the runs that are over and of which nothing was heard for 90 days; returns them.
    public mutating func forgetOld(now: Int64) -> [ReceiverKey] {
        var forgotten: [ReceiverKey] = []
        for (name, node) in nodes {
            var newest: [String: Int64] = [:]
            for (run, state) in node.runs { newest[run.route] = max(newest[run.route] ?? .min, state.changedAt) }
            for (run, state) in node.runs where now - state.changedAt > ReceiverState.endedLifetime {
                // A run that never said that it ended is over where a later one was heard.
                guard state.ended != nil || newest[run.route] ?? .min > state.changedAt else { continue }
                forgotten.append(ReceiverKey(node: name, route: run.route, run: run.run))
            }
        }
        for key in forgotten { remove(key) }
        return forgotten
    }
}
