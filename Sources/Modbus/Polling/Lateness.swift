import EventLoop

/// How late requests leave, against when they were due: the jitter of polling. Counted in powers of two from 64 microseconds.
package struct Lateness: Equatable {
    private var buckets = [UInt64](repeating: 0, count: 24)
    package private(set) var count: UInt64 = 0
    package private(set) var longest = Duration.zero
    private var total = Duration.zero

    package init() {}

    package mutating func note(_ lateness: Duration) {
        let lateness = max(.zero, lateness)
        count += 1
        total += lateness
        longest = max(longest, lateness)
        let units = UInt64(lateness.nanoseconds) >> 16
        buckets[min(buckets.count - 1, 64 - units.leadingZeroBitCount)] += 1
    }

    package var mean: Duration { count == 0 ? .zero : total / Int(count) }

    /// Not below the true one, and at most twice it.
    package func percentile(_ share: Double) -> Duration {
        let wanted = UInt64((Double(count) * share).rounded(.up))
        var seen: UInt64 = 0
        for (index, bucket) in buckets.enumerated() {
            seen += bucket
            if seen >= wanted, seen > 0 { return min(longest, .nanoseconds(Int64(1) << Int64(16 + index))) }
        }
        return longest
    }

    package mutating func add(_ other: Lateness) {
        for index in buckets.indices { buckets[index] += other.buckets[index] }
        count += other.count
        total += other.total
        longest = max(longest, other.longest)
    }
}
