/// Dates as the device state's `lastOnlineTime` has them.
enum RFC3339 {
    /// "2026-11-28T15:04:05Z"
    ///
    /// - Parameter milliseconds: since 1970 UTC, not negative.
    static func text(_ milliseconds: Int64) -> String {
        let seconds = Int(milliseconds / 1000)
        let second = seconds % 86_400
        // Days to a date, counting years from 1 March so that the leap day comes last.
        let shifted = seconds / 86_400 + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let year = era * 400 + yearOfEra + (month >= 10 ? 1 : 0)
        return "\(year)-\(two((month + 2) % 12 + 1))-\(two(day))T"
            + "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))Z"
    }

    private static func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
