/// What the database knows of time, kept fresh for the day the power fails.
///
/// A run writes itself down at its start; what it learns later (the date, after a boot in 1970) and how far it came go along
/// with a group that is written anyway, or, since dates depend on it, by the commit timer.
extension Log {
    /// Milliseconds of store time that a crash and a reboot may set the clock back by, beside what messages on disk say.
    private static let staleness: Int64 = 60_000
    /// Milliseconds of steps of the wall clock that are not worth a write.
    private static let tolerance: Int64 = 1000

    var runAsOfNow: RunRecord {
        var now = run
        now.bootMilliseconds = clock.bootMilliseconds
        now.storeMilliseconds = clock.now
        now.wallOffset = clock.wallOffset
        now.clockSet = clock.isSet
        now.synchronised = clock.isSynchronised
        return now
    }

    /// A group is about to be written: the time goes with it where it is news.
    func noteTime() {
        let now = runAsOfNow
        guard hasNewDate(now) || now.storeMilliseconds - recordedRun.storeMilliseconds >= Self.staleness else { return }
        recordedRun = now
        dueChanges.append(.run(now))
    }

    /// Called now and then: the date was learnt, or stepped.
    func noteDate() {
        let now = runAsOfNow
        guard hasNewDate(now) else { return }
        recordedRun = now
        lazily(.run(now))
    }

    private func hasNewDate(_ now: RunRecord) -> Bool {
        now.clockSet != recordedRun.clockSet || now.synchronised != recordedRun.synchronised
            || abs(now.wallOffset - recordedRun.wallOffset) > Self.tolerance
    }
}
