/// Numbers as people read them.
enum Quantities {
    /// "0 B", "1.5 KiB", "12 MiB": powers of 1024, as in roost.toml.
    static func bytes(_ count: Int64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]
        var value = Double(count)
        var unit = 0
        while value >= 1023.5 && unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return unit == 0 ? "\(count) B" : "\(short(value)) \(units[unit])"
    }

    /// "0 s", "45 s", "3 min 20 s", "2 h 5 min", "4 d 3 h"; "-" for nothing.
    static func duration(seconds: Double?) -> String {
        guard let seconds, seconds.isFinite else { return "-" }
        if seconds < 10 && seconds != seconds.rounded() { return "\(tenths(seconds)) s" }
        let whole = Int64(max(0, min(seconds, 1e15)))
        switch whole {
        case ..<60: return "\(whole) s"
        case ..<3600: return join(whole / 60, "min", whole % 60, "s")
        case ..<86400: return join(whole / 3600, "h", whole % 3600 / 60, "min")
        default: return join(whole / 86400, "d", whole % 86400 / 3600, "h")
        }
    }

    /// "1,234,567".
    static func count(_ number: Int64) -> String {
        var text = ""
        let digits = String(number.magnitude)
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return number < 0 ? "-" + text : text
    }

    /// "1 message", "1,234 messages", "2 batches".
    static func counted(_ number: some BinaryInteger, _ thing: String) -> String {
        "\(count(Int64(number))) \(thing)\(number == 1 ? "" : thing.hasSuffix("ch") ? "es" : "s")"
    }

    private static func join(_ large: Int64, _ largeUnit: String, _ small: Int64, _ smallUnit: String) -> String {
        small == 0 ? "\(large) \(largeUnit)" : "\(large) \(largeUnit) \(small) \(smallUnit)"
    }

    private static func short(_ value: Double) -> String {
        value < 9.95 ? tenths(value) : "\(Int64(value.rounded()))"
    }

    static func tenths(_ value: Double) -> String {
        let tenths = Int64((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }
}
