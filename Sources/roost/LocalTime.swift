import Glibc

/// A moment as the machine's wall clock tells it, in the local time zone.
struct LocalTime {
    var milliseconds: Int64

    init(milliseconds: Int64) { self.milliseconds = milliseconds }

    static var now: (seconds: Int, nanoseconds: Int) {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return (time.tv_sec, time.tv_nsec)
    }

    /// "2026-11-24 05:41:31".
    var text: String { Self.format("%Y-%m-%d %H:%M:%S", seconds: Int(milliseconds / 1000)) }

    /// strftime(3), at most 256 bytes.
    static func format(_ format: String, seconds: Int) -> String {
        var time = seconds
        var parts = tm()
        localtime_r(&time, &parts)
        var text = [CChar](repeating: 0, count: 257)
        let count = strftime(&text, text.count, format, &parts)
        return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
