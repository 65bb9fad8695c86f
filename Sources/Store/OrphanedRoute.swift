/// A part of a route's backlog: what one stream holds of it.
public struct RouteSpan {
    public let stream: LogStream
    /// The first number that waits.
    public let first: UInt64
    /// Numbers from there on that will never be sent.
    public let skipped: IntervalSet

    var messages: Int {
        let span = stream.next > first ? stream.next - first : 0
        return Int(span - min(skipped.count, span))
    }
}

/// The backlog of a route that has left the configuration. It stays until it is dropped, expires, or its route comes back.
public struct OrphanedRoute {
    /// `UPLINK/ROUTE`.
    public let name: String
    public let evictionClass: EvictionClass
    /// In the order of sending; never empty.
    public let spans: [RouteSpan]

    public var messages: Int { spans.reduce(0) { $0 + $1.messages } }

    /// Estimated from the streams' average message.
    public var bytes: Int { spans.reduce(0) { $0 + $1.messages * $1.stream.averageBytes } }

    /// Store time of receipt of the oldest message.
    public var oldest: Int64? { spans.first.flatMap { $0.stream.receivedAt($0.first) } }
}

extension Log {
    /// Backlogs that no route claims, by name.
    public var orphanedRoutes: [OrphanedRoute] {
        var spans: [String: [RouteSpan]] = [:]
        for stream in streams.values where routeQueues[ObjectIdentifier(stream)] == nil {
            guard case .route(let name) = stream.record.kind, stream.first < stream.next else { continue }
            spans[name, default: []].append(
                RouteSpan(stream: stream, first: stream.first, skipped: stream.storedFinished))
        }
        return spans.sorted { $0.key < $1.key }.map { name, spans in
            let ordered = spans.sorted {
                ($0.stream.numbering.run, $0.stream.numbering.lane) < (
                    $1.stream.numbering.run, $1.stream.numbering.lane
                )
            }
            let highest = ordered.map(\.stream.record.evictionClass).max() ?? .bulk
            return OrphanedRoute(name: name, evictionClass: highest, spans: ordered)
        }
    }

    /// An administrator drops a backlog that no route claims. Should its route come back, the far end hears of the gap.
    public func drop(_ orphan: OrphanedRoute) {
        for span in orphan.spans {
            let gap = GapRecord(
                route: orphan.name, run: span.stream.numbering.run, lane: span.stream.numbering.lane,
                first: span.first, last: span.stream.next - 1, reason: .dropped, from: clock.now, to: clock.now)
            lazily(.state(.gap, key: gap.key, value: gap.value))
            retire(span.stream)
        }
    }
}
