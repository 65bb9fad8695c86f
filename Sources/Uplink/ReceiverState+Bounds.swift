/// What becomes of a run whose numbers have very many holes: each batch writes the whole state, and a sender must not be able
/// to make it grow without limit.
///
/// Where all of the oldest numbers are known, they become one span, and their gaps one for each reason. Where some of them
/// are missing (several receivers that share the batches, a broker in between that drops some), the oldest are forgotten: they
/// would be taken again, which is a duplicate, and never a loss.
extension ReceiverState {
    /// Spans and gaps that a run may have.
    static let maximumPieces = 1024
    /// Reasons that the folded gaps are kept by; others are told under the last of them.
    static let maximumFolded = 8

    /// Bytes in memory, about: what the limits of `ReceiverStates` count.
    var byteCount: Int {
        256 + spans.count * MemoryLayout<Span>.stride + (gaps.count + foldedGaps.count)
            * (MemoryLayout<Gap>.stride + 32)
    }

    mutating func bound() {
        guard spans.count + gaps.count > Self.maximumPieces else { return }
        // What was taken again below the forgotten goes first.
        forget(through: forgottenThrough)
        guard spans.count + gaps.count > Self.maximumPieces else { return }
        let known = knownPrefix
        let isMostlyKnown = spans.count { $0.last <= known } + gaps.count { $0.last <= known } > Self.maximumPieces / 2
        let through = lastOfLowerHalf
        if isMostlyKnown { fold(through: min(through, known)) } else { forget(through: through) }
    }

    /// Everything above `forgottenThrough` and up to here is in a span or a gap.
    private var knownPrefix: UInt64 {
        var known = forgottenThrough
        var span = 0
        var gap = 0
        while true {
            while span < spans.count, spans[span].last <= known { span += 1 }
            while gap < gaps.count, gaps[gap].last <= known { gap += 1 }
            if span < spans.count, spans[span].first <= known + 1 {
                known = spans[span].last
            } else if gap < gaps.count, gaps[gap].first <= known + 1 {
                known = gaps[gap].last
            } else {
                return known
            }
            guard known < .max else { return known }
        }
    }

    /// The last number of the lower half of all pieces.
    private var lastOfLowerHalf: UInt64 {
        let ends = (spans.map(\.last) + gaps.map(\.last)).sorted()
        return ends[ends.count / 2]
    }

    private mutating func fold(through number: UInt64) {
        let foldedSpans = spans.prefix { $0.last <= number }
        let folded = gaps.prefix { $0.last <= number }
        guard
            var whole = foldedSpans.first
                ?? folded.first.map({ Span(first: $0.first, last: $0.last, from: $0.from, to: $0.to) })
        else { return }
        for gap in folded {
            whole = whole.joined(with: Span(first: gap.first, last: gap.last, from: gap.from, to: gap.to))
        }
        if let last = foldedSpans.last { whole = whole.joined(with: last) }
        for gap in folded { keepFolded(gap) }
        gaps.removeFirst(folded.count)
        spans.removeFirst(foldedSpans.count)
        insert(whole)
    }

    private mutating func keepFolded(_ gap: Gap) {
        let same = foldedGaps.firstIndex { $0.reason == gap.reason }
        guard let index = same ?? (foldedGaps.count < Self.maximumFolded ? nil : foldedGaps.count - 1) else {
            foldedGaps.append(gap)
            return
        }
        foldedGaps[index].last = max(foldedGaps[index].last, gap.last)
        foldedGaps[index].first = min(foldedGaps[index].first, gap.first)
        foldedGaps[index].to = gap.to
    }

    private mutating func forget(through number: UInt64) {
        forgottenThrough = max(forgottenThrough, number)
        spans.removeAll { $0.last <= number }
        gaps.removeAll { $0.last <= number }
        if let first = spans.first, first.first <= number { spans[0].first = number + 1 }
        if let first = gaps.first, first.first <= number { gaps[0].first = number + 1 }
    }
}
