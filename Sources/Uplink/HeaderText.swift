/// How the header's values are written: decimal numbers, 16 hex digits, times, and the lines of `gap` and `ended`.
enum HeaderText {
    static func hexadecimal(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// Exactly 16 hex digits.
    static func epoch(_ text: Substring) -> UInt64? {
        guard text.utf8.count == 16, text.utf8.first != UInt8(ascii: "+"), text.utf8.first != UInt8(ascii: "-") else {
            return nil
        }
        return UInt64(text, radix: 16)
    }

    /// Digits only, within 64 bits.
    static func decimal(_ text: Substring) -> UInt64? {
        guard let first = text.utf8.first, first >= UInt8(ascii: "0"), first <= UInt8(ascii: "9") else { return nil }
        return UInt64(text)
    }

    static func run(_ text: Substring) -> BatchRun? {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let epoch = epoch(parts[0]),
            let lane = decimal(parts[1]).flatMap({ UInt16(exactly: $0) })
        else { return nil }
        return BatchRun(epoch: epoch, lane: lane)
    }

    /// The node is a topic level: not empty, no separator, no wildcard.
    static func isTopicLevel(_ text: String) -> Bool {
        !text.isEmpty
            && !text.utf8.contains { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "#") }
    }
}

extension WallTime {
    var text: String { String(max(0, milliseconds)) + (isSet ? "" : "?") }

    init?(text: Substring) {
        let isSet = text.utf8.last != UInt8(ascii: "?")
        guard let number = HeaderText.decimal(isSet ? text : text.dropLast()), let value = Int64(exactly: number) else {
            return nil
        }
        self.init(milliseconds: value, isSet: isSet)
    }
}

extension BatchRun {
    /// 16 hex digits.
    public var epochText: String { HeaderText.hexadecimal(epoch) }

    /// `epoch/lane`.
    var text: String { HeaderText.hexadecimal(epoch) + "/" + String(lane) }
}

extension BatchGap {
    var text: String { "\(run.text) \(first)-\(last) \(reason) \(from.text)-\(to.text)" }

    init?(text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 4, let run = HeaderText.run(words[0]), !words[2].isEmpty else { return nil }
        let numbers = words[1].split(separator: "-", omittingEmptySubsequences: false)
        let times = words[3].split(separator: "-", omittingEmptySubsequences: false)
        guard numbers.count == 2, let first = HeaderText.decimal(numbers[0]), let last = HeaderText.decimal(numbers[1]),
            first > 0, first <= last, times.count == 2, let from = WallTime(text: times[0]),
            let to = WallTime(text: times[1])
        else { return nil }
        self.init(run: run, first: first, last: last, reason: String(words[2]), from: from, to: to)
    }
}

extension BatchEnded {
    var text: String { "\(run.text) \(last.map { String($0) } ?? "?") \(at.text)" }

    init?(text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, let run = HeaderText.run(words[0]), let at = WallTime(text: words[2]) else {
            return nil
        }
        guard words[1] != "?" else {
            self.init(run: run, last: nil, at: at)
            return
        }
        guard let last = HeaderText.decimal(words[1]) else { return nil }
        self.init(run: run, last: last, at: at)
    }
}
