/// What has arrived of one route's run: what `roost coverage` shows.
public struct Coverage: Equatable, Sendable {
    public var key: ReceiverKey
    public var state: ReceiverState
    /// Numbers that exist and are in no span and no gap.
    public var missing: [ClosedRange<UInt64>]

    init(key: ReceiverKey, state: ReceiverState) {
        self.key = key
        self.state = state
        missing = state.missing
    }

    /// Nothing of the run lies at or after `since`. Times from clocks that were never set can't be told from newer ones.
    func isOver(before since: Int64) -> Bool {
        let times = [state.ended?.at, state.spans.last?.to, state.ended == nil ? state.madeAt : nil].compactMap { $0 }
        return times.allSatisfy { $0.isSet && $0.milliseconds < since }
    }

    /// Without what lies before `since`, milliseconds since 1970 UTC.
    ///
    /// Missing numbers have no time: they are as old as what came behind them.
    func trimmed(since: Int64) -> Coverage {
        func isOld(_ time: WallTime) -> Bool { time.isSet && time.milliseconds < since }
        var trimmed = self
        trimmed.missing.removeAll { hole in
            state.spans.first { $0.first > hole.upperBound }.map { isOld($0.from) } ?? false
        }
        trimmed.state.spans.removeAll { isOld($0.to) }
        trimmed.state.gaps.removeAll { isOld($0.to) }
        trimmed.state.foldedGaps.removeAll { isOld($0.to) }
        return trimmed
    }

}

extension Ingest {
    /// What has arrived: by node, route, and in the order in which the runs were heard.
    ///
    /// - Parameters:
    ///   - node: of this node alone.
    ///   - since: milliseconds since 1970 UTC; what is older is left out.
    public func coverage(of node: String? = nil, since: Int64? = nil) -> [Coverage] {
        let names = node.map { [$0] } ?? states.nodeNames
        var found: [Coverage] = []
        for name in names {
            let runs = states[node: name].map { run, state in
                Coverage(key: ReceiverKey(node: name, route: run.route, run: run.run), state: state)
            }
            let shown = runs.filter { run in since.map { !run.isOver(before: $0) } ?? true }
            found += shown.sorted { $0.order < $1.order }.map { run in since.map(run.trimmed) ?? run }
        }
        return found
    }
}

extension Coverage {
    fileprivate var order: (String, Int64, Int64, UInt64, UInt16) {
        (
            key.route, state.spans.first?.from.milliseconds ?? state.madeAt.milliseconds, state.changedAt,
            key.run.epoch, key.run.lane
        )
    }
}
