import Store
import Uplink

extension Scenario {
    /// A window of ten hours from 22:00, and where in it the node's first moment is.
    public enum Window: String, Sendable, CaseIterable {
        case opensSoon, opensLater, closesSoon, isClosed

        static let hours = SendingWindow(startMinute: 22 * 60, endMinute: 8 * 60)

        /// Seconds from midnight.
        var firstSecond: Int64 {
            switch self {
            case .opensSoon: 22 * 3600 - 10
            case .opensLater: 22 * 3600 - 40
            case .closesSoon: 8 * 3600 - 15
            case .isClosed: 12 * 3600
            }
        }
    }

    /// How the second start's routes differ from the first's, the third's being the first's again.
    public enum Edit: String, Sendable, CaseIterable {
        case none, reorder, rename, remove, filter

        /// Messages of one topic go now by one route, now by another or none.
        var movesTopics: Bool { self == .rename || self == .remove || self == .filter }
    }

    /// The routes that a start of the node finds.
    ///
    /// - Parameter start: from 1.
    /// - Parameter isLast: whatever was left behind is to come.
    func plan(start: Int, isLast: Bool) -> RoutePlan {
        var first = [
            entry(0, "alarm", "alarm/#", .critical, upstream: acknowledgesUpstream), entry(0, "plant", "plant/#"),
            bulk("bulk", "bulk/#"), entry(0, "plain", "plain/#", mode: .each),
        ]
        let isOdd = start % 2 == 1
        switch edit {
        case .none: break
        case .reorder:
            let turn = (start - 1) % first.count
            first = Array(first[turn...] + first[..<turn])
        case .rename:
            let others = [entry(0, "field", "plant/#"), bulk("mass", "bulk/#")]
            if isLast { first += others } else if !isOdd { first.replaceSubrange(1...2, with: others) }
        case .remove: if !isLast, !isOdd { first.removeSubrange(1...2) }
        case .filter:
            let yard = entry(0, "yard", "plant/+")
            if isLast {
                first.append(yard)
            } else if !isOdd {
                first.replaceSubrange(1...2, with: [entry(0, "plant", "plant/a"), yard, bulk("bulk", "+/b")])
            }
        }
        return RoutePlan([first] + (uplinks > 1 ? others : []))
    }

    /// Seven more uplinks, whose routes overlap within them and between them.
    private var others: [[RoutePlan.Entry]] {
        [
            [entry(1, "plant", "plant/#")],
            [entry(2, "first", "plant/a"), entry(2, "rest", "plant/+", .bulk)],
            [entry(3, "letters", "+/a", .high)],
            [entry(4, "alarm", "alarm/#", .critical), entry(4, "bulk", "bulk/+", .bulk)],
            [entry(5, "one", "bulk/a", .bulk), entry(5, "plant", "plant/#")],
            [entry(6, "all", "#", .bulk)],
            [entry(7, "plain", "plain/#"), entry(7, "alarm", "alarm/a", .critical), entry(7, "alarms", "alarm/#")],
        ]
    }

    private func bulk(_ name: String, _ filter: String) -> RoutePlan.Entry {
        entry(0, name, filter, .bulk, isBulk: true)
    }

    private func entry(
        _ way: Int, _ name: String, _ filter: String, _ priority: EvictionClass = .normal,
        mode: RouteOptions.Mode = .batch, upstream: Bool = false, isBulk: Bool = false
    ) -> RoutePlan.Entry {
        var options = RouteOptions(
            name: name, priority: priority, mode: mode, batchBytes: batchBytes,
            batchDelay: .milliseconds(batchDelayMilliseconds), level: .fast, eager: eager,
            topic: way == 0 ? "{topic}" : "via\(way)/{topic}", storesQoS0: !(isBulk && dropsQoS0))
        if isBulk, window != nil { options.windows = [Window.hours] }
        let policy = RoutePolicy(
            sendsNewestFirst: sendsNewest && isBulk, keepsLatest: keepsLatest && isBulk,
            upstreamTimeout: upstream ? .seconds(2) : nil, reportsGaps: mode == .batch,
            blockBytes: mode == .batch ? batchBytes : 0)
        return RoutePlan.Entry(
            way: way, filter: filter, options: options, policy: policy, ttl: isBulk ? bulkTTL : nil)
    }

    func uplinkOptions(_ way: Int, _ routes: [RouteOptions]) -> UplinkOptions {
        let name = RoutePlan.uplink(way)
        return UplinkOptions(
            name: name, node: "pump", urls: ["mqtt://cloud"], clientIdentifier: "pump-\(name)",
            version: uplinkVersion, keepAlive: keepAlive, heartbeat: .seconds(20), reconnectMin: .milliseconds(500),
            reconnectMax: .seconds(4), routes: routes,
            subscriptions: way == 0 ? [SubscribeOptions(filter: "cmd/#", qos: commandQoS)] : [],
            inflight: uplinkInflight)
    }
}
