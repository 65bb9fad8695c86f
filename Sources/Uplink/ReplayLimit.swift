import EventLoop
import Glibc

/// `replay_rate`: how fast a route's backlog may go. Backlog is what has waited longer than `batch.delay` and ten seconds
/// more when its turn comes; everything younger is live and isn't held. So the limit ends by itself once the route has
/// caught up, and means the same after an outage, a pause, a closed window or a restart.
///
/// It is never below the rate at which the route receives, and a tenth more, so that a backlog shrinks however low the rate
/// was set: a smoothed rate, translated into bytes on the wire by how well the route's batches compress.
struct ReplayLimit {
    /// Beyond `batch.delay`.
    static let grace: Duration = .seconds(10)
    private static let smoothing = 60.0

    private let bytesPerSecond: Double
    private let liveMilliseconds: Int64
    /// Bytes that may still go; below 0: a debt.
    private var level = 0.0
    private var lastFill: Instant?
    /// Of messages, before compression, a second.
    private(set) var arrivals = 0.0
    private var lastReceived: Int
    private var lastCount: Instant

    init(bitsPerSecond: Int, batchDelay: Duration, received: Int, now: Instant) {
        bytesPerSecond = Double(bitsPerSecond) / 8
        liveMilliseconds = (batchDelay + Self.grace).milliseconds
        lastReceived = received
        lastCount = now
    }

    func isBacklog(ageMilliseconds: Int64) -> Bool { ageMilliseconds > liveMilliseconds }

    /// Brings the arrival rate up to date. `received`: bytes of all messages so far.
    mutating func note(received: Int, _ now: Instant) {
        let elapsed = Double((now - lastCount).nanoseconds) / 1e9
        guard elapsed >= 1 else { return }
        let sample = Double(max(0, received - lastReceived)) / elapsed
        arrivals += (sample - arrivals) * (1 - exp(-elapsed / Self.smoothing))
        lastReceived = received
        lastCount = now
    }

    /// The rate in force, bytes a second on the wire.
    func rate(wireRatio: Double) -> Double { max(bytesPerSecond, arrivals * 1.1 * wireRatio) }

    /// When backlog may go; at or before `now`: at once.
    mutating func ready(wireRatio: Double, _ now: Instant) -> Instant {
        let rate = rate(wireRatio: wireRatio)
        if let lastFill {
            level = min(rate / 10, level + Double((now - lastFill).nanoseconds) / 1e9 * rate)
        }
        lastFill = now
        guard level < 0 else { return now }
        return now + .nanoseconds(Int64(-level / rate * 1e9) + 1)
    }

    /// So many bytes of backlog have gone.
    mutating func take(_ bytes: Int) { level -= Double(bytes) }
}
