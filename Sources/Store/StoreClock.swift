import EventLoop

/// Store time: milliseconds on the boot clock, carried on over restarts, so that ages never depend on the date.
///
/// Within one boot it goes on exactly. Over a reboot, the time switched off counts only if the clock was synchronised both
/// before and after; else it stands still meanwhile, and a node that wakes in 1970 expires nothing for it.
public final class StoreClock {
    private let clock: any Clock
    private let bootAtStart: Int64
    private let storeAtStart: Int64
    /// The date counts as set from here on: no clock that was ever set says less. 2025-01-01.
    private static let earliestSetDate: Int64 = 1_735_689_600_000

    /// - Parameters:
    ///   - last: the run before, if there was one.
    ///   - newest: store time of the newest message on disk; time never falls behind it.
    public init(clock: any Clock, last: RunRecord?, newest: Int64) {
        self.clock = clock
        bootAtStart = clock.now.milliseconds
        var start = newest
        if let last {
            start = max(start, last.storeMilliseconds)
            if last.bootID == clock.bootID {
                start = max(start, last.storeMilliseconds + (bootAtStart - last.bootMilliseconds))
            } else if last.synchronised, clock.isSynchronised {
                start = max(start, clock.wallMilliseconds - last.wallOffset)
            }
        }
        storeAtStart = start
    }

    /// Store time, milliseconds.
    public var now: Int64 { time(at: clock.now) }

    public func time(at instant: Instant) -> Int64 { storeAtStart + instant.milliseconds - bootAtStart }

    /// Wall clock minus store time, milliseconds.
    public var wallOffset: Int64 { clock.wallMilliseconds - now }

    /// The clock was set at some time: it is synchronised, or shows a date that only a clock that was set can show.
    public var isSet: Bool { clock.isSynchronised || clock.wallMilliseconds >= Self.earliestSetDate }

    public var isSynchronised: Bool { clock.isSynchronised }
    public var bootID: String { clock.bootID }
    public var bootMilliseconds: Int64 { clock.now.milliseconds }
}
