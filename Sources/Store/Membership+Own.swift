import DequeModule
import EventLoop

/// The numbers of a mixed stream that one session waits for, and what is particular to its messages there.
struct OwnNumbers {
    /// Ascending.
    fileprivate(set) var numbers: Deque<UInt64>
    private(set) var lastAppend: Instant
    private var bytes = 0
    private var messages = 0

    init(_ numbers: [UInt64], at instant: Instant) {
        self.numbers = Deque(numbers)
        lastAppend = instant
    }

    /// Of what came in this run; nil: nothing did.
    var averageBytes: Int? { messages == 0 ? nil : bytes / messages }

    mutating func append(_ number: UInt64, _ message: Message, at instant: Instant) {
        numbers.append(number)
        bytes += message.byteCount
        messages += 1
        lastAppend = instant
    }

    func contains(_ number: UInt64) -> Bool {
        let index = index(from: number)
        return index < numbers.count && numbers[index] == number
    }

    func first(from number: UInt64, except others: Set<UInt64>) -> UInt64? {
        var index = index(from: number)
        while index < numbers.count, others.contains(numbers[index]) { index += 1 }
        return index < numbers.count ? numbers[index] : nil
    }

    func awaitsUnsubmitted(of stream: LogStream) -> Bool { numbers.last.map { $0 >= stream.submittedBelow } ?? false }

    fileprivate func index(from number: UInt64) -> Int {
        // Mostly it is the first, or behind the last.
        guard let first = numbers.first, number > first else { return 0 }
        guard numbers[numbers.count - 1] >= number else { return numbers.count }
        return numbers.partitioningIndex(where: { $0 >= number })
    }
}

/// A place in a mixed stream: what lies between the session's own numbers counts as finished with them, so that the intervals
/// of its position stay few.
extension SessionQueue.Membership {
    /// A position on disk is only needed for what was submitted: what was finished before is not stored as the session's.
    func finishOwn(_ range: ClosedRange<UInt64>) {
        let taken = takeOwn(range)
        var isStored = false
        for number in taken {
            isStored = isStored || number < stream.submittedBelow
            pass(number)
        }
        if isStored { stream.log.positionChanged(self) }
    }

    func removedOwn(_ range: ClosedRange<UInt64>, because reason: Removal.Reason) {
        let taken = takeOwn(range)
        if reason == .evicted || reason == .corrupt { queue.lost += UInt64(taken.count) }
        for number in taken { pass(number) }
    }

    func passOwn() {
        let numbers = own?.numbers ?? []
        own?.numbers = []
        for number in numbers { pass(number) }
    }

    private func pass(_ number: UInt64) {
        if number < stream.submittedBelow { stream.closeDelivery(number) }
        stream.pass(number)
    }

    /// Takes the numbers in the range that are the session's from what it waits for.
    private func takeOwn(_ range: ClosedRange<UInt64>) -> [UInt64] {
        guard var own else { return [] }
        let lower = own.index(from: range.lowerBound)
        let upper = own.index(from: range.upperBound + 1)
        guard lower < upper else { return [] }
        self.own = nil
        let taken = Array(own.numbers[lower..<upper])
        if upper - lower == 1 { own.numbers.remove(at: lower) } else { own.numbers.removeSubrange(lower..<upper) }
        let next = lower < own.numbers.count ? own.numbers[lower] : nil
        if lower == 0 {
            cursor = max(cursor, next.map { $0 - 1 } ?? taken[taken.count - 1])
            finished.remove(through: cursor)
            if let end = finished.takePrefix(after: cursor) { cursor = end }
        } else {
            finished.insert(own.numbers[lower - 1] + 1...(next.map { $0 - 1 } ?? taken[taken.count - 1]))
        }
        self.own = own
        return taken
    }
}
