/// What will happen, in order of time; at the same time in the order in which it was planned.
struct Agenda {
    private struct Entry {
        var time: Int64
        var order: UInt64
        var body: () -> Void

        func isBefore(_ other: Entry) -> Bool { (time, order) < (other.time, other.order) }
    }

    private var heap: [Entry] = []
    private var lastOrder: UInt64 = 0

    /// Nanoseconds of simulated time.
    var next: Int64? { heap.first?.time }

    mutating func plan(at time: Int64, _ body: @escaping () -> Void) {
        lastOrder += 1
        heap.append(Entry(time: time, order: lastOrder, body: body))
        var index = heap.count - 1
        while index > 0, heap[index].isBefore(heap[(index - 1) / 2]) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// Takes the first entry if it is due at `time`.
    mutating func take(at time: Int64) -> (() -> Void)? {
        guard let first = heap.first, first.time <= time else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return first.body
    }

    private mutating func sink() {
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count && heap[child].isBefore(heap[least]) {
                least = child
            }
            guard least != index else { return }
            heap.swapAt(index, least)
            index = least
        }
    }
}
