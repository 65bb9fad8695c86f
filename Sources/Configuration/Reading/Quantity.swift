/// Numbers with a unit: sizes in bytes, times, rates in bits a second.
enum Quantity {
    /// A number (digits, maybe a fraction) and its unit, spaces between them left out; nil if there is no number.
    static func split(_ text: String) -> (number: Double, whole: Int?, unit: String)? {
        let trimmed = text.drop(while: { $0 == " " })
        let digits = trimmed.prefix(while: { ("0"..."9").contains($0) || $0 == "." })
        guard let first = digits.first, first != ".", digits.last != ".", let number = Double(digits) else {
            return nil
        }
        let rest = trimmed.dropFirst(digits.count).drop(while: { $0 == " " })
        return (number, Int(digits), String(rest))
    }

    static let sizeUnits: [(name: String, factor: Int)] = [
        ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
        ("KB", 1000), ("kB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
    ]

    /// In bits.
    static let rateUnits: [(name: String, factor: Int)] = [
        ("bit", 1), ("kbit", 1000), ("Kbit", 1000), ("Mbit", 1_000_000), ("Gbit", 1_000_000_000),
        ("Kibit", 1 << 10), ("Mibit", 1 << 20), ("Gibit", 1 << 30),
    ]

    /// In nanoseconds.
    static let timeUnits: [(name: String, factor: Int)] = [
        ("ns", 1), ("us", 1000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000),
        ("min", 60_000_000_000), ("h", 3_600_000_000_000), ("d", 86_400_000_000_000), ("w", 604_800_000_000_000),
    ]

    /// The text as a whole number of the least unit; nil when it is none or does not fit.
    static func parse(_ text: String, units: [(name: String, factor: Int)], bare: Int) -> Int? {
        guard let (number, whole, unit) = split(text) else { return nil }
        guard let factor = unit.isEmpty ? bare : units.first(where: { $0.name == unit })?.factor else { return nil }
        if let whole {
            let (product, overflow) = whole.multipliedReportingOverflow(by: factor)
            return overflow ? nil : product
        }
        return Int(exactly: (number * Double(factor)).rounded())
    }

    static func bytes(_ text: String) -> Int? { parse(text, units: sizeUnits, bare: 1) }

    static func nanoseconds(_ text: String) -> Int? { parse(text, units: timeUnits, bare: 1_000_000_000) }

    /// "1Mbit", "1Mbit/s", or bytes a second: "64KiB/s".
    static func bitsPerSecond(_ text: String) -> Int? {
        let name = text.hasSuffix("/s") ? String(text.dropLast(2)) : text
        if let bits = parse(name, units: rateUnits, bare: 1) { return bits }
        // Bytes only with "/s": "64KiB" alone could be meant as anything.
        guard text.hasSuffix("/s"), let bytes = bytes(name) else { return nil }
        let (bits, overflow) = bytes.multipliedReportingOverflow(by: 8)
        return overflow ? nil : bits
    }

    /// In the largest binary unit that divides it.
    static func shownBytes(_ bytes: Int) -> String? {
        guard bytes > 0 else { return nil }
        let unit = sizeUnits[1...4].last { bytes.isMultiple(of: $0.factor) }
        return unit.map { "\(bytes / $0.factor)\($0.name)" }
    }

    /// In the largest unit up to a day that divides it.
    static func shownNanoseconds(_ nanoseconds: Int) -> String {
        let units = timeUnits.filter { $0.name != "min" && $0.name != "w" }
        guard nanoseconds > 0, let unit = units.last(where: { nanoseconds.isMultiple(of: $0.factor) }) else {
            return "0s"
        }
        return "\(nanoseconds / unit.factor)\(unit.name)"
    }

    static func shownBits(_ bits: Int) -> String? {
        guard bits > 0 else { return nil }
        let unit = rateUnits[2...4].last { bits.isMultiple(of: $0.factor) }
        return unit.map { "\(bits / $0.factor)\($0.name)" }
    }
}

extension Duration {
    /// A hundred years: more than anything is kept, and far from any overflow.
    static var longest: Duration { .seconds(36525 * 86400) }

    var wholeNanoseconds: Int {
        Int(components.seconds) * 1_000_000_000 + Int(components.attoseconds / 1_000_000_000)
    }
}
