/// A set of numbers as ascending, disjoint, non-adjacent intervals: small where the numbers come nearly in order.
public struct IntervalSet: Sendable, Equatable {
    public private(set) var intervals: [ClosedRange<UInt64>]
    /// How many numbers are in it.
    public private(set) var count: UInt64

    public init(_ intervals: [ClosedRange<UInt64>] = []) {
        self.intervals = intervals
        count = intervals.reduce(0) { $0 + Self.length($1) }
    }

    public var isEmpty: Bool { intervals.isEmpty }

    private static func length(_ range: ClosedRange<UInt64>) -> UInt64 { range.upperBound - range.lowerBound + 1 }

    public func contains(_ number: UInt64) -> Bool {
        let index = firstIndex(endingAtOrAfter: number)
        return index < intervals.count && intervals[index].contains(number)
    }

    /// The end of the interval that holds `number`.
    public func end(containing number: UInt64) -> UInt64? {
        let index = firstIndex(endingAtOrAfter: number)
        return index < intervals.count && intervals[index].contains(number) ? intervals[index].upperBound : nil
    }

    public mutating func insert(_ number: UInt64) { insert(number...number) }

    public mutating func insert(_ range: ClosedRange<UInt64>) {
        if let last = intervals.last, last.upperBound < range.lowerBound {
            // Mostly the numbers come in their order.
            count += Self.length(range)
            if last.upperBound + 1 == range.lowerBound {
                intervals[intervals.count - 1] = last.lowerBound...range.upperBound
            } else {
                intervals.append(range)
            }
            return
        }
        let below = range.lowerBound == 0 ? 0 : range.lowerBound - 1
        let start = firstIndex(endingAtOrAfter: below)
        var end = start
        var lower = range.lowerBound
        var upper = range.upperBound
        while end < intervals.count, intervals[end].lowerBound <= (upper == .max ? upper : upper + 1) {
            lower = min(lower, intervals[end].lowerBound)
            upper = max(upper, intervals[end].upperBound)
            count -= Self.length(intervals[end])
            end += 1
        }
        count += upper - lower + 1
        intervals.replaceSubrange(start..<end, with: CollectionOfOne(lower...upper))
    }

    /// What `range` holds and the set doesn't, ascending.
    public func missing(in range: ClosedRange<UInt64>) -> [ClosedRange<UInt64>] {
        var missing: [ClosedRange<UInt64>] = []
        var next = range.lowerBound
        for interval in intervals[firstIndex(endingAtOrAfter: range.lowerBound)...] {
            guard interval.lowerBound <= range.upperBound else { break }
            if interval.lowerBound > next { missing.append(next...interval.lowerBound - 1) }
            guard interval.upperBound < range.upperBound else { return missing }
            next = interval.upperBound + 1
        }
        missing.append(next...range.upperBound)
        return missing
    }

    /// Removes and returns the end of the interval that starts right above `number`, if there is one.
    public mutating func takePrefix(after number: UInt64) -> UInt64? {
        guard let first = intervals.first, first.lowerBound == number + 1 else { return nil }
        intervals.removeFirst()
        count -= Self.length(first)
        return first.upperBound
    }

    /// The lowest number from `number` on that isn't in it.
    public func firstMissing(from number: UInt64) -> UInt64 {
        guard let first = intervals.first, first.lowerBound <= number else { return number }
        if first.contains(number) { return first.upperBound + 1 }
        return end(containing: number).map { $0 + 1 } ?? number
    }

    /// The highest unbroken run of numbers below `end`, and from `start` on, of which it has none; nil: it has them all.
    public func lastGap(from start: UInt64, below end: UInt64) -> ClosedRange<UInt64>? {
        guard start < end else { return nil }
        var index = firstIndex(endingAtOrAfter: end - 1)
        var last = end - 1
        if index < intervals.count, intervals[index].contains(last) {
            guard intervals[index].lowerBound > start else { return nil }
            last = intervals[index].lowerBound - 1
        }
        index -= 1
        let lower = index >= 0 ? max(start, intervals[index].upperBound + 1) : start
        return lower <= last ? lower...last : nil
    }

    /// The interval that holds `number`.
    public func interval(containing number: UInt64) -> ClosedRange<UInt64>? {
        let index = firstIndex(endingAtOrAfter: number)
        return index < intervals.count && intervals[index].contains(number) ? intervals[index] : nil
    }

    /// Removes everything up to `number`.
    public mutating func remove(through number: UInt64) {
        // At once: taken one by one from the front, the others would be moved as often.
        let whole = firstIndex(endingAtOrAfter: number == .max ? number : number + 1)
        for interval in intervals[..<whole] { count -= Self.length(interval) }
        intervals.removeSubrange(..<whole)
        guard let first = intervals.first, first.lowerBound <= number else { return }
        // It ends above `number`, or at the last number there is.
        guard first.upperBound > number else {
            count -= Self.length(first)
            intervals.removeFirst()
            return
        }
        count -= number - first.lowerBound + 1
        intervals[0] = number + 1...first.upperBound
    }

    private func firstIndex(endingAtOrAfter number: UInt64) -> Int {
        intervals.partitioningIndex(where: { $0.upperBound >= number })
    }
}
