import MQTT

/// `keep = "latest"`: a message takes the place of the one of its topic that waits. That one is done with: it leaves memory,
/// its segment goes once nothing else in it waits, and the far end hears of a gap. What is in flight goes its way; only if it
/// were to be sent again, it isn't.
extension RouteQueue {
    func takePlace(_ number: UInt64, _ message: Message) {
        guard !message.isHeld else {
            // Until its commit nobody sees it, and what it replaces must not go for nothing.
            heldBack.append((number, message))
            return
        }
        place(message.topic, TopicPlaces.Place(lane: current, number: number, receivedAt: message.receivedAt))
    }

    func takeHeldBack() {
        while let first = heldBack.first, !first.message.isHeld {
            heldBack.removeFirst()
            guard current.isUnsent(first.number) else { continue }
            takePlace(first.number, first.message)
        }
    }

    private func place(_ topic: UnsafeRawBufferPointer, _ new: TopicPlaces.Place) {
        guard let old = topics.put(topic, new), !old.lane.isFinished(old.number) else { return }
        if Self.isNewer(old, new) {
            // Messages that were held back, and earlier runs' that are read late, find a newer one in their place.
            _ = topics.put(topic, old)
            giveWay(new, to: old, of: topic)
        } else {
            giveWay(old, to: new, of: topic)
        }
    }

    private static func isNewer(_ a: TopicPlaces.Place, _ b: TopicPlaces.Place) -> Bool {
        let (one, two) = (a.lane.stream.numbering, b.lane.stream.numbering)
        return (one.run, one.lane, a.number) > (two.run, two.lane, b.number)
    }

    private func giveWay(_ old: TopicPlaces.Place, to new: TopicPlaces.Place, of topic: UnsafeRawBufferPointer) {
        guard old.lane.isUnsent(old.number) else {
            if !old.lane.isFinished(old.number) { replaced.append((old, [UInt8](topic))) }
            return
        }
        if old.lane === current, new.lane === current { current.stream.supersede(old.number, by: new.number) }
        let mayBeOnDisk = old.lane.stream.isOnDisk
        supersede(old)
        if mayBeOnDisk, new.lane === current { log.tie(current.stream) }
    }

    private func supersede(_ old: TopicPlaces.Place) {
        lost[.superseded, default: 0] += 1
        report(old)
        finish(old.lane, old.number...old.number)
        notifySoon()
    }

    /// What was in flight when a newer one came, and is to be sent again now. The newest may be in memory alone, so that the
    /// rules of any other that gives way hold.
    func dropReplaced() {
        guard !replaced.isEmpty else { return }
        let old = replaced
        replaced = []
        for (place, topic) in old where place.lane.isUnsent(place.number) {
            topic.withUnsafeBytes { topic in
                guard let newest = topics.place(of: topic) else { return supersede(place) }
                giveWay(place, to: newest, of: topic)
            }
        }
    }

    // MARK: Earlier runs

    /// What earlier runs left is looked through for its topics before anything is sent: a step at a time, read and
    /// decompressed by the writer.
    func beginReadingTopics() {
        unread = lanes.filter { $0 !== current && !$0.isDrained }
        readTo = unread.first?.first ?? 0
        guard !unread.isEmpty else { return }
        log.loop.onNextTickEnd { [weak self] in self?.readTopics() }
    }

    func readTopics() {
        while let lane = unread.first {
            guard readTo < lane.stream.next, !lane.isDrained else {
                unread.removeFirst()
                readTo = unread.first?.first ?? 0
                continue
            }
            guard lane.isUnsent(readTo) else {
                readTo = lane.nextUnsent(after: readTo)
                continue
            }
            switch lane.stream.read(at: readTo, for: self) {
            case .loading: return
            case .end: readTo = lane.stream.next
            case .missing(let next):
                let last = max(readTo, min(next, lane.stream.next) - 1)
                finish(lane, readTo...last)
                readTo = last + 1
            case .message(let message):
                place(
                    message.topic, TopicPlaces.Place(lane: lane, number: readTo, receivedAt: message.receivedAt))
                readTo += 1
            }
        }
        notifySoon()
    }
}
