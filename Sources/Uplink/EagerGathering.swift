import EventLoop

/// Whether messages whose publishers wait go to the far end each at once, or gather for a moment.
///
/// Each batch has a header and an answer of its own, so a busy route gathers: what comes soon after a batch waits for half of
/// the settle window, less what the far end takes to answer. Where that brings next to nothing, as with one publisher that
/// waits for each acknowledgement before it goes on, it isn't done again for many batches.
struct EagerGathering {
    /// Messages in a batch that make the wait worth while.
    private static let worthwhile = 4
    /// Batches that go at once after a wait in vain.
    private static let rest = 64

    private var resting = 0
    private var lastSent: Instant?

    /// When a batch may go whose first message came at `since`.
    ///
    /// - Parameters:
    ///   - settle: `store.settle`: what isn't acknowledged by then is written.
    ///   - answer: milliseconds, smoothed, from the sending of a batch to its acknowledgement.
    ///   - isAnswered: nothing is in flight.
    func deadline(since: Instant, settle: Duration, answer: Double, isAnswered: Bool) -> Instant {
        guard resting == 0 else { return isAnswered ? since : since + settle / 4 }
        guard let lastSent else { return since }
        return max(since, lastSent + Self.window(settle: settle, answer: answer))
    }

    /// A batch went.
    mutating func sent(_ messages: Int, at now: Instant, waited: Duration, settle: Duration, answer: Double) {
        lastSent = now
        if resting > 0 {
            resting -= 1
        } else if messages < Self.worthwhile, waited * 2 > Self.window(settle: settle, answer: answer) {
            resting = Self.rest
        }
    }

    /// At least a quarter of the settle window.
    private static func window(settle: Duration, answer: Double) -> Duration {
        max(settle / 4, settle / 2 - .nanoseconds(Int64(min(answer, 1000) * 1_000_000)))
    }
}
