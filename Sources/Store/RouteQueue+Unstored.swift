/// Messages at QoS 0 that the route wanted and that nothing kept: the link was down and the route doesn't store them, or
/// there was no room. Each takes its number, so that the far end hears how many are missing, and when.
///
/// That must cost no write of its own, or not storing would wear the flash as storing does: the gap is in memory, and goes to
/// disk with the next segment of its stream or at a clean end. After a kill, `ended ... ?` says that the last moments are
/// unknown.
extension RouteQueue {
    /// A message that isn't kept has come.
    public func passOver() {
        let number = current.stream.skipNumber()
        lost[.unstored, default: 0] += 1
        defer {
            finish(current, number...number)
            notifySoon()
        }
        guard policy.reportsGaps else { return }
        let now = log.clock.now
        let run = current.stream.numbering.run
        if let index = gaps.lastIndex(where: { $0.reason == .unstored && $0.run == run && $0.last + 1 == number }) {
            gaps[index].last = number
            gaps[index].to = now
            unwrittenGaps.insert(gaps[index].first)
        } else {
            gaps.append(
                GapRecord(
                    route: name, run: run, lane: current.stream.numbering.lane, first: number, last: number,
                    reason: .unstored, from: now, to: now))
            unwrittenGaps.insert(number)
        }
    }

    /// The gaps that only memory knows, for a group that is about to be written.
    func takeUnwrittenGaps() -> [Change] {
        guard !unwrittenGaps.isEmpty else { return [] }
        let run = current.stream.numbering.run
        let changes = gaps.filter { $0.run == run && unwrittenGaps.contains($0.first) }.map { gap -> Change in
            .state(.gap, key: gap.key, value: gap.value)
        }
        partlyWrittenGaps.formUnion(unwrittenGaps)
        unwrittenGaps = []
        return changes
    }

    /// Whether the disk may know of a gap; it is about to be forgotten.
    func isOnDisk(_ gap: GapRecord) -> Bool {
        guard gap.run == current.stream.numbering.run, unwrittenGaps.remove(gap.first) != nil else { return true }
        return partlyWrittenGaps.remove(gap.first) != nil
    }
}
