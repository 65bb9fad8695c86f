/// A moment as the calendar has it, in UTC: what dates in logs, headers and messages are written from.
public struct CivilTime {
    /// Since 1970-01-01, a Thursday.
    public let dayNumber: Int
    public let year: Int
    /// From 1, as the day.
    public let month: Int
    public let day: Int
    public let hour: Int
    public let minute: Int
    public let second: Int
    public let millisecond: Int

    /// - Parameter milliseconds: since 1970 UTC; before it, negative. Not before the year 0.
    public init(milliseconds: Int64) {
        let (seconds, millisecond) = Int(milliseconds).floored(by: 1000)
        let (dayNumber, second) = seconds.floored(by: 86_400)
        // Days to a date, counting years from 1 March so that the leap day comes last.
        let (era, dayOfEra) = (dayNumber + 719_468).floored(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        self.dayNumber = dayNumber
        self.millisecond = millisecond
        year = era * 400 + yearOfEra + (month >= 10 ? 1 : 0)
        self.month = (month + 2) % 12 + 1
        day = dayOfYear - (153 * month + 2) / 5 + 1
        hour = second / 3600
        minute = second / 60 % 60
        self.second = second % 60
    }

    /// RFC 3339: "2026-11-28T15:04:05Z".
    public var text: String { "\(date)T\(time)Z" }

    /// The same to the millisecond: "2026-11-28T15:04:05.123Z".
    public var preciseText: String { "\(date)T\(time).\(millisecond.padded(to: 3))Z" }

    private var date: String { "\(year.padded(to: 4))-\(month.padded(to: 2))-\(day.padded(to: 2))" }

    /// "15:04:05"
    public var time: String { "\(hour.padded(to: 2)):\(minute.padded(to: 2)):\(second.padded(to: 2))" }

    /// The day of the month in two digits.
    public var twoDigitDay: String { day.padded(to: 2) }
}

extension Int {
    fileprivate func floored(by divisor: Int) -> (Int, Int) {
        let (quotient, rest) = quotientAndRemainder(dividingBy: divisor)
        return rest < 0 ? (quotient - 1, rest + divisor) : (quotient, rest)
    }

    fileprivate func padded(to width: Int) -> String {
        let text = String(self)
        return String(repeating: "0", count: Swift.max(width - text.count, 0)) + text
    }
}
