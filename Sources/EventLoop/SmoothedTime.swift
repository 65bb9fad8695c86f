/// How long the far end usually takes to answer: the middle one of its last answers, of an even number the shorter of the
/// two in the middle.
///
/// A mean remembers one slow answer (a far end that was just starting, a link that stalled) for as many answers as it is slow,
/// and what is decided by it goes wrong for seconds. Here one slow answer among quick ones says nothing, not even the first;
/// a link that has become slow, or quick again, is believed after half of the answers that are kept.
public struct SmoothedTime {
    /// Answers that are kept.
    public static let kept = 8

    /// 0 before the first answer.
    public private(set) var milliseconds = 0.0
    /// Answers, in the order in which they came; the one at `next` is the oldest.
    private var answers = SIMD8<Float>(repeating: 0)
    private var next = 0
    private var count = 0

    public init() {}

    public var isEmpty: Bool { count == 0 }

    public mutating func add(_ time: Duration) {
        answers[next] = Float(time.nanoseconds) / 1_000_000
        next = (next + 1) % Self.kept
        count = min(count + 1, Self.kept)
        milliseconds = Double(middle)
    }

    private var middle: Float {
        // Sorted by insertion: they are few.
        var sorted = answers
        for index in 1..<max(count, 1) {
            let answer = sorted[index]
            var place = index
            while place > 0, sorted[place - 1] > answer {
                sorted[place] = sorted[place - 1]
                place -= 1
            }
            sorted[place] = answer
        }
        return sorted[(count - 1) / 2]
    }
}
