/// The spans and gaps of a run as sorted ranges.
extension ReceiverState {
    /// The parts of `range` that are in no span.
    func holes(in range: ClosedRange<UInt64>) -> [ClosedRange<UInt64>] {
        var holes: [ClosedRange<UInt64>] = []
        var start = range.lowerBound
        var index = firstSpan(endingAtOrAfter: start)
        while index < spans.count, spans[index].first <= range.upperBound {
            if spans[index].first > start { holes.append(start...spans[index].first - 1) }
            guard spans[index].last < range.upperBound else { return holes }
            start = spans[index].last + 1
            index += 1
        }
        holes.append(start...range.upperBound)
        return holes
    }

    func firstSpan(endingAtOrAfter number: UInt64) -> Int {
        // Nearly always it is behind all others.
        guard let last = spans.last, last.last >= number else { return spans.count }
        return Self.first(spans.count) { spans[$0].last >= number }
    }

    func firstGap(endingAtOrAfter number: UInt64) -> Int {
        Self.first(gaps.count) { gaps[$0].last >= number }
    }

    /// The first index below `count` for which `holds`, which stays true once it is.
    private static func first(_ count: Int, _ holds: (Int) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if holds(middle) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Adds a span, joined with those that it touches.
    mutating func insert(_ span: Span) {
        let start = firstSpan(endingAtOrAfter: span.first - 1)
        var end = start
        var joined = span
        while end < spans.count, joined.last == .max || spans[end].first <= joined.last + 1 {
            joined = spans[end].joined(with: joined)
            end += 1
        }
        if end == start + 1 {
            spans[start] = joined
        } else {
            spans.replaceSubrange(start..<end, with: CollectionOfOne(joined))
        }
    }

    /// Takes `range` out of the gaps.
    mutating func cutGaps(_ range: ClosedRange<UInt64>) {
        let start = firstGap(endingAtOrAfter: range.lowerBound)
        var end = start
        var rest: [Gap] = []
        while end < gaps.count, gaps[end].first <= range.upperBound {
            if gaps[end].first < range.lowerBound {
                var piece = gaps[end]
                piece.last = range.lowerBound - 1
                rest.append(piece)
            }
            if gaps[end].last > range.upperBound {
                var piece = gaps[end]
                piece.first = range.upperBound + 1
                rest.append(piece)
            }
            end += 1
        }
        if end > start { gaps.replaceSubrange(start..<end, with: rest) }
    }

    /// Adds a gap that overlaps none, joined with neighbours of its reason.
    mutating func insert(_ gap: Gap) {
        var gap = gap
        var start = firstGap(endingAtOrAfter: gap.first)
        var end = start
        if start > 0, gaps[start - 1].last + 1 == gap.first, gaps[start - 1].reason == gap.reason {
            start -= 1
            gap.first = gaps[start].first
            gap.from = gaps[start].from
        }
        if end < gaps.count, gap.last != .max, gaps[end].first == gap.last + 1, gaps[end].reason == gap.reason {
            gap.last = gaps[end].last
            gap.to = gaps[end].to
            end += 1
        }
        gaps.replaceSubrange(start..<end, with: CollectionOfOne(gap))
    }
}
