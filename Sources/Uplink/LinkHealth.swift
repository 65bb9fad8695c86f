import EventLoop
import Store

/// How the link to the upstream is doing, by its acknowledgements (docs/how-it-works.md): healthy, in doubt, or down.
///
/// In doubt means: no acknowledgement within max(4 x the smoothed time, 1 s) while something is unacknowledged, a failed
/// write or a missed ping; until the next acknowledgement.
struct LinkHealth {
    private(set) var state = RouteLink.State.down
    /// From sending to acknowledgement; 0 before the first.
    private(set) var smoothedMilliseconds = 0.0
    /// `smoothedMilliseconds` is only the connection's own time, which counts several round trips.
    private var isGuess = true
    /// What the log decides by: before the first acknowledgement the link has the benefit of the doubt.
    var settlingMilliseconds: Double { isGuess ? 0 : smoothedMilliseconds }
    private var lastAnswer = Instant(nanoseconds: 0)

    /// `roundTrip` is the connection's own first sample.
    mutating func connected(_ now: Instant, roundTrip: Duration?) {
        state = .healthy
        lastAnswer = now
        if isGuess, let roundTrip { smoothedMilliseconds = Self.milliseconds(roundTrip) }
    }

    mutating func disconnected() { state = .down }

    mutating func acknowledged(_ now: Instant, sentAt: Instant) {
        let sample = Self.milliseconds(now - sentAt)
        smoothedMilliseconds = isGuess ? sample : smoothedMilliseconds * 0.875 + sample * 0.125
        isGuess = false
        lastAnswer = now
        if state == .doubt { state = .healthy }
    }

    /// A ping was missed.
    mutating func doubt() {
        if state == .healthy { state = .doubt }
    }

    /// When doubt begins unless an acknowledgement comes; nil while nothing is unacknowledged.
    func doubtAt(oldestSent: Instant?) -> Instant? {
        guard state == .healthy, let oldestSent else { return nil }
        let patience = max(smoothedMilliseconds * 4, 1000)
        return max(oldestSent, lastAnswer) + .nanoseconds(Int64(patience * 1_000_000))
    }

    mutating func check(_ now: Instant, oldestSent: Instant?) {
        if let moment = doubtAt(oldestSent: oldestSent), now >= moment { state = .doubt }
    }

    private static func milliseconds(_ duration: Duration) -> Double { Double(duration.nanoseconds) / 1_000_000 }
}
