import JSON
import Store

extension Admin {
    /// `roost queue`.
    func queues() -> HTTPResponse {
        .json { json in
            json.array { json in
                for route in routes {
                    json.object { json in
                        json.member("uplink", route.uplink)
                        json.member("route", route.route)
                        json.member("priority", route.priority)
                        json.member("messages", route.messages)
                        json.member("bytes", route.bytes)
                        json.member("budget_bytes", route.budgetBytes)
                        json.member("at_budget", route.isAtBudget)
                        json.member("oldest_seconds", age(ofStoreTime: route.oldest))
                        json.member("refused", route.refused)
                        json.member("orphaned", route.isOrphaned)
                        json.object("lost") { json in
                            for lost in route.lost { json.member(lost.reason, lost.messages) }
                        }
                        json.member("holding", holding(route))
                    }
                }
            }
        }
    }

    /// Why the route sends nothing, as far as its uplink holds it back.
    private func holding(_ route: RouteReport) -> String? {
        guard !route.isOrphaned else { return nil }
        return uplinks.first { $0.report.name == route.uplink }?.holding(route: route.route)
    }

    /// The oldest messages that wait, without moving anything: `?count=10`, at most 10,000 or four megabytes.
    func peek(_ call: HTTPCall) {
        let text = call.request.target.query("count") ?? "10"
        guard let count = Int(text), (1...QueuePeek.maximumCount).contains(count) else {
            return call.answer(.failure(.badRequest, "count=\(text): 1 to \(QueuePeek.maximumCount)"))
        }
        guard let route = route(call.name) else { return call.answer(noRoute(call.name)) }
        QueuePeek(route.spans, count: count, log: log, answer: call.answer).goOn()
    }

    /// Throws away all that waits; the far end hears of the gap.
    func drop(_ name: String) -> HTTPResponse {
        guard let route = route(name) else { return noRoute(name) }
        actions.log(.warning, "\(route.name): \(Self.messages(UInt64(route.messages))) dropped by an administrator")
        switch route.backlog {
        case .route(let queue): queue.dropAll()
        case .orphan(let orphan): log.drop(orphan)
        }
        return .done
    }

    private func route(_ name: String) -> RouteReport? { routes.first { $0.name == name } }

    private func noRoute(_ name: String) -> HTTPResponse {
        let names = routes.map(\.name).joined(separator: ", ")
        return .failure(.notFound, "no route \(name); \(names.isEmpty ? "none is configured" : "there are \(names)")")
    }
}
