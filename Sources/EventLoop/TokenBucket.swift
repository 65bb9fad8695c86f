/// A rate with some slack: tokens, one a byte, come at the rate and are kept up to the burst; what is taken may leave the
/// bucket in debt, which is paid before anything more is given. So over any time t no more than rate x t + burst (and the
/// last thing taken) passes.
///
/// The names and units are those of the CNI bandwidth plugin: bits a second, and bits.
public struct TokenBucket: Sendable {
    public let bitsPerSecond: Int
    /// What it holds, in bytes.
    public let capacity: Double
    private var level: Double
    private var filled: Instant

    /// A full bucket.
    ///
    /// - Parameters:
    ///   - bitsPerSecond: above 0.
    ///   - burstBits: 0: a tenth of a second, at least one full Ethernet frame. Less than a frame or than 10 ms of the rate
    ///     is raised to that: smaller steps than a timer's can't be kept to.
    public init(bitsPerSecond: Int, burstBits: Int = 0, now: Instant) {
        self.bitsPerSecond = max(1, bitsPerSecond)
        let bytesPerSecond = Double(self.bitsPerSecond) / 8
        let asked = burstBits > 0 ? Double(burstBits) / 8 : bytesPerSecond / 10
        capacity = max(asked, bytesPerSecond / 100, Self.frame)
        level = capacity
        filled = now
    }

    /// The payload of an Ethernet frame: less than one at a time costs more in headers than it smooths.
    static let frame = 1500.0

    public var bytesPerSecond: Double { Double(bitsPerSecond) / 8 }

    /// Whole bytes that may pass now; 0 or less: none.
    public mutating func available(_ now: Instant) -> Int {
        fill(now)
        return Int(level.rounded(.down))
    }

    /// `bytes` have passed.
    public mutating func take(_ bytes: Int, _ now: Instant) {
        fill(now)
        level -= Double(bytes)
    }

    /// When `bytes` may pass together: at once where they are there; never later than it takes to fill the bucket from
    /// where it is.
    public mutating func ready(for bytes: Int, _ now: Instant) -> Instant {
        now + wait(for: min(Double(bytes), capacity), now)
    }

    /// When the last of `bytes` will have passed, if they pass one after the other as they may.
    public mutating func departure(of bytes: Int, _ now: Instant) -> Instant { now + wait(for: Double(bytes), now) }

    /// The bytes for which it pays to wait: 5 ms of the rate, at least a frame; but no longer than a quarter of a second,
    /// so that a thin link is never silent for long.
    public var step: Int {
        let bytes = min(max(bytesPerSecond / 200, Self.frame), bytesPerSecond / 4, capacity)
        return max(1, Int(bytes))
    }

    private mutating func wait(for bytes: Double, _ now: Instant) -> Duration {
        fill(now)
        guard bytes > level else { return .zero }
        // A nanosecond more, so that rounding never leaves it short by a part of a byte.
        return .nanoseconds(Int64(((bytes - level) / bytesPerSecond * 1e9).rounded(.up)) + 1)
    }

    private mutating func fill(_ now: Instant) {
        guard now > filled else { return }
        level = min(capacity, level + Double((now - filled).nanoseconds) * bytesPerSecond / 1e9)
        filled = now
    }
}
