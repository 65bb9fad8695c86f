import Broker
import Store

/// One route's backlog, whether its route is configured or has left the file.
struct RouteReport {
    enum Backlog {
        case route(RouteQueue)
        case orphan(OrphanedRoute)
    }

    let uplink: String
    let route: String
    let backlog: Backlog

    init(_ route: Route) {
        self.init(name: route.queue.name, uplink: route.uplink, backlog: .route(route.queue))
    }

    init(_ orphan: OrphanedRoute) {
        let uplink = orphan.name.prefix { $0 != "/" }
        self.init(name: orphan.name, uplink: String(uplink), backlog: .orphan(orphan))
    }

    /// `name` is UPLINK/ROUTE; a route that is named by its filter has slashes of its own.
    private init(name: String, uplink: String, backlog: Backlog) {
        self.uplink = uplink
        route = name.hasPrefix(uplink + "/") ? String(name.dropFirst(uplink.count + 1)) : name
        self.backlog = backlog
    }

    var name: String { "\(uplink)/\(route)" }

    var isOrphaned: Bool {
        if case .orphan = backlog { true } else { false }
    }

    var priority: String {
        switch backlog {
        case .route(let queue): queue.evictionClass.word
        case .orphan(let orphan): orphan.evictionClass.word
        }
    }

    var messages: Int {
        switch backlog {
        case .route(let queue): queue.messages
        case .orphan(let orphan): orphan.messages
        }
    }

    var bytes: Int {
        switch backlog {
        case .route(let queue): queue.bytes
        case .orphan(let orphan): orphan.bytes
        }
    }

    /// The route's own budget; nil: none.
    var budgetBytes: Int? {
        if case .route(let queue) = backlog { queue.budgetBytes } else { nil }
    }

    /// Its own budget costs it messages now.
    var isAtBudget: Bool {
        if case .route(let queue) = backlog { queue.isAtBudget } else { false }
    }

    /// Evicted since the start, for the store's budget or its own.
    var evicted: UInt64 {
        if case .route(let queue) = backlog { queue.lost[.evicted] ?? 0 } else { 0 }
    }

    /// Store time of receipt of the oldest message that waits.
    var oldest: Int64? {
        switch backlog {
        case .route(let queue): queue.oldest
        case .orphan(let orphan): orphan.oldest
        }
    }

    var refused: UInt64 {
        switch backlog {
        case .route(let queue): queue.refused
        case .orphan: 0
        }
    }

    /// Messages that will never arrive, by reason in the order of their names, since the start.
    var lost: [(reason: String, messages: UInt64)] {
        guard case .route(let queue) = backlog else { return [] }
        return queue.lost.map { (reason: $0.key.rawValue, messages: $0.value) }.sorted { $0.reason < $1.reason }
    }

    var spans: [RouteSpan] {
        switch backlog {
        case .route(let queue): queue.spans
        case .orphan(let orphan): orphan.spans
        }
    }
}

extension EvictionClass {
    /// As `priority` in the configuration has it.
    var word: String {
        switch self {
        case .session: "session"
        case .bulk: "bulk"
        case .normal: "normal"
        case .high: "high"
        case .critical: "critical"
        }
    }
}

extension Admin {
    /// The configured ones first, in their order.
    var routes: [RouteReport] { broker.routes.map(RouteReport.init) + log.orphanedRoutes.map(RouteReport.init) }
}
