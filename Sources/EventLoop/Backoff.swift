/// Waits that double from `min` to `max`, each shortened by up to half at random, so that a thousand nodes that lost the
/// same upstream don't come back in step.
public struct Backoff: Sendable {
    public let min: Duration
    public let max: Duration
    public private(set) var failures = 0

    public init(min: Duration, max: Duration) {
        self.min = min
        self.max = Swift.max(min, max)
    }

    public mutating func reset() { failures = 0 }

    /// The wait after one more failure. `random` lies in 0..<1.
    public mutating func next(random: Double) -> Duration {
        var wait = min
        for _ in 0..<Swift.min(failures, 32) where wait < max { wait *= 2 }
        failures += 1
        return jittered(Swift.min(wait, max), random)
    }

    /// The longest wait, at once.
    public mutating func longest(random: Double) -> Duration {
        failures += 1
        return jittered(max, random)
    }

    private func jittered(_ wait: Duration, _ random: Double) -> Duration {
        .nanoseconds(Int64(Double(wait.nanoseconds) * (1 - random / 2)))
    }
}
