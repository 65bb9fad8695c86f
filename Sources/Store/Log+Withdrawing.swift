import MQTT

/// Messages that were taken and that the disk then could not take: whoever waits for them is told, where there are words for
/// it, instead of being left waiting.
///
/// Only what can be undone is refused. A message at QoS 1 may have reached connected subscribers, and may come again when its
/// publisher tries again, as that QoS allows. One at QoS 2 must have reached nobody: it is refused while it is held back. A
/// retained message stays, since those who subscribe get it already.
extension Log {
    /// Asks the writer for what a failing disk has not taken, if anybody who can be told waits for a part of it.
    public func withdraw() {
        guard failure != nil, !isWithdrawing, groups.contains(where: hasRefusable) else { return }
        isWithdrawing = true
        engine.submit(.withdraw)
    }

    private func hasRefusable(_ group: Group) -> Bool {
        group.held.contains(where: isRefusable)
            || group.streams.contains { stream, below in
                var found = false
                stream.forEachUncommitted(below: below) { found = found || isRefusable($1) }
                return found
            }
    }

    private func isRefusable(_ message: Message) -> Bool {
        guard let waiter = message.waiter, waiter.hearsRefusals, !message.isRetainedToo else { return false }
        return message.qos == .atLeastOnce || message.isHeld
    }

    /// The writer's answer: the groups are submitted again without the messages that were refused.
    func takeBack(_ returned: [CommitGroup]) {
        isWithdrawing = false
        defer { askForGroup() }
        guard let first = returned.first?.number else { return }
        let places = groups.indices.filter { groups[$0].number >= first }
        precondition(places.count == returned.count, "the writer gave back other groups than it was given")
        var ends: [StreamID: (stream: LogStream, below: UInt64)] = [:]
        var undone: [[Change]] = []
        var refused: [Message] = []
        let held = places.flatMap { groups[$0].held }
        for place in places {
            undone.append(refuseHeld(in: place, &refused))
            for (stream, below) in groups[place].streams { ends[stream.record.id] = (stream, below) }
        }
        // In an order of their own, so that a simulation repeats itself.
        let streams = ends.values.sorted { $0.stream.record.id.rawValue < $1.stream.record.id.rawValue }
        let removals = streams.flatMap { refuse(in: $0.stream, below: $0.below, &refused) }
        take(removals)
        for (stream, _) in streams { stream.takeBackSubmitted() }
        for (index, place) in places.enumerated() {
            var again = returned[index]
            again.segments = groups[place].streams.flatMap { $0.stream.takeUnsubmitted(below: $0.below) }
            again.changes += undone[index]
            engine.submit(.commit(again))
        }
        // What came behind a message that was held back, and now never comes, waits for it no longer.
        let gone = held.filter(\.isWithdrawn)
        if !gone.isEmpty { for (stream, _) in streams { onReadable(stream, gone) } }
        for message in refused {
            guard message.waiter != nil else { continue }
            withdrawnMessages += 1
            message.answer(.quotaExceeded)
        }
    }

    /// Of a group's held messages nobody has seen anything; what belongs with them is taken back in the same transaction.
    private func refuseHeld(in place: Int, _ refused: inout [Message]) -> [Change] {
        var undone: [Change] = []
        for message in groups[place].held where isRefusable(message) {
            message.isWithdrawn = true
            refused.append(message)
            if let inbound = message.inbound {
                undone.append(.inboundRemoved(inbound.session, inbound.identifier))
            }
        }
        groups[place].parts.removeAll(where: \.isWithdrawn)
        groups[place].held.removeAll(where: \.isWithdrawn)
        return undone
    }

    /// Finds refused messages in a stream: they go, with the gap that this leaves.
    private func refuse(in stream: LogStream, below end: UInt64, _ refused: inout [Message]) -> [Removal] {
        var removals: [Removal] = []
        stream.forEachUncommitted(below: end) { number, message in
            guard message.isWithdrawn || isRefusable(message) else { return }
            message.isWithdrawn = true
            refused.append(message)
            removals.append(
                Removal(
                    stream: stream.record.id, first: number, last: number, bytes: message.byteCount, reason: .unstored,
                    from: message.receivedAt, to: message.receivedAt))
        }
        return removals
    }
}
