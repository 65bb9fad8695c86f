import EventLoop
import MQTT
import Store

/// What the upstream's answers do to the route.
extension BatchSender {
    func didAcknowledge(_ identifier: UInt16, _ reason: ReasonCode, _ now: Instant) -> Instant? {
        guard let index = inflight.firstIndex(where: { $0.identifier == identifier }) else {
            stale.remove(identifier)
            return nil
        }
        let batch = inflight[index]
        if reason == .success {
            inflight[index].answer = .accepted
            queue.acknowledgeNews(gaps: batch.gaps, ended: batch.ended)
        } else {
            inflight[index].answer = .refused(reason)
            isDraining = true
        }
        passAccepted()
        if isDraining, inflight.allSatisfy(\.isAnswered) { drained(now) }
        return batch.sentAt
    }

    /// Moves the queue past the batches at the front that were accepted.
    private func passAccepted() {
        var isTriedAgain = false
        while let batch = inflight.first, case .accepted = batch.answer {
            inflight.removeFirst()
            if accept(batch) { isTriedAgain = true }
        }
        if isTriedAgain, !isDraining { rewind() }
    }

    /// - Returns: whether messages before it go once more.
    private func accept(_ batch: InFlight) -> Bool {
        let isTriedAgain = refusals.settle(in: queue)
        closings = nil
        isDoubted = false
        holdBackoff.reset()
        if let suspect = suspectThrough, suspect.numbering != batch.numbering || batch.last >= suspect.number {
            suspectThrough = nil
            batchLimit = .max
        }
        acceptedAtCeiling += 1
        if ceilingBytes < options.batchBytes, acceptedAtCeiling >= Self.forgivingBatches {
            ceilingBytes = min(options.batchBytes, ceilingBytes * 2)
        }
        guard batch.count > 0 else { return isTriedAgain }
        queue.acknowledge(batch.numbering, batch.first...batch.last)
        context.acknowledgedMessages += UInt64(batch.count)
        return isTriedAgain
    }

    /// Everything in flight is answered, and something was refused.
    private func drained(_ now: Instant) {
        isDraining = false
        var isTriedAgain = false
        while let batch = inflight.first {
            inflight.removeFirst()
            switch batch.answer {
            case .none, .accepted: if accept(batch) { isTriedAgain = true }
            case .refused(let reason):
                guard takeRefusal(of: batch, reason, now) else { return rewind(refused: batch) }
            }
        }
        if refusals.isEverything { refusesEverything(now) } else if isTriedAgain { rewind() }
    }

    /// Decides about a refused batch. True: it is dealt with, and what follows it may be looked at; false: it goes again.
    private func takeRefusal(of batch: InFlight, _ reason: ReasonCode, _ now: Instant) -> Bool {
        switch reason {
        case .noMatchingSubscribers:
            hold(.noReceiver, until: now + holdBackoff.next(random: context.random()))
            return false
        case .payloadFormatInvalid where batch.count > 0:
            return halve(batch)
        case .packetTooLarge where batch.count > 0:
            return halve(batch, isTooLarge: true)
        default:
            hold(.refused(reason), until: now + holdBackoff.next(random: context.random()))
            return false
        }
    }

    /// True for a single message, which is set aside.
    private func halve(_ batch: InFlight, isTooLarge: Bool = false, isSaid: Bool = true) -> Bool {
        if isTooLarge { ceilingBytes = max(1024, batch.bytes / 2) }
        suspectThrough = (batch.numbering, batch.last)
        batchLimit = max(1, batch.count / 2)
        guard batch.count == 1 else { return false }
        refusals.add(batch.numbering, batch.first, isSaid: isSaid)
        context.notice(
            "refuses \(queue.name)", "route \(queue.name): the receiver refuses message \(batch.first)")
        return true
    }

    private func refusesEverything(_ now: Instant) {
        refusals.forget()
        suspectThrough = nil
        batchLimit = .max
        hold(.refusesEverything, until: now + holdBackoff.longest(random: context.random()))
        rewind()
    }

    private func hold(_ reason: Hold.Reason, until: Instant) {
        let hold = Hold(reason: reason, until: until)
        holding = hold
        isDoubted = true
        // The uplink's own state says it.
        if case .noReceiver = reason { return }
        context.notice("held \(queue.name) \(hold.text)", "route \(queue.name) is held: \(hold.text)")
    }

    func didDisconnect(isAnswer: Bool) {
        for batch in inflight { stale.add(batch.identifier, batch.numbering, batch.first) }
        if isAnswer, let batch = inflight.first, batch.count > 0 { noteClosing(at: batch) }
        rewind()
    }

    private func noteClosing(at batch: InFlight) {
        var count = 1
        if let closings, closings.numbering == batch.numbering, closings.first == batch.first {
            count += closings.count
        }
        closings = (batch.numbering, batch.first, count)
        guard count >= Self.maximumClosings else { return }
        closings = nil
        // It may well be its size: a Server without MQTT 5 has no other way to say so.
        _ = halve(batch, isTooLarge: true, isSaid: false)
        if refusals.isEverything {
            refusals.forget()
            suspectThrough = nil
            batchLimit = .max
        }
    }

    // MARK: - News

    /// Gaps and ends that no batch in flight carries.
    func freshNews() -> (gaps: [GapRecord], ended: [EndedRecord]) {
        guard !(queue.gaps.isEmpty && queue.ended.isEmpty) else { return ([], []) }
        let carried = queue.gaps.isEmpty ? [] : Set(inflight.lazy.flatMap(\.gaps))
        let gaps = queue.gaps.lazy.filter { !carried.contains($0) }
        let ended = queue.ended.filter { end in !inflight.contains { $0.ended.contains(end) } }
        return (Array(gaps.prefix(Self.maximumNews)), Array(ended.prefix(Self.maximumNews)))
    }

    func header(
        _ numbering: Numbering, _ first: UInt64, _ news: (gaps: [GapRecord], ended: [EndedRecord]), _ now: Instant
    ) -> BatchHeader {
        func time(_ store: Int64, _ run: Int64) -> WallTime {
            let time = queue.wallTime(store, run: run)
            return WallTime(milliseconds: time.milliseconds, isSet: time.isSet)
        }
        let gaps = news.gaps.map { gap in
            BatchGap(
                run: BatchRun(epoch: queue.epoch(ofRun: gap.run), lane: gap.lane), first: gap.first, last: gap.last,
                reason: gap.reason.rawValue, from: time(gap.from, gap.run), to: time(gap.to, gap.run))
        }
        let ended = news.ended.map { end in
            BatchEnded(
                run: BatchRun(epoch: queue.epoch(ofRun: end.run), lane: end.lane), last: end.last,
                at: time(end.at, end.run))
        }
        let current = queue.stream.numbering.run
        return BatchHeader(
            node: context.options.node, route: queue.name,
            run: BatchRun(epoch: numbering.epoch, lane: numbering.lane), sequence: first,
            madeAt: time(storeTime(), current), gaps: gaps, ended: ended, labels: context.labels)
    }
}

extension BatchSender.InFlight {
    var isAnswered: Bool {
        if case .none = answer { false } else { true }
    }
}

extension BatchSender.Part {
    /// The part as two, the first with half of the messages.
    func halves() -> [BatchSender.Part] {
        let half = count / 2
        let middle = packets.withUnsafeBytes { bytes in
            var offset = 0
            for _ in 0..<half {
                guard let packet = try? readFrame(UnsafeRawBufferPointer(rebasing: bytes[offset...]), maximum: .max)
                else {
                    return offset
                }
                offset += packet.length
            }
            return offset
        }
        return [
            BatchSender.Part(numbering: numbering, first: first, packets: Array(packets[..<middle]), count: half),
            BatchSender.Part(
                numbering: numbering, first: first + UInt64(half), packets: Array(packets[middle...]),
                count: count - half),
        ]
    }
}
