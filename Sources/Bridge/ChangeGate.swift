import EventLoop

/// Which readings of one point are worth a message.
package struct ChangeGate {
    /// How far a value must be from the last published one.
    package enum Deadband: Equatable, Sendable {
        case absolute(Double)
        /// Of the last published value.
        case percent(Double)
    }

    /// Off: every reading is published.
    package var onChange: Bool
    package var deadband: Deadband?
    /// The longest without a message; nil: for ever.
    package var heartbeat: Duration?

    private var last: Reading.Outcome?
    private var lastTime = Instant(nanoseconds: 0)

    package init(onChange: Bool, deadband: Deadband? = nil, heartbeat: Duration? = nil) {
        self.onChange = onChange
        self.deadband = deadband
        self.heartbeat = heartbeat
    }

    /// Whether this reading is to be published; it counts as published then. What went wrong is said once an episode, whatever else
    /// is asked for, and what follows it is always news.
    package mutating func passes(_ outcome: Reading.Outcome, at now: Instant) -> Bool {
        guard isNews(outcome) || isDue(at: now) else { return false }
        last = outcome
        lastTime = now
        return true
    }

    /// What was published last is not known to hold any more: the next reading passes.
    package mutating func forget() { last = nil }

    private func isDue(at now: Instant) -> Bool {
        guard let heartbeat else { return false }
        return now - lastTime >= heartbeat
    }

    private func isNews(_ outcome: Reading.Outcome) -> Bool {
        switch (last, outcome) {
        case (nil, _), (.bad, .good), (.good, .bad): return true
        case (.bad(let before), .bad(let error)): return before != error
        case (.good(let before), .good(let value)):
            guard onChange || deadband != nil else { return true }
            guard let deadband, let from = before.number, let to = value.number else { return before != value }
            switch deadband {
            case .absolute(let least): return abs(to - from) > least || (from.isFinite != to.isFinite)
            case .percent(let share):
                return abs(to - from) > abs(from) * share / 100 || (from.isFinite != to.isFinite)
            }
        }
    }
}
