import EventLoop
import Store

/// How the link to the upstream is doing, by its acknowledgements (docs/how-it-works.md): healthy, in doubt, or down.
///
/// In doubt means: no acknowledgement within max(4 x the smoothed time, 1 s) while something is unacknowledged, a failed
/// write or a missed ping; until the next acknowledgement.
struct LinkHealth {
    private(set) var state = RouteLink.State.down
    /// From sending to acknowledgement.
    private var answers = SmoothedTime()
    /// The connection's own time, which counts several round trips: before the first acknowledgement nothing better is known.
    private var guess = 0.0
    /// From sending to acknowledgement; 0 where nothing is known.
    var smoothedMilliseconds: Double { answers.isEmpty ? guess : answers.milliseconds }
    /// What the log decides by: before the first acknowledgement the link has the benefit of the doubt.
    var settlingMilliseconds: Double { answers.milliseconds }
    private var lastAnswer = Instant(nanoseconds: 0)

    /// `roundTrip` is the connection's own first sample.
    mutating func connected(_ now: Instant, roundTrip: Duration?) {
        state = .healthy
        lastAnswer = now
        if let roundTrip { guess = Double(roundTrip.nanoseconds) / 1_000_000 }
    }

    mutating func disconnected() { state = .down }

    mutating func acknowledged(_ now: Instant, sentAt: Instant) {
        answers.add(now - sentAt)
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
}
