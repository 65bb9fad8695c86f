/// How the time is divided, and how often something happens.
struct ProveSchedule {
    /// Each of the two acts that measure what a steady load costs, link up and link down.
    let steady: Duration
    let faults: Duration
    /// How long the disk stays full before the kill, and after it.
    let full: Duration
    let pace: Faults.Pace

    init(_ choices: Prove.Choices) {
        let seconds = choices.minutes * 60
        func share(_ part: Double, _ least: Double, _ most: Double = .infinity) -> Duration {
            .milliseconds(Int64(max(least, min(most, seconds * part)) * 1000))
        }
        steady = share(0.12, 2.5)
        faults = share(0.6, 8)
        full = share(0.03, 1.5, 5)
        let gap = choices.kills > 0 ? faults.seconds / Double(choices.kills) : seconds / 40
        pace = Faults.Pace(
            killGap: .milliseconds(Int64(max(0.3, min(choices.kills > 0 ? gap : 3, gap)) * 1000)),
            up: share(1 / 40, 0.6, 5), down: share(1 / 50, 0.6, 4))
    }
}
