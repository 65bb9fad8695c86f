/// How the time is divided, and how often something happens.
struct ProveSchedule {
    /// Each of the three acts that measure what a steady load costs: the link near, far, and cut.
    let steady: Duration
    let faults: Duration
    /// How long the disk stays full before the kill, and after it.
    let full: Duration
    private(set) var pace: Faults.Pace

    init(_ choices: Prove.Choices) {
        let seconds = choices.minutes * 60
        func share(_ part: Double, _ least: Double, _ most: Double = .infinity) -> Duration {
            .milliseconds(Int64(max(least, min(most, seconds * part)) * 1000))
        }
        steady = share(0.09, 1)
        faults = share(0.6, 5)
        full = share(0.03, 1, 5)
        let gap = share(1 / 40, 0.3, 3)
        pace = Faults.Pace(killGap: gap, up: share(1 / 40, 0.6, 5), down: share(1 / 50, 0.6, 4))
        let wanted: Duration = .milliseconds(Int64(max(0.3, faults.seconds / Double(max(choices.kills, 1))) * 1000))
        if choices.kills > 0, wanted < gap { pace.hurry = (choices.kills, wanted) }
    }
}
