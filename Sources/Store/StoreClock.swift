import EventLoop

/// Store time: milliseconds on the boot clock, carried on over restarts, so that ages never depend on the date.
///
/// Within one boot it goes on exactly. Over a reboot, the time switched off counts only if the clock was synchronised both
/// before and at the start; else it stands still meanwhile, and a node that wakes in 1970 expires nothing for it. The date
/// never changes an age: it is added to store time when a message leaves.
public final class StoreClock {
    private let clock: any Clock
    private let bootAtStart: Int64
    private let storeAtStart: Int64
    /// The date counts as set from here on: no clock that was ever set says less. 2025-01-01.
    private static let earliestSetDate: Int64 = 1_735_689_600_000

    /// - Parameters:
    ///   - last: the run before, if there was one.
    ///   - newest: store time of the newest segment on disk; time never falls behind it, nor behind what the run before
    ///     wrote of itself.
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
        look()
    }

    /// Store time, milliseconds.
    public var now: Int64 { time(at: clock.now) }

    public func time(at instant: Instant) -> Int64 { storeAtStart + instant.milliseconds - bootAtStart }

    /// How far a date can be trusted.
    enum Trust: Int, Comparable {
        case never, set, synchronised

        static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    }

    private var best: (offset: Int64, trust: Trust) = (0, .never)

    /// Looks at the machine's clock: call it now and then. What it says is taken only if it is as trustworthy as what it said
    /// before in this boot: a clock that was synchronised and is set back to 1970 dates nothing in 1970.
    func look() {
        let wall = clock.wallMilliseconds
        let trust: Trust = clock.isSynchronised ? .synchronised : wall >= Self.earliestSetDate ? .set : .never
        if trust >= best.trust { best = (wall - now, trust) }
    }

    /// Wall clock minus store time, milliseconds.
    public var wallOffset: Int64 {
        look()
        return best.offset
    }

    /// The clock was set at some time of this boot: it is synchronised, or shows a date that only a clock that was set can
    /// show.
    public var isSet: Bool {
        look()
        return best.trust > .never
    }

    /// `wallOffset` is from a synchronised clock.
    public var isSynchronised: Bool {
        look()
        return best.trust == .synchronised
    }

    public var bootID: String { clock.bootID }
    public var bootMilliseconds: Int64 { clock.now.milliseconds }
}
