/// Timers in a hierarchical wheel: eight levels of 64 slots, each level's slot as wide as the whole level below. A slot of
/// the lowest level is 2^20 ns (1.05 ms) wide, so eight levels span more than any `Instant`.
///
/// A timer sits at the level of the highest digit (base 64) in which its deadline differs from the wheel's own time. So
/// every timer of a level is due before every timer of the levels above, no slot ever wraps around, and the earliest
/// timer is in the first occupied slot of the lowest occupied level. Scheduling and cancelling take constant time; a timer
/// moves down at most once a level. Deadlines keep their nanoseconds: timers fire in deadline order, equal deadlines in
/// the order of scheduling.
struct TimingWheel {
    private static let tickShift: Int64 = 20
    private static let levels = 8
    private static let none: UInt32 = .max

    /// Places a node can be instead of a slot.
    private static let free: UInt16 = .max
    private static let due: UInt16 = .max - 1

    private struct Node {
        var deadline: Int64
        var sequence: UInt64
        var generation: UInt32
        var next: UInt32
        var previous: UInt32
        var slot: UInt16
        var body: (() -> Void)?
    }

    private struct Due {
        var deadline: Int64
        var sequence: UInt64
        var timer: Timer
    }

    /// The first timer of a slot, and the earliest deadline in it (`unknown` after that one has left).
    private struct Slot {
        var first: UInt32
        var earliest: Int64
    }

    private static let unknown: Int64 = -1

    private var nodes: [Node] = []
    private var firstFree: UInt32 = none
    private var slots = [Slot](repeating: Slot(first: none, earliest: unknown), count: levels * 64)
    private var occupied = [UInt64](repeating: 0, count: levels)
    private var elapsed: Int64
    private var lastSequence: UInt64 = 0
    private var dueTimers: [Due] = []
    private var nextDue = 0

    /// How many timers are scheduled.
    private(set) var count = 0

    init(now: Instant) {
        elapsed = max(0, now.nanoseconds) >> TimingWheel.tickShift
    }

    mutating func schedule(at deadline: Instant, _ body: @escaping () -> Void) -> Timer {
        let index: UInt32
        if firstFree != TimingWheel.none {
            index = firstFree
            firstFree = nodes[Int(index)].next
        } else {
            index = UInt32(nodes.count)
            nodes.append(
                Node(deadline: 0, sequence: 0, generation: 1, next: 0, previous: 0, slot: TimingWheel.free, body: nil))
        }
        lastSequence += 1
        nodes[Int(index)].deadline = max(0, deadline.nanoseconds)
        nodes[Int(index)].sequence = lastSequence
        nodes[Int(index)].body = body
        link(index)
        count += 1
        return Timer(index: index, generation: nodes[Int(index)].generation)
    }

    /// True when the timer was still to fire.
    @discardableResult
    mutating func cancel(_ timer: Timer) -> Bool {
        guard isScheduled(timer) else { return false }
        if nodes[Int(timer.index)].slot != TimingWheel.due { unlink(timer.index) }
        release(timer.index)
        return true
    }

    func body(of timer: Timer) -> (() -> Void)? {
        isScheduled(timer) ? nodes[Int(timer.index)].body : nil
    }

    func isScheduled(_ timer: Timer) -> Bool {
        guard timer.index < nodes.count else { return false }
        let node = nodes[Int(timer.index)]
        return node.generation == timer.generation && node.slot != TimingWheel.free
    }

    /// The earliest deadline of all, exactly. Takes a walk of one slot after its earliest timer has left, else constant
    /// time.
    mutating func nextDeadline() -> Instant? {
        while nextDue < dueTimers.count {
            if isScheduled(dueTimers[nextDue].timer) { return Instant(nanoseconds: dueTimers[nextDue].deadline) }
            nextDue += 1
        }
        guard let level = occupied.firstIndex(where: { $0 != 0 }) else { return nil }
        let slot = level * 64 + occupied[level].trailingZeroBitCount
        if slots[slot].earliest == TimingWheel.unknown {
            var earliest = Int64.max
            var index = slots[slot].first
            while index != TimingWheel.none {
                earliest = min(earliest, nodes[Int(index)].deadline)
                index = nodes[Int(index)].next
            }
            slots[slot].earliest = earliest
        }
        return Instant(nanoseconds: slots[slot].earliest)
    }

    /// Moves the wheel to `now` and sets aside what is due, for `popDue()`. What is scheduled after this waits for the
    /// next call, so a timer that schedules another without delay starves nobody.
    mutating func advance(to now: Instant) {
        dueTimers.removeFirst(nextDue)
        nextDue = 0
        let before = dueTimers.count
        let nowTick = max(0, now.nanoseconds) >> TimingWheel.tickShift
        while let level = occupied.firstIndex(where: { $0 != 0 }) {
            let digit = Int64(occupied[level].trailingZeroBitCount)
            let shift = Int64(6 * level)
            let above = shift + 6
            let start = ((elapsed >> above) << above) | (digit << shift)
            if start > nowTick { break }
            elapsed = max(elapsed, start)
            let slot = level * 64 + Int(digit)
            if level == 0 {
                setAside(slot: slot, until: now.nanoseconds)
                if occupied[0] & (1 << UInt64(digit)) != 0 { break }
            } else {
                cascade(slot: slot)
            }
        }
        elapsed = max(elapsed, nowTick)
        if dueTimers.count - before > 1 {
            dueTimers.sort { ($0.deadline, $0.sequence) < ($1.deadline, $1.sequence) }
        }
    }

    /// The next call that is due, now forgotten by the wheel; nil when all have run.
    mutating func popDue() -> (() -> Void)? {
        while nextDue < dueTimers.count {
            let timer = dueTimers[nextDue].timer
            nextDue += 1
            guard isScheduled(timer) else { continue }
            let body = nodes[Int(timer.index)].body
            release(timer.index)
            return body
        }
        dueTimers.removeAll(keepingCapacity: true)
        nextDue = 0
        return nil
    }

    // MARK: - Slots

    private mutating func setAside(slot: Int, until now: Int64) {
        var index = slots[slot].first
        while index != TimingWheel.none {
            let node = nodes[Int(index)]
            if node.deadline <= now {
                unlink(index)
                nodes[Int(index)].slot = TimingWheel.due
                dueTimers.append(
                    Due(
                        deadline: node.deadline, sequence: node.sequence,
                        timer: Timer(index: index, generation: node.generation)))
            }
            index = node.next
        }
    }

    private mutating func cascade(slot: Int) {
        var index = slots[slot].first
        slots[slot].first = TimingWheel.none
        slots[slot].earliest = TimingWheel.unknown
        occupied[slot >> 6] &= ~(1 << UInt64(slot & 63))
        while index != TimingWheel.none {
            let next = nodes[Int(index)].next
            link(index)
            index = next
        }
    }

    private mutating func link(_ index: UInt32) {
        let deadline = nodes[Int(index)].deadline
        let tick = max(deadline >> TimingWheel.tickShift, elapsed)
        let level = (63 - ((tick ^ elapsed) | 1).leadingZeroBitCount) / 6
        let slot = level * 64 + Int((tick >> Int64(6 * level)) & 63)
        let first = slots[slot].first
        nodes[Int(index)].slot = UInt16(slot)
        nodes[Int(index)].previous = TimingWheel.none
        nodes[Int(index)].next = first
        if first == TimingWheel.none {
            slots[slot].earliest = deadline
            occupied[level] |= 1 << UInt64(slot & 63)
        } else {
            nodes[Int(first)].previous = index
            if slots[slot].earliest != TimingWheel.unknown {
                slots[slot].earliest = min(slots[slot].earliest, deadline)
            }
        }
        slots[slot].first = index
    }

    private mutating func unlink(_ index: UInt32) {
        let node = nodes[Int(index)]
        let slot = Int(node.slot)
        if node.previous == TimingWheel.none {
            slots[slot].first = node.next
        } else {
            nodes[Int(node.previous)].next = node.next
        }
        if node.next != TimingWheel.none { nodes[Int(node.next)].previous = node.previous }
        if slots[slot].first == TimingWheel.none {
            occupied[slot >> 6] &= ~(1 << UInt64(slot & 63))
            slots[slot].earliest = TimingWheel.unknown
        } else if node.deadline == slots[slot].earliest {
            slots[slot].earliest = TimingWheel.unknown
        }
    }

    private mutating func release(_ index: UInt32) {
        nodes[Int(index)].body = nil
        nodes[Int(index)].generation &+= 1
        nodes[Int(index)].slot = TimingWheel.free
        nodes[Int(index)].next = firstFree
        firstFree = index
        count -= 1
    }
}
