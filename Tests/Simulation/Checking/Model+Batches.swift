import MQTT
import Uplink

/// What goes from the node to the receiver, by number.
extension Model {
    /// The node's store is given a message under its number.
    func store(_ place: BatchPlace, _ payload: String) {
        guard let message = find(payload) else { return }
        note(place, message)
    }

    func batchCarries(_ place: BatchPlace, _ payload: String) {
        guard let message = find(payload) else {
            if world.wills.isWill(payload) || payload.isEmpty { return }
            return fail(.integrity, "\(place) carries \(payload.prefix(30)), which nobody published")
        }
        note(place, message)
    }

    private func note(_ place: BatchPlace, _ message: MessageRecord) {
        guard let other = numbers.note(place, is: message.number) else { return }
        fail(.epochs, "\(place) was message \(other) and now is message \(message.number)")
    }

    /// A route sends within its window alone. Where the clock was wrong it can't know.
    func checkWindow(_ header: BatchHeader) {
        let entry = world.plan(world.node.starts).entry(header.route)
        guard let windows = entry?.options.windows, !windows.isEmpty else { return }
        world.tally.add(.windows)
        guard !world.node.wasMisdated else { return }
        let second = Int(header.madeAt.milliseconds / 1000 % 86_400)
        // A batch is begun inside, and what was taken for it is finished.
        let slack = 2
        guard !windows.contains(where: { $0.isOpen(at: second) || $0.isOpen(at: second - slack) }) else { return }
        fail(.window, "\(header.route) made a batch at second \(second) of the day")
    }

    func batchIsTaken(_ header: BatchHeader, _ places: Range<UInt64>) {
        for number in places {
            let place = BatchPlace(route: header.route, run: header.run, number: number)
            acknowledgedPlaces.insert(place)
            if let message = numbers.message(at: place) { acknowledgedByFarEnd.insert(message) }
        }
    }

    /// - Parameter route: the batch's.
    func receiverTakes(_ contents: [(topic: String, payload: String)], of route: String) {
        for (topic, payload) in contents {
            guard let message = find(payload) else { continue }
            let way = RoutePlan.way(of: topic).way
            let arrival = Arrival(message: message.number, way: way)
            let (before, at) = taken[arrival] ?? (0, world.now)
            taken[arrival] = (before + 1, at)
            if way > 0 { world.tally.add(.manyUplinks) }
            if before == 0 { checkOrder(message, route) }
            if message.state == .refused, message.copies <= 1, !wasRefusedUpstream(message, ifBy: way) {
                fail(.refused, "the receiver took \(message.description)")
            }
            guard before + 1 > message.copies, !world.isForgiven(.cloud), message.role == .node else { continue }
            fail(
                .exactlyOnce,
                "the receiver took \(message.description) \(before + 1) times; it was sent \(message.copies) times")
        }
    }

    /// The order within a route, whatever became of the topic's other routes.
    private func checkOrder(_ message: MessageRecord, _ route: String) {
        let key = "\(route) \(message.orderKey)"
        let last = takenPlaces[key] ?? 0
        takenPlaces[key] = max(last, message.place)
        guard message.place < last, message.role == .node, message.copies <= 1, !world.isForgiven(.cloud),
            !world.isForgiven(.node),
            world.plan(world.node.starts).entry(route)?.policy.givesOrderUp == false
        else { return }
        fail(.order, "the receiver took \(message.description) of \(route) after a later one")
    }

    /// `ack = "upstream"`: an acknowledgement means that the far end has it. A publisher's resend of a QoS 2 message whose
    /// identifier is known is answered without: its first copy was taken by the rules of another connection.
    func checkUpstream(_ message: MessageRecord) {
        guard message.copies == 1, message.connections == 1,
            let route = takers(of: message)?.first(where: { $0.policy.upstreamTimeout != nil })
        else { return }
        world.tally.add(.upstream)
        guard route.options.mode == .batch, !acknowledgedByFarEnd.contains(message.number), !world.isForgiven(.cloud)
        else { return }
        fail(.upstream, "\(message.description) is acknowledged, and the far end has not taken it")
    }
}

extension SendingWindow {
    func isOpen(at second: Int) -> Bool {
        let minute = (second + 86_400) % 86_400 / 60
        return startMinute < endMinute
            ? startMinute..<endMinute ~= minute : minute >= startMinute || minute < endMinute
    }
}
