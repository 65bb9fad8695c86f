/// Keeping to the byte budgets: a route's own, then the store's.
extension Database {
    /// Evicts until everything fits; what went.
    func enforceBudgets() throws(SQLiteError) -> [Removal] {
        var lost: [Int64: [SegmentRow]] = [:]
        try enforceRouteBudgets(&lost)
        let budget = options.budgetBytes
        var used = try fairlyUsed()
        if used > budget, evidenceBytes > 0, let directory {
            // What is kept of a damaged database goes before any message.
            _ = directory.trimEvidence(to: budget - (used - evidenceBytes))
            evidenceBytes = directory.evidence.reduce(0) { $0 + $1.bytes }
            used = try fairlyUsed()
        }
        if used > budget {
            // A little more than needed, or every commit would evict; not much, or one commit would take long.
            let target = budget - min(budget / 50, 4 << 20)
            // What nobody needs any more goes before what somebody does.
            while used > target, hasPassedSegments {
                try sweepStep()
                used = try fairlyUsed()
            }
            var victims = try victims(among: counters.keys)
            while used > target, let stream = victims.takeNext() {
                try evictOldest(of: stream, into: &lost)
                try add(stream, to: &victims)
                used = try fairlyUsed()
            }
        }
        var removals: [Removal] = []
        for (_, rows) in lost.sorted(by: { $0.key < $1.key }) {
            for row in rows { join(row, because: .evicted, to: &removals) }
        }
        try writeGaps(removals)
        return removals
    }

    /// The WAL counts with at least what it may grow to, so that the sum stays within the budget as it does; and with no more
    /// than twice that, since what one large transaction added leaves by itself.
    private func fairlyUsed() throws(SQLiteError) -> Int {
        let wal = max(options.walBytes, min(walBytes, 2 * options.walBytes))
        return try estimatedPages() + wal + ballastBytes + evidenceBytes
    }

    /// As they were counted a few commits ago, while nothing can have filled the budget since; near it they are counted.
    func estimatedPages() throws(SQLiteError) -> Int {
        let others = walBytes + 2 * options.walBytes + ballastBytes + evidenceBytes
        return pages.suffices(beside: others, budget: options.budgetBytes) ? pages.counted : try usedPages()
    }

    /// A route's budget is over all its runs and lanes, in bytes of packets as the queue's figures have them.
    private func enforceRouteBudgets(_ lost: inout [Int64: [SegmentRow]]) throws(SQLiteError) {
        for name in routeBudgets.takeDue() {
            let streams = routeBudgets.streams[name] ?? []
            var used = 0
            var budget = Int64.max
            for stream in streams {
                used += counters[stream]?.bytes ?? 0
                budget = min(budget, counters[stream]?.record?.budgetBytes ?? .max)
            }
            guard used > budget else { continue }
            let target = Int(budget - budget / 50)
            var victims = try victims(among: streams)
            while used > target, let stream = victims.takeNext() {
                let before = counters[stream]?.bytes ?? 0
                try evictOldest(of: stream, into: &lost)
                try add(stream, to: &victims)
                used -= before - (counters[stream]?.bytes ?? 0)
            }
        }
    }

    private func victims(among streams: some Sequence<Int64>) throws(SQLiteError) -> EvictionOrder {
        var found: [EvictionOrder.Place] = []
        for stream in streams { if let place = try place(of: stream) { found.append(place) } }
        return EvictionOrder(found)
    }

    private func add(_ stream: Int64, to victims: inout EvictionOrder) throws(SQLiteError) {
        if let place = try place(of: stream) { victims.insert(place) }
    }

    /// nil: nothing of it is on disk.
    private func place(of stream: Int64) throws(SQLiteError) -> EvictionOrder.Place? {
        guard let counter = counters[stream], counter.messages > 0, let record = counter.record,
            let oldest = try oldest(of: stream)
        else { return nil }
        return EvictionOrder.Place(
            evictionClass: record.evictionClass, receivedAt: oldest.receivedAt, stream: stream)
    }

    func oldest(of stream: Int64) throws(SQLiteError) -> SegmentRow? {
        if let known = counters[stream]?.oldest { return known }
        let row = try headers(in: SegmentRow.keys(of: stream), limit: 1).first
        counters[stream]?.oldest = row
        return row
    }

    private func evictOldest(of stream: Int64, into lost: inout [Int64: [SegmentRow]]) throws(SQLiteError) {
        guard let row = try oldest(of: stream) else { return }
        try removeSegments(of: stream, keys: row.key...row.key)
        lost[stream, default: []].append(row)
    }
}
