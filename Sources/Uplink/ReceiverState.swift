/// Whose numbers a `ReceiverState` keeps: one route of one node, in one run and lane.
public struct ReceiverKey: Hashable, Sendable {
    public var node: String
    /// `UPLINK/ROUTE`.
    public var route: String
    public var run: BatchRun

    public init(node: String, route: String, run: BatchRun) {
        self.node = node
        self.route = route
        self.run = run
    }
}

/// What a receiver has of one run's numbers: the packets that came, the gaps that the node reported, and whether the run has
/// ended. What is up to `highest` and in neither is missing, known by number (docs/formats.md).
///
/// Its size is bounded: `ReceiverState+Bounds.swift` says what goes when the numbers have too many holes.
public struct ReceiverState: Equatable, Sendable {
    /// Numbers whose packets are here, one after the other.
    public struct Span: Equatable, Sendable {
        public var first: UInt64
        public var last: UInt64
        /// When the node received the first and the last of them.
        public var from: WallTime
        public var to: WallTime

        public init(first: UInt64, last: UInt64, from: WallTime, to: WallTime) {
            self.first = first
            self.last = last
            self.from = from
            self.to = to
        }

        var range: ClosedRange<UInt64> { first...last }

        /// One span for two that touch or overlap; the times are those of its ends.
        func joined(with other: Span) -> Span {
            let lower = other.first < first ? other : self
            let upper = other.last > last ? other : self
            return Span(first: lower.first, last: upper.last, from: lower.from, to: upper.to)
        }
    }

    /// Numbers that will never come, and why.
    public struct Gap: Equatable, Sendable {
        public var first: UInt64
        public var last: UInt64
        public var reason: String
        public var from: WallTime
        public var to: WallTime

        public init(first: UInt64, last: UInt64, reason: String, from: WallTime, to: WallTime) {
            self.first = first
            self.last = last
            self.reason = reason
            self.from = from
            self.to = to
        }
    }

    public struct Ended: Equatable, Sendable {
        /// The run's highest number; nil after a stop without warning.
        public var last: UInt64?
        public var at: WallTime
    }

    /// An empty batch: when it was made, all below its number was sent and nothing else waited.
    public struct Quiet: Equatable, Sendable {
        public var next: UInt64
        public var at: WallTime
    }

    /// Ascending, disjoint, not adjacent.
    public internal(set) var spans: [Span] = []
    /// Ascending, disjoint, of no number that is in `spans`; neighbours differ in their reason.
    public internal(set) var gaps: [Gap] = []
    /// The oldest gaps of a run with very many: one for each reason, from the first to the last of its numbers. They lie
    /// within a span.
    public internal(set) var foldedGaps: [Gap] = []
    /// What came up to here was forgotten: it is taken when it comes again, and is not called missing.
    public internal(set) var forgottenThrough: UInt64 = 0
    public internal(set) var ended: Ended?
    /// The highest number that is known to exist.
    public internal(set) var highest: UInt64 = 0
    /// `at` of the latest batch.
    public internal(set) var madeAt = WallTime(milliseconds: 0, isSet: false)
    public internal(set) var quiet: Quiet?
    /// Store time of the latest change, milliseconds.
    public internal(set) var changedAt: Int64 = 0

    /// How far beyond `highest` a number may lie.
    public static let farthest: UInt64 = 1 << 32
    /// Milliseconds that a run which is over is kept after its last change.
    public static let endedLifetime: Int64 = 90 * 86_400_000
    /// UTF-8 bytes of a reason that are kept.
    static let maximumReason = 64

    public init() {}

    /// Takes the numbers of a batch's packets, `sequence` and on, and shrinks the gaps that named them. With no packets
    /// it learns that the numbers below `sequence` exist, and that nothing else waited.
    ///
    /// - Parameters:
    ///   - from, to: when the node received the first and the last of the packets.
    /// - Returns: the numbers that are new, ascending.
    /// - Throws: `.tooFar`, and nothing has changed.
    public mutating func accept(
        _ sequence: UInt64, count: Int, from: WallTime, to: WallTime
    ) throws(BatchRefusal) -> [ClosedRange<UInt64>] {
        let last = sequence - 1 + UInt64(count)
        try check(last)
        highest = max(highest, last)
        guard count > 0 else {
            if sequence >= quiet?.next ?? 0 { quiet = Quiet(next: sequence, at: to) }
            return []
        }
        let new = holes(in: sequence...last)
        guard !new.isEmpty else { return [] }
        insert(Span(first: sequence, last: last, from: from, to: to))
        cutGaps(sequence...last)
        bound()
        return new
    }

    /// Takes news of numbers that will never come; those that came all the same, or are in a gap already, stay as they are.
    public mutating func accept(_ gap: Gap) throws(BatchRefusal) {
        try check(gap.last)
        guard gap.last - gap.first <= Self.farthest else { throw .tooFar(number: gap.last, last: gap.first) }
        highest = max(highest, gap.last)
        guard gap.last > forgottenThrough else { return }
        var gap = gap
        gap.first = max(gap.first, forgottenThrough + 1)
        gap.reason = Self.shortened(gap.reason)
        var start = gap.first
        var pieces: [Gap] = []
        func add(_ first: UInt64, _ last: UInt64) {
            for hole in holes(in: first...last) {
                var piece = gap
                piece.first = hole.lowerBound
                piece.last = hole.upperBound
                pieces.append(piece)
            }
        }
        var index = firstGap(endingAtOrAfter: gap.first)
        while index < gaps.count, gaps[index].first <= gap.last {
            if gaps[index].first > start { add(start, gaps[index].first - 1) }
            index += 1
            start = gaps[index - 1].last < gap.last ? gaps[index - 1].last + 1 : 0
        }
        // 0: the last gap found goes on to the end of this one.
        if start > 0, start <= gap.last { add(start, gap.last) }
        for piece in pieces { insert(piece) }
        bound()
    }

    /// The run has stopped. A last number that is known stays known.
    public mutating func accept(ended last: UInt64?, at time: WallTime) throws(BatchRefusal) {
        if let last {
            try check(last)
            highest = max(highest, last)
        }
        ended = Ended(last: last ?? ended?.last, at: ended?.at ?? time)
    }

    /// The number is here, or will never come.
    public func knows(_ number: UInt64) -> Bool {
        let index = firstSpan(endingAtOrAfter: number)
        if index < spans.count, spans[index].first <= number { return true }
        let gap = firstGap(endingAtOrAfter: number)
        return gap < gaps.count && gaps[gap].first <= number
    }

    /// What is in no span and no gap, up to `highest`.
    public var missing: [ClosedRange<UInt64>] {
        guard highest > forgottenThrough else { return [] }
        var missing: [ClosedRange<UInt64>] = []
        for hole in holes(in: forgottenThrough + 1...highest) {
            var start = hole.lowerBound
            var isOpen = true
            var index = firstGap(endingAtOrAfter: start)
            while index < gaps.count, gaps[index].first <= hole.upperBound {
                if gaps[index].first > start { missing.append(start...gaps[index].first - 1) }
                isOpen = gaps[index].last < hole.upperBound
                if isOpen { start = gaps[index].last + 1 }
                index += 1
            }
            if isOpen { missing.append(start...hole.upperBound) }
        }
        return missing
    }

    /// Where nothing is known of the run, any number may be the first.
    private func check(_ number: UInt64) throws(BatchRefusal) {
        guard highest == 0 || number <= highest || number - highest <= Self.farthest else {
            throw .tooFar(number: number, last: highest)
        }
    }

    private static func shortened(_ reason: String) -> String {
        guard reason.utf8.count > maximumReason else { return reason }
        var short = String(reason.prefix(maximumReason))
        while short.utf8.count > maximumReason { short.removeLast() }
        return short
    }
}
