import Store

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
public struct ReceiverState: Equatable, Sendable {
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

    /// Numbers whose packets are here.
    public internal(set) var received: IntervalSet
    /// Ascending, disjoint, of no number that is in `received`; neighbours differ in their reason.
    public internal(set) var gaps: [Gap]
    public internal(set) var ended: Ended?
    /// The highest number that is known to exist.
    public internal(set) var highest: UInt64
    /// `at` of the latest batch.
    public internal(set) var madeAt: WallTime
    /// Store time of the latest change, milliseconds.
    public internal(set) var changedAt: Int64

    /// How far beyond `highest` a number may lie.
    public static let farthest: UInt64 = 1 << 32
    /// Milliseconds that an ended run is kept after its last change.
    public static let endedLifetime: Int64 = 90 * 86_400_000
    /// More holes than this in one run's numbers are refused: each batch writes the whole state.
    static let maximumPieces = 65_536

    public init() {
        received = IntervalSet()
        gaps = []
        highest = 0
        madeAt = WallTime(milliseconds: 0, isSet: false)
        changedAt = 0
    }

    /// Takes the numbers of a batch's packets, `sequence` and on, and shrinks the gaps that named them. With no packets
    /// it only learns that the numbers below `sequence` exist.
    ///
    /// - Returns: the numbers that are new, ascending.
    /// - Throws: `.tooFar`, and nothing has changed.
    public mutating func accept(_ sequence: UInt64, count: Int) throws(BatchRefusal) -> [ClosedRange<UInt64>] {
        let last = sequence - 1 + UInt64(count)
        try check(last)
        highest = max(highest, last)
        guard count > 0 else { return [] }
        let range = sequence...last
        let new = holes(in: range)
        guard !new.isEmpty else { return [] }
        guard received.intervals.count < Self.maximumPieces else {
            throw .structure("numbers with more than \(Self.maximumPieces) holes", offset: 0)
        }
        received.insert(range)
        cutGaps(range)
        return new
    }

    /// Takes news of numbers that will never come; those that came all the same, or are in a gap already, stay as they are.
    public mutating func accept(_ gap: Gap) throws(BatchRefusal) {
        try check(gap.last)
        guard gap.last - gap.first <= Self.farthest else { throw .tooFar(number: gap.last, last: gap.first) }
        highest = max(highest, gap.last)
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
        guard gaps.count + pieces.count <= Self.maximumPieces else {
            throw .structure("more than \(Self.maximumPieces) gaps", offset: 0)
        }
        for piece in pieces { insert(piece) }
    }

    /// The run has stopped. A last number that is known stays known.
    public mutating func accept(ended last: UInt64?, at time: WallTime) throws(BatchRefusal) {
        if let last {
            try check(last)
            highest = max(highest, last)
        }
        ended = Ended(last: last ?? ended?.last, at: time)
    }

    /// Gives back numbers that `accept` took and the store then could not keep.
    public mutating func giveBack(_ ranges: [ClosedRange<UInt64>]) {
        var kept: [ClosedRange<UInt64>] = []
        for interval in received.intervals {
            var start = interval.lowerBound
            var isWhole = true
            for range in ranges where range.overlaps(interval) {
                if range.lowerBound > start { kept.append(start...range.lowerBound - 1) }
                isWhole = range.upperBound < interval.upperBound
                if isWhole { start = range.upperBound + 1 }
            }
            if isWhole { kept.append(start...interval.upperBound) }
        }
        received = IntervalSet(kept)
    }

    /// An ended run of which nothing was heard for 90 days.
    public func isForgotten(now: Int64) -> Bool { ended != nil && now - changedAt > Self.endedLifetime }

    /// The number is here, or will never come.
    public func knows(_ number: UInt64) -> Bool {
        if received.contains(number) { return true }
        let index = firstGap(endingAtOrAfter: number)
        return index < gaps.count && gaps[index].first <= number
    }

    /// What is in no interval and no gap.
    public var missing: [ClosedRange<UInt64>] {
        guard highest > 0 else { return [] }
        var missing: [ClosedRange<UInt64>] = []
        for hole in holes(in: 1...highest) {
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

    // MARK: - Intervals

    /// Where nothing is known of the run, any number may be the first.
    private func check(_ number: UInt64) throws(BatchRefusal) {
        guard highest == 0 || number <= highest || number - highest <= Self.farthest else {
            throw .tooFar(number: number, last: highest)
        }
    }

    /// The parts of `range` that were not received.
    private func holes(in range: ClosedRange<UInt64>) -> [ClosedRange<UInt64>] {
        var holes: [ClosedRange<UInt64>] = []
        var start = range.lowerBound
        let intervals = received.intervals
        var index = firstInterval(endingAtOrAfter: start)
        while index < intervals.count, intervals[index].lowerBound <= range.upperBound {
            if intervals[index].lowerBound > start { holes.append(start...intervals[index].lowerBound - 1) }
            guard intervals[index].upperBound < range.upperBound else { return holes }
            start = intervals[index].upperBound + 1
            index += 1
        }
        holes.append(start...range.upperBound)
        return holes
    }

    private func firstInterval(endingAtOrAfter number: UInt64) -> Int {
        Self.first(received.intervals.count) { received.intervals[$0].upperBound >= number }
    }

    private func firstGap(endingAtOrAfter number: UInt64) -> Int {
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

    /// Takes `range` out of the gaps.
    private mutating func cutGaps(_ range: ClosedRange<UInt64>) {
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
    private mutating func insert(_ gap: Gap) {
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
