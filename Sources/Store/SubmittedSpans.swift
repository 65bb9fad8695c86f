import DequeModule

/// What a mixed stream has on disk, as the spans of numbers that were submitted together, each with the deliveries that are
/// still open in it. A span without one can be forgotten, so that a slow session keeps no more than the spans that it is in.
struct SubmittedSpans {
    struct Span {
        var first: UInt64
        var last: UInt64
        var open: Int
    }

    /// Ascending and disjoint. One that has nothing open stays until it was told.
    private(set) var spans: Deque<Span> = []
    /// First numbers of spans that have nothing open since the last `takePassed`.
    private var news: [UInt64] = []

    /// Whether that is news.
    mutating func add(_ span: Span) -> Bool {
        spans.append(span)
        guard span.open == 0 else { return false }
        news.append(span.first)
        return true
    }

    /// One more delivery of this message is open, found at a start.
    mutating func open(_ number: UInt64) { if let index = index(of: number) { spans[index].open += 1 } }

    /// One delivery of this message is over. Whether that was the span's last.
    mutating func close(_ number: UInt64) -> Bool {
        guard let index = index(of: number), spans[index].open > 0 else { return false }
        spans[index].open -= 1
        guard spans[index].open == 0 else { return false }
        news.append(spans[index].first)
        return true
    }

    /// Spans that nobody opened after a start. Whether there are any.
    mutating func closeUnopened() -> Bool {
        for span in spans where span.open == 0 { news.append(span.first) }
        return !news.isEmpty
    }

    /// What was submitted from `number` on was not written.
    mutating func takeBack(from number: UInt64) {
        while let last = spans.last, last.last >= number { spans.removeLast() }
    }

    /// Forgets the spans that have nothing open.
    ///
    /// - Parameter end: numbers from here on were not submitted.
    /// - Returns: what was passed: all below a number, and the ranges above it around what is news. They reach to the next
    ///   open spans, since rows are wider than spans where several were written at once.
    mutating func takePassed(below end: UInt64) -> (below: UInt64, ranges: [ClosedRange<UInt64>]) {
        while let first = spans.first, first.open == 0 { spans.removeFirst() }
        let below = spans.first?.first ?? end
        var ranges: [ClosedRange<UInt64>] = []
        for number in news.sorted() where number > below {
            guard var lower = index(of: number), spans[lower].open == 0 else { continue }
            var upper = lower
            while spans[lower - 1].open == 0 { lower -= 1 }
            while upper + 1 < spans.count, spans[upper + 1].open == 0 { upper += 1 }
            let next = upper + 1 < spans.count ? spans[upper + 1].first : end
            ranges.append(spans[lower - 1].last + 1...next - 1)
            spans.removeSubrange(lower...upper)
        }
        news = []
        return (below, ranges)
    }

    private func index(of number: UInt64) -> Int? {
        let index = spans.partitioningIndex(where: { $0.last >= number })
        return index < spans.count && spans[index].first <= number ? index : nil
    }
}
