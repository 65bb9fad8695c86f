import Glibc

/// Says how far a long run has come: on a terminal and in a log alike, a line every so many seeds.
struct Progress {
    private static let step = 100

    private let seeds: Int
    private let began = ContinuousClock.now
    private var done = 0

    init(seeds: Int) { self.seeds = seeds }

    mutating func seedIsDone(failed: Int) {
        done += 1
        guard done % Self.step == 0, done < seeds else { return }
        print("\(done) of \(seeds) seeds, \(failed) failed, \(rate)")
        fflush(nil)
    }

    /// Seeds a second, so far.
    var rate: String {
        let seconds =
            Double((ContinuousClock.now - began).components.seconds)
            + Double((ContinuousClock.now - began).components.attoseconds) / 1e18
        let tenths = Int(Double(done) * 10 / max(seconds, 0.001))
        return "\(tenths / 10).\(tenths % 10) seeds a second"
    }
}
