import EventLoop

/// Rates over the last second or so, from counters looked at now and then.
struct RateMeter {
    private struct Sample {
        var time: Instant
        var counters: [Int]
    }

    private static let window: Duration = .seconds(1)
    private var samples: [Sample] = []

    mutating func note(_ counters: [Int], at time: Instant) {
        samples.append(Sample(time: time, counters: counters))
        while samples.count > 2, time - samples[1].time >= Self.window { samples.removeFirst() }
    }

    /// Of the counter at that index, per second.
    func rate(_ index: Int) -> Double {
        guard let first = samples.first, let last = samples.last, last.time > first.time else { return 0 }
        let seconds = Double((last.time - first.time).nanoseconds) / 1e9
        return Double(last.counters[index] - first.counters[index]) / seconds
    }
}
