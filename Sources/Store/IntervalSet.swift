/// A set of numbers as ascending, disjoint, non-adjacent intervals: small where the numbers come nearly in order.
public struct IntervalSet: Sendable, Equatable {
    public private(set) var intervals: [ClosedRange<UInt64>]

    public init(_ intervals: [ClosedRange<UInt64>] = []) { self.intervals = intervals }

    public var isEmpty: Bool { intervals.isEmpty }
    public var count: UInt64 { intervals.reduce(0) { $0 + ($1.upperBound - $1.lowerBound + 1) } }

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
        let below = range.lowerBound == 0 ? 0 : range.lowerBound - 1
        let start = firstIndex(endingAtOrAfter: below)
        var end = start
        var lower = range.lowerBound
        var upper = range.upperBound
        while end < intervals.count, intervals[end].lowerBound <= (upper == .max ? upper : upper + 1) {
            lower = min(lower, intervals[end].lowerBound)
            upper = max(upper, intervals[end].upperBound)
            end += 1
        }
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
        return first.upperBound
    }

    /// Removes everything up to `number`.
    public mutating func remove(through number: UInt64) {
        while let first = intervals.first, first.lowerBound <= number {
            if first.upperBound <= number {
                intervals.removeFirst()
            } else {
                intervals[0] = number + 1...first.upperBound
                return
            }
        }
    }

    private func firstIndex(endingAtOrAfter number: UInt64) -> Int {
        var low = 0
        var high = intervals.count
        while low < high {
            let middle = (low + high) / 2
            if intervals[middle].upperBound < number { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
