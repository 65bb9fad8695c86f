import EventLoop
import Glibc

/// `$SYS/broker/load/...`: what happens a minute, over 1, 5 and 15 minutes, exponentially weighted, as mosquitto works it
/// out (sys_tree.c, `calc_load`): at each update, new = rate + e^(-elapsed/period) * (old - rate).
struct LoadAverages {
    static let periods: [(name: String, seconds: Double)] = [("1min", 60), ("5min", 300), ("15min", 900)]

    private struct Counter {
        var count: UInt64 = 0
        var averages = [Double](repeating: 0, count: periods.count)
    }

    private var counters: [String: Counter] = [:]
    private var updatedAt: Instant?

    /// Takes the counters as they are now. The first call only notes them.
    mutating func update(_ counts: [(name: String, count: UInt64)], at now: Instant) {
        defer { updatedAt = now }
        guard let updatedAt else {
            for (name, count) in counts { counters[name, default: Counter()].count = count }
            return
        }
        let elapsed = Double((now - updatedAt).nanoseconds) / 1e9
        guard elapsed > 0 else { return }
        for (name, count) in counts {
            var counter = counters[name] ?? Counter()
            let rate = Double(count &- counter.count) * 60 / elapsed
            for (index, period) in Self.periods.enumerated() {
                let old = counter.averages[index]
                counter.averages[index] = rate + exp(-elapsed / period.seconds) * (old - rate)
            }
            counter.count = count
            counters[name] = counter
        }
    }

    /// Topics below `$SYS/broker/load/` with their values.
    var topics: [(name: String, value: String)] {
        counters.sorted { $0.key < $1.key }.flatMap { name, counter in
            Self.periods.indices.map { index in
                ("\(name)/\(Self.periods[index].name)", Self.hundredths(counter.averages[index]))
            }
        }
    }

    /// "%.2f" for what isn't negative.
    static func hundredths(_ value: Double) -> String {
        let whole = UInt64((max(value, 0) * 100).rounded())
        let fraction = whole % 100
        return "\(whole / 100).\(fraction < 10 ? "0" : "")\(fraction)"
    }
}
