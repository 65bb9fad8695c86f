/// A clock that moves only when told to: simulated weeks in tests that take milliseconds.
public final class VirtualClock: Clock {
    public private(set) var now: Instant
    public var wallMilliseconds: Int64
    public var isSynchronised: Bool
    public var bootID: String

    /// - Parameters:
    ///   - now: the boot clock's first value.
    ///   - wallMilliseconds: the wall clock's; 2026-01-01 00:00 UTC when not given.
    public init(
        now: Instant = Instant(milliseconds: 10_000), wallMilliseconds: Int64 = 1_767_225_600_000,
        isSynchronised: Bool = true, bootID: String = "00000000-0000-4000-8000-000000000001"
    ) {
        self.now = now
        self.wallMilliseconds = wallMilliseconds
        self.isSynchronised = isSynchronised
        self.bootID = bootID
    }

    /// Moves both clocks on by `duration`, which must not be negative.
    public func advance(by duration: Duration) {
        precondition(duration >= .zero, "the boot clock never goes back")
        advance(to: now + duration)
    }

    /// Moves both clocks on to `instant`; an instant in the past changes nothing.
    public func advance(to instant: Instant) {
        guard instant > now else { return }
        wallMilliseconds += instant.milliseconds - now.milliseconds
        now = instant
    }

    /// A new boot: another identifier and a boot clock that starts over, while `wallMilliseconds` stays.
    public func reboot(bootID: String, now: Instant = Instant(milliseconds: 10_000)) {
        self.bootID = bootID
        self.now = now
    }
}
