/// Pauses between attempts: twice as long after each failure, with some chance in it so that devices don't move in step.
package struct Backoff {
    private let least: Duration
    private let most: Duration
    private var next: Duration

    package init(min: Duration, max: Duration) {
        least = min
        most = max
        next = min
    }

    package mutating func pause() -> Duration {
        defer { next = min(most, next * 2) }
        return next * Int.random(in: 75...125) / 100
    }

    package mutating func reset() { next = least }
}
