import Glibc

/// How long the writer lets commits gather after one that carried several messages: a quarter of what that took, and no more
/// than half a millisecond.
///
/// Publishers that were just acknowledged publish again at once. Without the wait, those that came first would be written
/// alone, and the rest one whole sync later: two syncs, and so twice the wear, where one does. A lone publisher is never
/// made to wait.
struct Gathering {
    private static let longestNanoseconds: Int64 = 500_000

    private var began: Int64 = 0
    /// `CLOCK_MONOTONIC`; nil: commits go at once.
    private(set) var deadline: timespec?

    mutating func begin(_ work: StoreJobs.Work) {
        if case .commit = work { began = Self.now() }
    }

    mutating func end(_ work: StoreJobs.Work) {
        guard case .commit(let groups) = work else { return }
        let messages = groups.reduce(0) { $0 + $1.segments.reduce(0) { $0 + $1.count } }
        guard messages > 1 else {
            deadline = nil
            return
        }
        let now = Self.now()
        let until = now + min((now - began) / 4, Self.longestNanoseconds)
        deadline = timespec(tv_sec: Int(until / 1_000_000_000), tv_nsec: Int(until % 1_000_000_000))
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
