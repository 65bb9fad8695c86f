import CLinux
import Glibc

/// The machine's clocks.
public final class SystemClock: Clock {
    /// Read once; empty where /proc is not mounted.
    public let bootID: String

    public init() {
        bootID = SystemClock.readBootID()
    }

    public var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    public var wallMilliseconds: Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    /// The kernel is asked once a second: the answer changes seldom, and it is wanted for every message that leaves.
    public var isSynchronised: Bool {
        let now = now
        if asked.map({ now - $0.at >= .seconds(1) }) ?? true { asked = (linux_clock_is_synchronised(), now) }
        return asked?.answer ?? false
    }

    private var asked: (answer: Bool, at: Instant)?

    private static func readBootID() -> String {
        let file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(file, &bytes, bytes.count)
        guard count > 0 else { return "" }
        return String(decoding: bytes[..<count].prefix { $0 > 0x20 }, as: UTF8.self)
    }
}
