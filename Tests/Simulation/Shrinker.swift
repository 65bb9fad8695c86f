/// Makes a failing schedule short: leaves out and shortens what is not needed for the same promise to be broken.
public struct Shrinker {
    private let promise: Violation.Promise
    private var schedule: Schedule
    private var attempts: Int

    /// - Parameter attempts: runs that it may take.
    public init(_ schedule: Schedule, _ violation: Violation, attempts: Int = 600) {
        self.schedule = schedule
        promise = violation.promise
        self.attempts = attempts
    }

    /// The shortest schedule found that still fails.
    public mutating func shrink() -> Schedule {
        var before = Int.max
        while schedule.size < before, attempts > 0 {
            before = schedule.size
            leaveOut()
            shorten()
        }
        return schedule
    }

    /// Halves, quarters, ... then single steps.
    private mutating func leaveOut() {
        var length = max(schedule.steps.count / 2, 1)
        while length >= 1, attempts > 0 {
            var start = 0
            while start < schedule.steps.count {
                var shorter = schedule
                let range = start..<min(start + length, schedule.steps.count)
                // The time passes all the same, unless it is not needed either.
                let wait = shorter.steps[range].reduce(0) { $0 + $1.waitMilliseconds }
                shorter.steps.removeSubrange(range)
                if take(shorter) { continue }
                if start < shorter.steps.count {
                    shorter.steps[start].waitMilliseconds += wait
                    if take(shorter) { continue }
                }
                start += length
            }
            length = length == 1 ? 0 : max(length / 2, 1)
        }
    }

    private mutating func shorten() {
        for index in schedule.steps.indices where index < schedule.steps.count {
            var shorter = schedule
            shorter.steps[index].waitMilliseconds = 0
            if schedule.steps[index].waitMilliseconds > 0, !take(shorter) {
                shorter.steps[index].waitMilliseconds = schedule.steps[index].waitMilliseconds / 2
                _ = take(shorter)
            }
            while let operation = schedule.steps[index].operation.smaller {
                shorter = schedule
                shorter.steps[index].operation = operation
                guard take(shorter) else { break }
            }
        }
    }

    /// Keeps it if it fails in the same way.
    private mutating func take(_ candidate: Schedule) -> Bool {
        guard attempts > 0, candidate.size < schedule.size else { return false }
        attempts -= 1
        guard World(candidate).run()?.promise == promise else { return false }
        schedule = candidate
        return true
    }
}

extension Schedule {
    /// What a reader has to follow.
    fileprivate var size: Int {
        steps.reduce(0) { $0 + 100_000 + $1.waitMilliseconds + 1000 * $1.operation.size }
    }
}

extension Operation {
    fileprivate var size: Int {
        if case .publish(_, _, _, let count, let bytes) = self { return count + bytes / 10 }
        if case .spread(_, _, let count, _) = self { return count }
        return 1
    }

    /// The same with less of it; nil: there is no less.
    fileprivate var smaller: Operation? {
        if case .spread(let client, let first, let count, let qos) = self, count > 1 {
            return .spread(client: client, first: first, count: count / 2, qos: qos)
        }
        guard case .publish(let client, let topic, let qos, let count, let bytes) = self else { return nil }
        if count > 1 { return .publish(client: client, topic: topic, qos: qos, count: count / 2, bytes: bytes) }
        if bytes > 10 { return .publish(client: client, topic: topic, qos: qos, count: count, bytes: 10) }
        return nil
    }
}
