/// News for the far end: numbers that will never come, and runs that ended. Kept until a batch that carried them has been
/// acknowledged.
extension RouteQueue {
    /// Gaps that are spelled out for the next headers at once, of numbers that were superseded: what is more waits as
    /// stretches.
    private static let spelledOut = 512

    func loadNews(_ state: StoredState) {
        for entry in state.states where entry.kind == .gap {
            if let gap = GapRecord(key: entry.key, value: entry.value), gap.route == name {
                gaps.append(gap)
            } else if let place = SupersededNumbers.place(entry.key, route: name) {
                let epoch = log.epoch(ofRun: place.run) ?? 0
                unreported[Numbering(run: place.run, epoch: epoch, lane: place.lane)] = SupersededNumbers(entry.value)
            }
        }
        for entry in state.states where entry.kind == .ended {
            if let record = EndedRecord(key: entry.key, value: entry.value), record.route == name {
                ended.append(record)
            }
        }
        guard policy.reportsGaps else { return forgetNews() }
        reportEndedRuns(state)
    }

    /// The route is one that nobody asks for its gaps.
    private func forgetNews() {
        for gap in gaps { log.lazily(.state(.gap, key: gap.key, value: nil)) }
        for record in ended { log.lazily(.state(.ended, key: record.key, value: nil)) }
        for numbering in unreported.keys { log.lazily(.state(.gap, key: key(of: numbering), value: nil)) }
        gaps = []
        ended = []
        unreported = [:]
    }

    /// The run before this one stopped without warning, or one that the route has a backlog of: the far end shall know that it
    /// has ended.
    private func reportEndedRuns(_ state: StoredState) {
        let last = state.runs.map(\.ordinal).max()
        for run in state.runs where !run.endedCleanly && !ended.contains(where: { $0.run == run.ordinal }) {
            guard run.ordinal == last || lanes.contains(where: { $0.stream.numbering.run == run.ordinal }) else {
                continue
            }
            addEnded(EndedRecord(route: name, run: run.ordinal, lane: 0, last: nil, at: log.clock.now))
        }
    }

    private func addEnded(_ record: EndedRecord) {
        ended.append(record)
        log.lazily(.state(.ended, key: record.key, value: record.value))
    }

    /// What to note at a clean end: the highest number of this run.
    public func endOfRun() -> [Change] {
        guard policy.reportsGaps, current.stream.next > 1 else { return [] }
        let gaps = takeUnwrittenGaps() + takeUnreportedChanges()
        let record = EndedRecord(
            route: name, run: log.run.ordinal, lane: current.stream.numbering.lane, last: current.stream.next - 1,
            at: log.clock.now)
        return gaps + [.state(.ended, key: record.key, value: record.value)]
    }

    func addGap(_ gap: GapRecord, isStored: Bool) {
        notifySoon()
        guard policy.reportsGaps else {
            if isStored { log.lazily(.state(.gap, key: gap.key, value: nil)) }
            return
        }
        if let index = gaps.firstIndex(where: { $0.joins(gap) }) {
            let old = gaps[index]
            gaps[index] = old.joined(with: gap)
            log.lazily(.state(.gap, key: old.key, value: nil))
            if isStored { log.lazily(.state(.gap, key: gap.key, value: nil)) }
            log.lazily(.state(.gap, key: gaps[index].key, value: gaps[index].value))
        } else {
            gaps.append(gap)
            if !isStored { log.lazily(.state(.gap, key: gap.key, value: gap.value)) }
        }
    }

    /// A batch that carried these was acknowledged.
    public func acknowledgeNews(gaps carried: [GapRecord], ended carriedEnds: [EndedRecord]) {
        for gap in carried {
            guard let index = gaps.firstIndex(of: gap) else { continue }
            gaps.remove(at: index)
            if gap.reason == .superseded {
                noteUnreported(numbering(of: gap))
            } else if isOnDisk(gap) {
                log.lazily(.state(.gap, key: gap.key, value: nil))
            }
        }
        for record in carriedEnds {
            guard let index = ended.firstIndex(of: record) else { continue }
            ended.remove(at: index)
            log.lazily(.state(.ended, key: record.key, value: nil))
        }
        if !unreported.isEmpty { refillNews() }
    }

    // MARK: Superseded numbers

    func report(_ old: TopicPlaces.Place) {
        guard policy.reportsGaps else { return }
        let numbering = old.lane.stream.numbering
        unreported[numbering, default: SupersededNumbers()].insert(
            SupersededNumbers.Stretch(
                first: old.number, last: old.number, from: old.receivedAt, to: old.receivedAt))
        noteUnreported(numbering)
    }

    /// Spells some of the superseded numbers out as gaps, while the link is there to carry them.
    func refillNews() {
        for (numbering, var numbers) in unreported where !numbers.isEmpty {
            let room = Self.spelledOut - gaps.count
            guard room > 0 else { return }
            for stretch in numbers.take(room) {
                gaps.append(
                    GapRecord(
                        route: name, run: numbering.run, lane: numbering.lane, first: stretch.first,
                        last: stretch.last, reason: .superseded, from: stretch.from, to: stretch.to))
            }
            unreported[numbering] = numbers.isEmpty ? nil : numbers
        }
    }

    /// Where nothing of this run is on disk, it must cost no write of its own, like what is `unstored`: it goes with the next
    /// segment, or at a clean end.
    private func noteUnreported(_ numbering: Numbering) {
        unreportedChanged.insert(numbering)
        guard numbering != current.stream.numbering || current.stream.isOnDisk else { return }
        log.routeChanged(self)
    }

    /// The rows of superseded numbers that have changed: those that wait, and those that are spelled out.
    func takeUnreportedChanges() -> [Change] {
        defer { unreportedChanged = [] }
        return unreportedChanged.map { numbering in
            var numbers = unreported[numbering] ?? SupersededNumbers()
            for gap in gaps where gap.reason == .superseded && self.numbering(of: gap) == numbering {
                numbers.insert(
                    SupersededNumbers.Stretch(first: gap.first, last: gap.last, from: gap.from, to: gap.to))
            }
            return .state(.gap, key: key(of: numbering), value: numbers.isEmpty ? nil : numbers.encoded)
        }
    }

    private func numbering(of gap: GapRecord) -> Numbering {
        Numbering(run: gap.run, epoch: log.epoch(ofRun: gap.run) ?? 0, lane: gap.lane)
    }

    private func key(of numbering: Numbering) -> [UInt8] {
        SupersededNumbers.key(route: name, run: numbering.run, lane: numbering.lane)
    }
}
