import Glibc

/// How long the writer lets commits gather company before it writes them.
///
/// Publishers that were just acknowledged publish again at once. Without a wait, those that come first would be written
/// alone, and the rest one whole sync later: two syncs, and so twice the wear, where one does. So the writer waits until as
/// many messages are there as were lately on their way at once. It gives up when the loop has rested for a moment, since
/// then nothing comes, and after the time of two commits at the latest. A lone publisher is never made to wait.
struct Gathering {
    private static let longestNanoseconds: Int64 = 1_000_000
    private static let longestRest: Int64 = 100_000

    /// Messages at which there is nothing more to be waited for.
    private(set) var enough = 0
    /// Smoothed, of a commit.
    private var nanoseconds: Int64 = 0
    private var began: Int64 = 0

    /// How long the first commit that came may wait for company.
    var longest: Int64 { min(nanoseconds * 2, Self.longestNanoseconds) }
    /// How long the loop may rest meanwhile.
    var rest: Int64 { min(nanoseconds / 4, Self.longestRest) }

    mutating func begin() { began = Self.now() }

    /// - Parameters:
    ///   - messages: that were committed.
    ///   - waiting: messages that have come meanwhile.
    mutating func end(messages: Int, waiting: Int) {
        let now = Self.now()
        let took = now - began
        began = now
        nanoseconds += nanoseconds == 0 ? took : (took - nanoseconds) / 4
        let onTheirWay = messages + waiting
        enough = onTheirWay > 1 ? max(onTheirWay, enough - max(enough / 8, 1)) : 0
    }

    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    static func time(_ nanoseconds: Int64) -> timespec {
        timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    }
}
