import DequeModule

/// How many devices are connected to at a time: adapters have room for a few. First come, first served.
final class ConnectionSlots {
    private var free: Int
    private var waiting = Deque<(ticket: UInt64, take: () -> Void)>()
    private var last: UInt64 = 0

    init(_ count: Int) { free = count }

    /// Calls `take` once there is a slot, at once if there is one now; whoever was called gives it back by `release`.
    ///
    /// - Returns: what `cancel` takes.
    func request(_ take: @escaping () -> Void) -> UInt64 {
        last += 1
        waiting.append((last, take))
        let ticket = last
        serve()
        return ticket
    }

    /// Does nothing if the slot was taken.
    func cancel(_ ticket: UInt64) { waiting.removeAll { $0.ticket == ticket } }

    func release() {
        free += 1
        serve()
    }

    private func serve() {
        while free > 0, let next = waiting.popFirst() {
            free -= 1
            next.take()
        }
    }
}
