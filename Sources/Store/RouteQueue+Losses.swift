import MQTT

/// Messages that will never reach the far end: each is a gap, counted by its reason, and whoever waits for it is told.
extension RouteQueue {
    /// The far end refuses this one message for good: it is set aside and reported.
    public func refuse(_ numbering: Numbering, number: UInt64, reason: ReasonCode = .unspecifiedError) {
        guard let lane = lane(numbering), !lane.isFinished(number) else { return }
        refused += 1
        let now = log.clock.now
        lose(lane, number...number, .refused, from: now, to: now, answer: reason)
    }

    /// An administrator drops everything that waits.
    public func dropAll() {
        let now = log.clock.now
        for lane in lanes where lane.first < lane.stream.next {
            for numbers in lane.finished.missing(in: lane.first...lane.stream.next - 1) {
                lose(lane, numbers, .dropped, from: now, to: now)
            }
        }
        block = nil
    }

    /// These will never be sent, or not again.
    ///
    /// - Parameter answer: to who waits for the far end; nil: that they are lost here.
    func lose(
        _ lane: QueueLane, _ numbers: ClosedRange<UInt64>, _ reason: GapRecord.Reason, from: Int64, to: Int64,
        answer: ReasonCode? = nil
    ) {
        lost[reason, default: 0] += UInt64(numbers.count)
        addGap(gap(lane, numbers, reason, from: from, to: to), isStored: false)
        if lane === current { if let answer { answerWaits(numbers, answer) } else { answerLostWaits(numbers) } }
        finish(lane, numbers)
    }

    /// The writer has removed these, and the gap with them.
    func removed(_ removal: Removal, from stream: LogStream) {
        guard let lane = lanes.first(where: { $0.stream === stream }) else { return }
        let numbers = removal.first...removal.last
        if removal.reason == .evicted, evictsForItself(removal.bytes) { noteBudget() }
        let reason = GapRecord.Reason(rawValue: removal.reason.rawValue)
        // The stream has moved on already: the cursor tells what was waited for.
        if removal.last > lane.cursor {
            let unknown = lane.finished.missing(in: max(removal.first, lane.cursor + 1)...removal.last)
            lost[reason, default: 0] += unknown.reduce(0) { $0 + UInt64($1.count) }
        }
        addGap(
            gap(lane, numbers, reason, from: removal.from, to: removal.to), isStored: removal.reason != .unstored)
        if lane === current { answerLostWaits(numbers) }
        finish(lane, numbers)
    }

    private func gap(
        _ lane: QueueLane, _ numbers: ClosedRange<UInt64>, _ reason: GapRecord.Reason, from: Int64, to: Int64
    ) -> GapRecord {
        GapRecord(
            route: name, run: lane.stream.numbering.run, lane: lane.stream.numbering.lane, first: numbers.lowerBound,
            last: numbers.upperBound, reason: reason, from: from, to: to)
    }
}
