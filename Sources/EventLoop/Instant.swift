/// A point on the boot clock (CLOCK_BOOTTIME), in nanoseconds since the machine started. Unlike the wall clock it never
/// steps, and unlike CLOCK_MONOTONIC it counts the time a node spends suspended. Arithmetic saturates at both ends.
public struct Instant: Comparable, Hashable, Sendable {
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    public init(milliseconds: Int64) {
        let (product, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        nanoseconds = overflow ? (milliseconds < 0 ? .min : .max) : product
    }

    /// Whole milliseconds since the machine started.
    public var milliseconds: Int64 { nanoseconds / 1_000_000 }

    /// Later than any other instant.
    public static var distantFuture: Instant { Instant(nanoseconds: .max) }

    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    public static func + (instant: Instant, duration: Duration) -> Instant {
        let (sum, overflow) = instant.nanoseconds.addingReportingOverflow(duration.nanoseconds)
        return Instant(nanoseconds: overflow ? (duration < .zero ? .min : .max) : sum)
    }

    public static func - (instant: Instant, duration: Duration) -> Instant {
        let (difference, overflow) = instant.nanoseconds.subtractingReportingOverflow(duration.nanoseconds)
        return Instant(nanoseconds: overflow ? (duration < .zero ? .max : .min) : difference)
    }

    public static func - (left: Instant, right: Instant) -> Duration {
        let (difference, overflow) = left.nanoseconds.subtractingReportingOverflow(right.nanoseconds)
        return .nanoseconds(overflow ? (left < right ? .min : .max) : difference)
    }

    public func advanced(milliseconds: Int64) -> Instant { self + .milliseconds(milliseconds) }
}

extension Duration {
    /// The whole duration in nanoseconds; beyond 292 years it saturates.
    public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carried) = whole.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carried ? (seconds < 0 ? .min : .max) : sum
    }

    /// The whole duration in milliseconds, rounded towards zero.
    public var milliseconds: Int64 { nanoseconds / 1_000_000 }
}
