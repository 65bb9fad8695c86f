/// One stream of a route, and how far the route has come in it: everything to `cursor` is done with, and what was finished or
/// is in flight above it. Numbers may be sent and acknowledged in any order.
final class QueueLane {
    let stream: LogStream
    /// Everything to here is done with: acknowledged, or never to be sent.
    private(set) var cursor: UInt64
    /// Done with, above the cursor.
    private(set) var finished: IntervalSet
    /// Done with or in flight, above the cursor.
    private var passed: IntervalSet
    /// Numbers finished out of their order since the last `takeChanges`: one of each stretch.
    private var news: [UInt64] = []
    /// The position on disk names finished numbers.
    private var isPositionStored: Bool

    init(_ stream: LogStream) {
        self.stream = stream
        cursor = stream.first - 1
        finished = stream.storedFinished
        isPositionStored = !finished.isEmpty
        passed = IntervalSet()
        finished.remove(through: cursor)
        if let end = finished.takePrefix(after: cursor) { cursor = end }
        passed = finished
    }

    /// The first number that isn't done with.
    var first: UInt64 { max(cursor + 1, stream.first) }
    /// How many are not done with.
    var waiting: Int { stream.next > first ? Int(stream.next - first - min(finished.count, stream.next - first)) : 0 }
    /// How many of them are not in flight.
    var unsent: Int { stream.next > first ? Int(stream.next - first - min(passed.count, stream.next - first)) : 0 }
    var isDrained: Bool { cursor + 1 >= stream.next }

    /// The lowest number that is neither done with nor in flight; `stream.next` where there is none.
    var lowestUnsent: UInt64 { passed.firstMissing(from: cursor + 1) }

    /// The highest unbroken run of such numbers.
    var highestUnsent: ClosedRange<UInt64>? { passed.lastGap(from: first, below: stream.next) }

    /// The lowest of these numbers that is neither done with nor in flight.
    func firstUnsent(in numbers: ClosedRange<UInt64>) -> UInt64? {
        let number = passed.firstMissing(from: max(numbers.lowerBound, cursor + 1))
        return number <= numbers.upperBound ? number : nil
    }

    func nextUnsent(after number: UInt64) -> UInt64 { passed.firstMissing(from: max(number, cursor) + 1) }

    func isUnsent(_ number: UInt64) -> Bool { number > cursor && number < stream.next && !passed.contains(number) }
    func isFinished(_ number: UInt64) -> Bool { number <= cursor || finished.contains(number) }

    /// The message is on its way.
    func send(_ number: UInt64) { if number > cursor { passed.insert(number) } }

    /// What is in flight is to be sent again.
    func rewind() { passed = finished }

    /// These are done with. Their places in the stream's tail are given up.
    func finish(_ range: ClosedRange<UInt64>) {
        // The stream's own first number moves with what is passed.
        let first = first
        let lower = max(range.lowerBound, first)
        guard lower <= range.upperBound else { return advance(to: range.upperBound) }
        var number = max(lower, stream.tailFirst)
        while number <= range.upperBound, number < stream.next {
            stream.pass(number)
            number += 1
        }
        if lower == first {
            advance(to: range.upperBound)
        } else {
            finished.insert(lower...range.upperBound)
            passed.insert(lower...range.upperBound)
            if news.last.map({ finished.interval(containing: $0)?.contains(lower) != true }) ?? true {
                news.append(lower)
            }
        }
    }

    private func advance(to number: UInt64) {
        guard number > cursor else { return }
        cursor = number
        finished.remove(through: cursor)
        if let end = finished.takePrefix(after: cursor) { cursor = end }
        passed.remove(through: cursor)
        stream.forget(below: cursor + 1)
    }

    /// Something was finished out of its order, which the disk doesn't know.
    var hasNews: Bool { !news.isEmpty }

    /// The position, and what the disk may forget.
    func takeChanges() -> [Change] {
        let touched = news
        news = []
        guard stream.isRecorded, !touched.isEmpty, !finished.isEmpty || isPositionStored else { return [] }
        isPositionStored = !finished.isEmpty
        let position = Change.position(
            stream.record.id, .route, Position(cursor: cursor, finished: finished.intervals))
        guard stream.isOnDisk else { return [position] }
        guard touched.count <= Self.singleStretches else {
            return [position, .passed(stream.record.id, finished.intervals)]
        }
        var ranges: [ClosedRange<UInt64>] = []
        for number in touched.sorted() where number > cursor {
            guard let range = finished.interval(containing: number), range != ranges.last else { continue }
            ranges.append(range)
        }
        return ranges.isEmpty ? [position] : [position, .passed(stream.record.id, ranges)]
    }

    private static let singleStretches = 64
}
