import Glibc

/// The readings of one topic, one after the other, as JSON: a number that counts from 1, the time, and values that wander
/// slowly.
struct Readings {
    private static let head = Array(#"{"n":"#.utf8)

    private let series: Factory.Series
    private let device: String
    private var values: [Int]
    /// Of the latest reading.
    private(set) var number = 0

    init(_ series: Factory.Series, device: String) {
        self.series = series
        self.device = device
        values = series.quantities.map(\.start)
    }

    mutating func next(milliseconds: Int64) -> [UInt8] {
        number += 1
        var text = "{\"n\":\(number),\"time\":\"\(Self.time(milliseconds))\",\"device\":\"\(device)\""
        for (index, quantity) in series.quantities.enumerated() {
            values[index] = max(
                0, values[index] + Int.random(in: (quantity.onlyRises ? 0 : -quantity.step)...quantity.step))
            text += ",\"\(quantity.name)\":{\"value\":\(Self.hundredths(values[index])),\"unit\":\"\(quantity.unit)\"}"
        }
        return Array((text + "}").utf8)
    }

    /// The number in a reading's payload; nil for whatever is no reading.
    static func number(in payload: UnsafeRawBufferPointer) -> Int? {
        guard payload.starts(with: head) else { return nil }
        var number = 0
        for byte in payload.dropFirst(head.count).prefix(16) {
            guard (0x30...0x39).contains(byte) else { return number > 0 && byte == UInt8(ascii: ",") ? number : nil }
            number = number * 10 + Int(byte - 0x30)
        }
        return nil
    }

    /// "2026-11-24T06:21:03.412Z".
    static func time(_ milliseconds: Int64) -> String {
        var seconds = Int(milliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let date = "\(parts.tm_year + 1900)-\(padded(parts.tm_mon + 1, 2))-\(padded(parts.tm_mday, 2))"
        let clock = "\(padded(parts.tm_hour, 2)):\(padded(parts.tm_min, 2)):\(padded(parts.tm_sec, 2))"
        return "\(date)T\(clock).\(padded(Int32(milliseconds % 1000), 3))Z"
    }

    private static func padded(_ number: Int32, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private static func hundredths(_ value: Int) -> String { "\(value / 100).\(padded(Int32(value % 100), 2))" }
}
