import Glibc

/// A part of every day, in minutes of the node's local time; from a later minute to an earlier one it passes midnight.
public struct SendingWindow: Sendable, Equatable {
    /// 0-1439.
    public var startMinute: Int
    /// The first minute outside, 0-1440.
    public var endMinute: Int

    public init(startMinute: Int, endMinute: Int) {
        self.startMinute = startMinute
        self.endMinute = endMinute
    }

    func contains(_ second: Int) -> Bool {
        let (start, end) = (startMinute * 60, endMinute * 60)
        return start < end ? second >= start && second < end : second >= start || second < end
    }

    /// `22:00`.
    static func text(_ minute: Int) -> String {
        let (hour, rest) = minute.quotientAndRemainder(dividingBy: 60)
        return "\(hour < 10 ? "0" : "")\(hour):\(rest < 10 ? "0" : "")\(rest)"
    }
}

/// When a route may send, by one or several windows.
///
/// What counts is what the clock on the wall shows: the minute that is skipped in spring isn't there, the hour that comes
/// twice in autumn is inside twice. While the clock was never set no window is open, for nobody knows. The clock is read
/// anew at every edge and at least once a minute: that is how late a step of the clock, or a new time zone, is noticed.
struct Schedule {
    let windows: [SendingWindow]
    private var isOpenNow = false
    private var checkAt: Int64 = .min
    private var opensAt: Int?
    private var isClockSet = false

    /// - Parameter windows: none: always open.
    init(_ windows: [SendingWindow]) { self.windows = windows }

    /// Milliseconds until the clock has to be looked at again, at most.
    private static let longest: Int64 = 60_000

    /// - Parameters:
    ///   - boot: milliseconds on the boot clock, which never steps.
    ///   - wall: ms since 1970 UTC; nil: the clock was never set.
    ///   - offset: local time minus UTC at a time in seconds since 1970, in seconds.
    mutating func isOpen(boot: Int64, wall: () -> Int64?, offset: (Int64) -> Int) -> Bool {
        guard !windows.isEmpty else { return true }
        guard boot >= checkAt else { return isOpenNow }
        guard let wall = wall() else {
            isClockSet = false
            isOpenNow = false
            opensAt = nil
            checkAt = boot + 1000
            return false
        }
        isClockSet = true
        let seconds = wall >= 0 ? wall / 1000 : 0
        let local = seconds + Int64(offset(seconds))
        let second = Int(((local % 86_400) + 86_400) % 86_400)
        isOpenNow = windows.contains { $0.contains(second) }
        let edges = windows.flatMap { [$0.startMinute, $0.endMinute % 1440] }
        let next = edges.map { Self.distance(from: second, to: $0 * 60) }.min() ?? 86_400
        checkAt = boot + min(Int64(next) * 1000 - wall % 1000, Self.longest)
        opensAt = windows.map(\.startMinute).min {
            Self.distance(from: second, to: $0 * 60) < Self.distance(from: second, to: $1 * 60)
        }
        return isOpenNow
    }

    /// When `isOpen` has to be asked again, milliseconds on the boot clock; nil: never.
    var nextCheck: Int64? { windows.isEmpty ? nil : checkAt }

    /// Why it is closed, in a person's words; nil: it is open.
    var text: String? {
        guard !windows.isEmpty, !isOpenNow, checkAt != .min else { return nil }
        guard isClockSet, let opensAt else { return "outside its window until the clock is set" }
        return "outside its window until \(SendingWindow.text(opensAt))"
    }

    /// Seconds from one time of the day to the next time it is `end`, 1-86400.
    private static func distance(from second: Int, to end: Int) -> Int {
        let distance = (end - second + 86_400) % 86_400
        return distance == 0 ? 86_400 : distance
    }
}

/// The node's local time.
public enum LocalClock {
    /// Local time minus UTC at `seconds` since 1970, in seconds, by TZ or /etc/localtime as they are now.
    public static func offset(at seconds: Int64) -> Int {
        tzset()
        var time = time_t(seconds)
        var parts = tm()
        guard localtime_r(&time, &parts) != nil else { return 0 }
        return parts.tm_gmtoff
    }
}
