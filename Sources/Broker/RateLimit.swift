import EventLoop

/// How often something may happen: `perSecond` times a second, with a second's worth of slack for whoever was quiet before.
///
/// All of its state is one instant (the Generic Cell Rate Algorithm of ATM), so that thousands cost little.
struct RateLimit {
    private let interval: Duration
    /// When all that has happened would be over, had it come evenly.
    private(set) var paidUntil: Instant

    /// - Parameter perSecond: above 0.
    init(perSecond: Int, now: Instant) {
        interval = .nanoseconds(max(1, 1_000_000_000 / Int64(max(1, perSecond))))
        paidUntil = now
    }

    private var slack: Duration { .seconds(1) - interval }

    /// False: not now.
    mutating func take(at now: Instant) -> Bool {
        let begins = max(paidUntil, now)
        guard begins - now <= slack else { return false }
        paidUntil = begins + interval
        return true
    }

    /// How long until the next may be taken.
    func wait(at now: Instant) -> Duration { max(.zero, paidUntil - now - slack) }

    /// Nothing is remembered of what has happened.
    func isRested(at now: Instant) -> Bool { paidUntil <= now }
}
