import MQTT
import Uplink

/// What must hold once everything has come to rest.
extension Model {
    func judge() {
        for client in world.cast where client.manner.isPersistent && !client.manner.filters.isEmpty {
            judge(client)
        }
        judgeCoverage()
        judgeGaps()
    }

    /// A session gets all that was acknowledged while it was subscribed.
    private func judge(_ client: SimulatedClient) {
        guard !world.isForgiven(client.role), client.sessionLosses == 0 else { return }
        var missing: [MessageRecord] = []
        for message in messages where message.isAcknowledged && !message.payload.isEmpty && !message.retain {
            guard isOwed(message, to: client), deliveries[client.name]?.counts[message.number] == nil else { continue }
            missing.append(message)
        }
        guard let first = missing.first else { return }
        if world.scenario.kind == .narrow {
            return
        }
        let others = missing.count > 1 ? " and \(missing.count - 1) more" : ""
        fail(.lost, "\(client.name) never got \(first.description)\(others)")
    }

    private func isOwed(_ message: MessageRecord, to client: SimulatedClient) -> Bool {
        guard let sentAt = message.sentAt, message.qos != .atMostOnce else { return false }
        let isSubscribed = client.manner.filters.contains { filter, qos in
            guard qos != .atMostOnce, let since = client.subscribedAt[filter], since < sentAt else { return false }
            return Self.matches(filter, message.topic)
        }
        guard isSubscribed else { return false }
        if message.role == client.role { return true }
        guard !world.isForgiven(message.role) else { return false }
        if message.role == .node {
            return ["alarm/", "plant/", "bulk/", "plain/"].contains { message.topic.hasPrefix($0) }
        }
        // Its session's subscription was surely on the cloud's disk by then.
        guard let since = world.commandsFrom, since + 2_000_000_000 < sentAt else { return false }
        return message.topic.hasPrefix("cmd/")
    }

    /// What a route acknowledged and never brought is in its gaps, at least by number.
    private func judgeGaps() {
        guard let ingest = world.cloud.process?.ingest, !world.isForgiven(.cloud), !world.isForgiven(.node) else {
            return
        }
        for route in ["alarm", "plant", "bulk"] {
            let missing = messages.filter {
                $0.role == .node && $0.isAcknowledged && $0.topic.hasPrefix(route + "/") && taken[$0.number] == nil
                    && deliveries["lake"]?.counts[$0.number] == nil
            }
            var reported = 0
            for (run, state) in ingest.states[node: "pump"] where run.route == "cloud/\(route)" {
                for gap in state.gaps + state.foldedGaps { reported += Int(gap.last - gap.first + 1) }
            }
            guard let first = missing.first, missing.count > reported else { continue }
            let text = "\(missing.count) messages of route \(route) never came, and \(reported) are reported"
            return fail(.coverage, "\(text); \(first.description) is one")
        }
    }

    static func matches(_ filter: String, _ topic: String) -> Bool {
        Array(filter.utf8).withUnsafeBytes { filter in
            Array(topic.utf8).withUnsafeBytes { TopicFilter.matches(filter: filter, topic: $0) }
        }
    }

    /// What the receiver says it has was delivered, what will never come is in a gap, and nothing acknowledged is missing.
    private func judgeCoverage() {
        guard let ingest = world.cloud.process?.ingest, !world.isForgiven(.cloud) else { return }
        for (place, number) in numbers.sorted(by: { ($0.key.route, $0.key.number) < ($1.key.route, $1.key.number) }) {
            let key = ReceiverKey(node: "pump", route: place.route, run: place.run)
            guard let state = ingest.states[key] else {
                if acknowledgedPlaces.contains(place) { fail(.coverage, "the receiver has forgotten \(place)") }
                continue
            }
            let message = messages[number]
            let hasArrived = taken[number] != nil || deliveries["lake"]?.counts[number] != nil
            if state.has(place.number), !hasArrived, !message.retain, message.qos != .atMostOnce {
                return fail(.coverage, "the receiver says that it has \(place), and \(message.description) never came")
            }
            if acknowledgedPlaces.contains(place), !state.has(place.number) {
                return fail(.coverage, "\(place) was acknowledged, and the receiver does not have it")
            }
        }
    }
}

extension ReceiverState {
    /// The receiver says that it has the number.
    fileprivate func has(_ number: UInt64) -> Bool { spans.contains { $0.first <= number && number <= $0.last } }
}
