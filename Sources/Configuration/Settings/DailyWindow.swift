/// A part of every day in local time, such as "22:00-06:00"; it may pass midnight.
public struct DailyWindow: Sendable, Equatable {
    /// Minutes since midnight, 0-1439.
    public var startMinute: Int
    /// The first minute outside, 0-1440.
    public var endMinute: Int

    public init(startMinute: Int, endMinute: Int) {
        self.startMinute = startMinute
        self.endMinute = endMinute
    }

    /// Whether a minute of the day (0-1439) is inside.
    public func contains(minute: Int) -> Bool {
        startMinute < endMinute
            ? minute >= startMinute && minute < endMinute
            : minute >= startMinute || minute < endMinute
    }

    public var description: String { "\(Self.clock(startMinute))-\(Self.clock(endMinute))" }

    init(_ text: String) throws(Refusal) {
        let refusal = Refusal("\"\(text)\" is not a part of the day (22:00-06:00)")
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let start = Self.minute(parts[0]), let end = Self.minute(parts[1]) else {
            throw refusal
        }
        guard start < 1440, start != end else { throw refusal }
        self.init(startMinute: start, endMinute: end)
    }

    private static func minute(_ text: Substring) -> Int? {
        let bytes = Array(text.utf8)
        guard bytes.count == 5, bytes[2] == UInt8(ascii: ":") else { return nil }
        let digits = [0, 1, 3, 4].map { Int(bytes[$0]) - 0x30 }
        guard digits.allSatisfy({ (0...9).contains($0) }) else { return nil }
        let (hour, minute) = (digits[0] * 10 + digits[1], digits[2] * 10 + digits[3])
        guard minute < 60, hour < 24 || (hour == 24 && minute == 0) else { return nil }
        return hour * 60 + minute
    }

    private static func clock(_ minute: Int) -> String {
        let (hour, rest) = minute.quotientAndRemainder(dividingBy: 60)
        return "\(hour < 10 ? "0" : "")\(hour):\(rest < 10 ? "0" : "")\(rest)"
    }
}
