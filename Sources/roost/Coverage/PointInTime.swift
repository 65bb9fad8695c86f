import Glibc

/// A moment as people type it: `2h` ago, `02:10` today or, if that is yet to come, yesterday, `2026-11-24`,
/// `2026-11-24 02:10:30`, or milliseconds since 1970 as everything else here has them.
struct PointInTime: Equatable {
    var milliseconds: Int64

    init?(_ text: String, now: Int = LocalTime.now.seconds) {
        if let seconds = Self.ago(text) {
            milliseconds = Int64(now - seconds) * 1000
            return
        }
        if text.utf8.count >= 12, let number = Int64(text), number > 0 {
            milliseconds = number
            return
        }
        guard let seconds = Self.local(text, now) else { return nil }
        milliseconds = Int64(seconds) * 1000
    }

    private static func ago(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let units = ["s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800]
        guard let unit = units[String(text[digits.endIndex...])], let number = Int(digits), number <= 1_000_000 else {
            return nil
        }
        return number * unit
    }

    /// A date, a time of day, or both with a space or a T between, in the local time zone.
    private static func local(_ text: String, _ now: Int) -> Int? {
        let words = text.split { $0 == " " || $0 == "T" }
        guard 1...2 ~= words.count else { return nil }
        var parts = tm()
        var time = now
        localtime_r(&time, &parts)
        parts.tm_hour = 0
        parts.tm_min = 0
        parts.tm_sec = 0
        parts.tm_isdst = -1
        let date = numbers(words[0], "-", [1970...9999, 1...12, 1...31])
        if let date, date.count == 3 {
            parts.tm_year = date[0] - 1900
            parts.tm_mon = date[1] - 1
            parts.tm_mday = date[2]
        }
        let hasDate = date?.count == 3
        if words.count == 2 || !hasDate {
            guard words.count == 1 || hasDate, let last = words.last,
                let clock = numbers(last, ":", [0...23, 0...59, 0...60]), clock.count >= 2
            else { return nil }
            parts.tm_hour = clock[0]
            parts.tm_min = clock[1]
            parts.tm_sec = clock.count == 3 ? clock[2] : 0
        }
        var day = parts
        let found = mktime(&day)
        guard !hasDate, found > now else { return found == -1 ? nil : found }
        parts.tm_mday -= 1
        let yesterday = mktime(&parts)
        return yesterday == -1 ? nil : yesterday
    }

    /// Numbers between separators, each in its range; nil where something isn't one.
    private static func numbers(_ text: Substring, _ separator: Character, _ ranges: [ClosedRange<Int32>]) -> [Int32]? {
        let words = text.split(separator: separator, omittingEmptySubsequences: false)
        guard words.count <= ranges.count else { return nil }
        var numbers: [Int32] = []
        for (word, range) in zip(words, ranges) {
            guard word.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int32(word), range.contains(number)
            else {
                return nil
            }
            numbers.append(number)
        }
        return numbers
    }
}
