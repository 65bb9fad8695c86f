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
            while used > target, let stream = try nextVictim(among: { _ in true }) {
                try evictOldest(of: stream, into: &lost)
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
        var routes: [String: (used: Int, budget: Int64)] = [:]
        for counter in counters.values {
            guard let record = counter.record, record.budgetBytes < .max, case .route(let name) = record.kind else {
                continue
            }
            let before = routes[name] ?? (0, .max)
            routes[name] = (before.used + counter.bytes, min(before.budget, record.budgetBytes))
        }
        for (name, route) in routes.sorted(by: { $0.key < $1.key }) where route.used > route.budget {
            let target = Int(route.budget - route.budget / 50)
            var used = route.used
            while used > target, let stream = try nextVictim(among: { $0.kind == .route(name) }) {
                let before = counters[stream]?.bytes ?? 0
                try evictOldest(of: stream, into: &lost)
                used -= before - (counters[stream]?.bytes ?? 0)
            }
        }
    }

    /// The stream with the oldest segment of the lowest class.
    private func nextVictim(among eligible: (StreamRecord) -> Bool) throws(SQLiteError) -> Int64? {
        var best: (stream: Int64, evictionClass: EvictionClass, receivedAt: Int64)?
        for (stream, counter) in counters where counter.messages > 0 {
            guard let record = counter.record, eligible(record) else { continue }
            if let best, best.evictionClass < record.evictionClass { continue }
            guard let oldest = try oldest(of: stream) else { continue }
            if let best, best.evictionClass == record.evictionClass,
                (best.receivedAt, best.stream) < (oldest.receivedAt, stream)
            {
                continue
            }
            best = (stream, record.evictionClass, oldest.receivedAt)
        }
        return best?.stream
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
