/// Where a loop and what runs on it get their time. `SystemClock` is the machine's; `VirtualClock` is moved by hand, so
/// that a simulated week takes a second.
public protocol Clock: AnyObject {
    /// The boot clock.
    var now: Instant { get }

    /// Milliseconds since 1970-01-01 UTC, as the machine believes; it may step, and may be wrong by decades until
    /// `isSynchronised`.
    var wallMilliseconds: Int64 { get }

    /// Whether the kernel says that somebody (NTP, PTP) disciplines the wall clock.
    var isSynchronised: Bool { get }

    /// Names this boot of the machine (`/proc/sys/kernel/random/boot_id`): instants compare only within one boot.
    var bootID: String { get }
}
