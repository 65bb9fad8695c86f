import MQTT
import Uplink

/// What must hold once everything has come to rest.
extension Model {
    func judge() {
        for client in world.cast where client.manner.isPersistent && !client.manner.filters.isEmpty { judge(client) }
        judgeGroups()
        judgeCoverage()
        judgeNumbers()
        judgeRoutes()
        judgeLatest()
        tallyGaps()
    }

    /// A session gets all that was acknowledged, or that the receiver took, while it was subscribed.
    private func judge(_ client: SimulatedClient) {
        guard !world.isForgiven(client.role), client.sessionLosses == 0 else { return }
        let had = deliveries[client.name]?.counts
        var missing: [(message: MessageRecord, way: Int)] = []
        for message in messages where !message.payload.isEmpty && !message.retain && message.qos != .atMostOnce {
            for way in world.ways where isOwed(message, by: way, to: client) {
                if had?[Arrival(message: message.number, way: way)] == nil { missing.append((message, way)) }
            }
        }
        guard let first = missing.first else { return }
        let others = missing.count > 1 ? " and \(missing.count - 1) more" : ""
        fail(.lost, "\(client.name) never got \(first.message.description) by way \(first.way)\(others)")
    }

    /// What was acknowledged while somebody was subscribed has come to a member.
    private func judgeGroups() {
        let filters = Set(world.cast.flatMap { $0.manner.filters.map(\.filter) }.filter { $0.hasPrefix("$share/") })
        for filter in filters.sorted() {
            let members = world.cast.filter { $0.manner.filters.contains { $0.filter == filter } }
            let isJudged = members.allSatisfy { !world.isForgiven($0.role) && $0.sessionLosses == 0 }
            guard isJudged, world.scenario.kind != .narrow, let role = members.first?.role,
                let since = members.compactMap({ $0.subscribedAt[filter] }).min()
            else { continue }
            for message in messages where !message.payload.isEmpty && !message.retain && message.qos != .atMostOnce {
                let arrival = Arrival(message: message.number, way: 0)
                guard message.role == role, message.isAcknowledged, let sentAt = message.sentAt, since < sentAt,
                    Self.matches(Self.unshared(filter), message.topic),
                    !members.contains(where: { deliveries[$0.name]?.counts[arrival] != nil })
                else { continue }
                return fail(.lost, "no member of \(filter) ever got \(message.description)")
            }
        }
    }

    private func isOwed(_ message: MessageRecord, by way: Int, to client: SimulatedClient) -> Bool {
        guard message.role != client.role else {
            // The node's sessions lose what is beyond their limits, or the budget.
            let mayLose = world.scenario.kind == .narrow && client.role == .node
            return way == 0 && !mayLose && message.isAcknowledged
                && isSubscribed(client, message, by: 0, message.sentAt)
        }
        guard !world.isForgiven(message.role) else { return false }
        guard client.role == .cloud else {
            guard way == 0, world.scenario.kind != .narrow, message.isAcknowledged else { return false }
            // Its session's subscription was surely on the cloud's disk by then.
            guard let since = world.commandsFrom, let sentAt = message.sentAt, since + 2_000_000_000 < sentAt else {
                return false
            }
            return message.topic.hasPrefix("cmd/") && isSubscribed(client, message, by: 0, sentAt)
        }
        if let at = taken[Arrival(message: message.number, way: way)]?.at {
            return isSubscribed(client, message, by: way, at)
        }
        // What goes one PUBLISH a message is nowhere seen on its way. `judgeRoutes` sees to the others.
        guard message.isAcknowledged, world.scenario.kind != .narrow else { return false }
        guard let route = takers(of: message)?.first(where: { $0.way == way }), route.options.mode == .each else {
            return false
        }
        return isSubscribed(client, message, by: way, message.sentAt)
    }

    private func isSubscribed(_ client: SimulatedClient, _ message: MessageRecord, by way: Int, _ at: Int64?) -> Bool {
        guard let at else { return false }
        let topic = way > 0 ? "via\(way)/\(message.topic)" : message.topic
        return client.manner.filters.contains { filter, qos in
            guard qos != .atMostOnce, let since = client.subscribedAt[filter], since < at else { return false }
            return Self.matches(filter, topic)
        }
    }

    // MARK: Numbers

    private func state(_ route: String, _ run: BatchRun) -> ReceiverState? {
        world.cloud.process?.ingest?.states[ReceiverKey(node: "pump", route: route, run: run)]
    }

    private var canJudgeNumbers: Bool { !world.isForgiven(.cloud) && !world.isForgiven(.node) && world.cloud.isUp }

    /// Each number that must be accounted for is at the receiver, and it knows which runs are over.
    private func judgeNumbers() {
        guard canJudgeNumbers, let current = world.node.process?.epoch else { return }
        let plan = world.plan(world.node.starts)
        let runs = numbers.accountable.sorted { ($0.key.route, $0.key.run.epoch) < ($1.key.route, $1.key.run.epoch) }
        for (run, last) in runs where plan.entry(run.route)?.policy.reportsGaps == true {
            let state = state(run.route, run.run)
            let start = (state?.forgottenThrough ?? 0) + 1
            if start <= last, let number = (start...last).first(where: { state?.knows($0) != true }) {
                let place = BatchPlace(route: run.route, run: run.run, number: number)
                let message = numbers.message(at: place).map { messages[$0].description } ?? "what nothing kept"
                return fail(.coverage, "\(place), \(message), never came and is in no gap")
            }
            if run.run.epoch != current, state?.ended == nil {
                return fail(.coverage, "the receiver was never told that run \(run.run.epoch) of \(run.route) is over")
            }
        }
    }

    /// What was acknowledged has come by each uplink that takes its topic, or its own number is in a gap, whose reason is one
    /// that there can be.
    private func judgeRoutes() {
        guard canJudgeNumbers else { return }
        let plan = world.plan(world.node.starts)
        for message in messages where message.isAcknowledged && !message.retain && message.qos != .atMostOnce {
            for route in takers(of: message) ?? [] where route.options.mode == .batch && plan.entry(route.name) != nil {
                guard !hasArrived(message, by: route.way) else { continue }
                let places = (numbers.places[message.number] ?? []).filter { $0.route == route.name }
                let reasons = places.compactMap { gap(at: $0)?.reason }
                // A newer one took its place before anybody was given its number; `judgeNumbers` sees to that.
                if reasons.isEmpty, route.policy.keepsLatest { continue }
                guard reasons.isEmpty || !reasons.contains(where: { allows($0, of: route) }) else { continue }
                let text = "\(message.description) was acknowledged, and \(route.name) never brought it"
                guard let reason = reasons.first else {
                    return fail(.lost, "\(text); \(places.isEmpty ? "it has no number" : "\(places) is in no gap")")
                }
                return fail(.lost, "\(text); it is called \(reason)")
            }
        }
    }

    private func gap(at place: BatchPlace) -> ReceiverState.Gap? {
        guard let state = state(place.route, place.run) else { return nil }
        return (state.gaps + state.foldedGaps).first { $0.first <= place.number && place.number <= $0.last }
    }

    /// Whether an acknowledged message may be lost for this.
    private func allows(_ reason: String, of route: RoutePlan.Entry) -> Bool {
        switch reason {
        case "evicted": world.scenario.kind == .narrow
        case "expired": route.ttl != nil
        case "superseded": route.policy.keepsLatest
        default: false
        }
    }

    /// `keep = "latest"`: of each topic the newest acknowledged message, or a newer one, has come.
    private func judgeLatest() {
        guard canJudgeNumbers, world.scenario.kind != .narrow else { return }
        let plan = world.plan(world.node.starts)
        for route in plan.uplinks.joined() where route.policy.keepsLatest {
            var newest: [String: (rank: (Int, UInt64), message: MessageRecord)] = [:]
            var arrived: [String: (Int, UInt64)] = [:]
            for message in messages where message.role == .node && !message.retain {
                let ranks = promisedPlaces(of: message, in: route.name).map(numbers.rank)
                guard let lowest = ranks.min(by: <), let highest = ranks.max(by: <) else { continue }
                let topic = message.topic
                if message.isAcknowledged, newest[topic].map({ $0.rank < lowest }) ?? true {
                    newest[topic] = (lowest, message)
                }
                if hasArrived(message, by: route.way), arrived[topic].map({ $0 < highest }) ?? true {
                    arrived[topic] = highest
                }
            }
            for (_, (rank, message)) in newest.sorted(by: { $0.key < $1.key }) {
                guard arrived[message.topic].map({ $0 < rank }) ?? true else { continue }
                return fail(
                    .lost, "\(message.description) is the last one acknowledged, and neither it nor a newer one came")
            }
        }
    }

    /// Its numbers in a route, as far as they bind it: where a kill took a number back before the acknowledgement, and the
    /// resend went to another route, the number was nobody's.
    private func promisedPlaces(of message: MessageRecord, in route: String) -> [BatchPlace] {
        let places = (numbers.places[message.number] ?? []).filter { $0.route == route }
        guard message.isAcknowledged, let start = message.starts?.upperBound else { return places }
        let wasAcknowledgedHere = world.plan(start).takers(of: message.topic).contains { $0.name == route }
        return wasAcknowledgedHere ? places : places.filter(numbers.isAccountable)
    }

    /// What the receiver says it has was delivered, and what was acknowledged to the node it has.
    private func judgeCoverage() {
        guard !world.isForgiven(.cloud), world.cloud.isUp else { return }
        for (run, numbers) in numbers.known {
            let state = state(run.route, run.run)
            let way = RoutePlan.way(ofRoute: run.route)
            for (number, index) in numbers { judge(run, number, messages[index], by: way, state) }
        }
    }

    private func judge(
        _ run: Numbers.Run, _ number: UInt64, _ message: MessageRecord, by way: Int, _ state: ReceiverState?
    ) {
        let place = BatchPlace(route: run.route, run: run.run, number: number)
        let isAcknowledged = acknowledgedPlaces.contains(place)
        guard let state else {
            if isAcknowledged { fail(.coverage, "the receiver has forgotten \(place)") }
            return
        }
        let isThere = state.has(number)
        if isThere, !message.retain, message.qos != .atMostOnce, !hasArrived(message, by: way) {
            fail(.coverage, "the receiver says that it has \(place), and \(message.description) never came")
        }
        if isAcknowledged, !isThere {
            fail(.coverage, "\(place) was acknowledged, and the receiver does not have it")
        }
    }

    private func tallyGaps() {
        for (_, state) in world.cloud.process?.ingest?.states[node: "pump"] ?? [:] {
            for gap in state.gaps + state.foldedGaps { world.tally.addGap(gap.reason, Int(gap.last - gap.first + 1)) }
        }
    }

    static func matches(_ filter: String, _ topic: String) -> Bool {
        var (filter, topic) = (filter, topic)
        return filter.withUTF8 { filter in
            topic.withUTF8 { topic in
                TopicFilter.matches(filter: UnsafeRawBufferPointer(filter), topic: UnsafeRawBufferPointer(topic))
            }
        }
    }
}

extension ReceiverState {
    /// The receiver says that it has the number.
    fileprivate func has(_ number: UInt64) -> Bool { spans.contains { $0.first <= number && number <= $0.last } }
}
