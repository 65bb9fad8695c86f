import MQTT

/// What the proof publishes: the topics of each publisher, and each message's payload, which follows from its topic and
/// number, so that who receives it can tell whether it is the one that was sent.
final class Workload {
    struct Series {
        var topic: [UInt8]
        var qos: QoS
        /// Which publisher's it is.
        var publisher: Int
        /// The persistent session on the node wants it too.
        var isForSession: Bool
    }

    /// Where the payload's number begins.
    private static let head = Array(#"{"n":"#.utf8)
    /// Of the first message; any would do.
    private static let firstTime = 1_795_500_000_000
    /// QoS of a publisher's topics in turn: five at 1, three at 2, two at 0.
    private static let qualities: [QoS] = [
        .atLeastOnce, .exactlyOnce, .atLeastOnce, .atMostOnce, .atLeastOnce, .exactlyOnce, .atLeastOnce, .exactlyOnce,
        .atLeastOnce, .atMostOnce,
    ]

    let series: [Series]
    private var indices: [[UInt8]: Int] = [:]
    private var expected: [UInt8] = []

    /// - Parameters:
    ///   - topics: of each publisher.
    ///   - watched: the publishers whose messages the session on the node wants too.
    init(publishers: Int, topics: Int, watched: Range<Int>) {
        var series: [Series] = []
        for publisher in 0..<publishers {
            let line = watched.contains(publisher) ? "watched" : "line-\(publisher % 4)"
            for topic in 0..<topics {
                let quantity = topic % 7 == 0 ? "alarm" : "press-\(topic)"
                series.append(
                    Series(
                        topic: Array("prove/\(line)/machine-\(publisher)/\(quantity)/\(topic)".utf8),
                        qos: Self.qualities[topic % Self.qualities.count], publisher: publisher,
                        isForSession: watched.contains(publisher)))
            }
        }
        self.series = series
        for (index, series) in series.enumerated() { indices[series.topic] = index }
    }

    func name(_ index: Int) -> String { String(decoding: series[index].topic, as: UTF8.self) }

    /// What a received message is; nil: nothing that was ever sent.
    func identify(topic: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) -> (series: Int, number: UInt64)? {
        guard let index = indices[Array(topic)], let number = Self.number(in: payload) else { return nil }
        write(index, number, into: &expected)
        return expected.elementsEqual(payload) ? (index, number) : nil
    }

    /// The payload of that message, in the buffer's place: a reading of a machine as such readings are, about 140 bytes.
    func write(_ series: Int, _ number: UInt64, into bytes: inout [UInt8]) {
        bytes.removeAll(keepingCapacity: true)
        bytes += Self.head
        Self.append(Int(number), to: &bytes)
        bytes += #","time":"#.utf8
        Self.append(Self.firstTime + Int(number) * 250 + series, to: &bytes)
        bytes += #","device":"machine-"#.utf8
        Self.append(self.series[series].publisher, to: &bytes)
        bytes += #"","temperature":{"value":"#.utf8
        Self.append(hundredths: Self.value(series, number, around: 6_200, reach: 800), to: &bytes)
        bytes += #","unit":"C"},"pressure":{"value":"#.utf8
        Self.append(hundredths: Self.value(series &+ 7, number, around: 18_000, reach: 300), to: &bytes)
        bytes += #","unit":"bar"},"cycles":"#.utf8
        Self.append(4_200_000 + Int(number), to: &bytes)
        bytes.append(UInt8(ascii: "}"))
    }

    private static func number(in payload: UnsafeRawBufferPointer) -> UInt64? {
        guard payload.starts(with: head) else { return nil }
        var number: UInt64 = 0
        for byte in payload.dropFirst(head.count).prefix(16) {
            guard (0x30...0x39).contains(byte) else { return number > 0 ? number : nil }
            number = number * 10 + UInt64(byte - 0x30)
        }
        return nil
    }

    /// A slow wave with a little noise on it.
    private static func value(_ series: Int, _ number: UInt64, around middle: Int, reach: Int) -> Int {
        let phase = (Int(number) + series * 131) % (4 * reach)
        let wave = phase < 2 * reach ? phase - reach : 3 * reach - phase
        var noise = number &+ UInt64(series) &* 0x9E37_79B9_7F4A_7C15
        noise = (noise ^ (noise >> 30)) &* 0xBF58_476D_1CE4_E5B9
        return middle + wave + Int((noise >> 59) % 9)
    }

    private static func append(_ number: Int, to bytes: inout [UInt8]) {
        var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
        withUnsafeMutableBytes(of: &digits) { room in
            var place = room.count
            var rest = number
            repeat {
                place -= 1
                room[place] = 0x30 + UInt8(rest % 10)
                rest /= 10
            } while rest > 0
            bytes += room[place...]
        }
    }

    private static func append(hundredths value: Int, to bytes: inout [UInt8]) {
        append(value / 100, to: &bytes)
        bytes.append(UInt8(ascii: "."))
        if value % 100 < 10 { bytes.append(UInt8(ascii: "0")) }
        append(value % 100, to: &bytes)
    }
}
