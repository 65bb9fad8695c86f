import CSQLite

/// Makes what was saved a whole database again: every reference leads somewhere, every counter is right, and what is missing
/// is known by number.
extension Salvage {
    /// The streams' records as far as they are known by now, without counting.
    func learnStreams() throws(SQLiteError) {
        let counted = target.counters
        try target.countAll()
        for (stream, counter) in counted where target.counters[stream] != nil {
            target.counters[stream]?.lastKey = counter.lastKey
            target.counters[stream]?.lastNumber = counter.lastNumber
        }
    }

    func mend() throws(SQLiteError) {
        let connection = target.connection
        try makeRuns()
        try nameStreams()
        // What belonged to a session that is gone would be another's, once its number comes again.
        try connection.execute(
            """
            DELETE FROM subscription WHERE session NOT IN (SELECT id FROM session);
            DELETE FROM inbound WHERE session NOT IN (SELECT id FROM session);
            DELETE FROM outbound WHERE session NOT IN (SELECT id FROM session);
            DELETE FROM position WHERE session NOT IN (SELECT id FROM session)
                OR stream NOT IN (SELECT id FROM stream);
            """)
        let known = try highestKnown()
        try connection.execute("UPDATE stream SET counted_to = id << \(Schema.numberBits), messages = 0, bytes = 0")
        try target.countAll()
        for stream in target.counters.keys.sorted() { try reportLoss(in: stream, highest: known[stream] ?? 0) }
        try endRuns()
        target.touched.formUnion(target.counters.keys)
        try target.writeCounters(all: true)
    }

    /// Up to where each stream's numbers went: what its counters said, the writer that was there, and the end of its run.
    private func highestKnown() throws(SQLiteError) -> [Int64: UInt64] {
        var highest = expected
        var streams: [[UInt8]: Int64] = [:]
        try target.rows("SELECT id, counted_to, route, run, lane FROM stream") {
            let stream = $0.integer(0)
            let number = UInt64($0.integer(1) & SegmentRow.numberMask)
            highest[stream] = max(highest[stream] ?? 0, number)
            streams[
                EndedRecord(
                    route: $0.text(2), run: $0.integer(3), lane: UInt16(truncatingIfNeeded: $0.int(4)), last: nil, at: 0
                ).key] = stream
        }
        try target.rows("SELECT key, value FROM state WHERE kind = \(StateKind.ended.rawValue)") {
            guard let last = EndedRecord(key: $0.bytes(0), value: $0.bytes(1))?.last, let stream = streams[$0.bytes(0)]
            else { return }
            highest[stream] = max(highest[stream] ?? 0, last)
        }
        return highest
    }

    /// Runs that are named but gone: their epoch is lost, so that a far end takes what comes of them for new.
    private func makeRuns() throws(SQLiteError) {
        var named: Set<Int64> = []
        try target.rows("SELECT run FROM stream") { named.insert($0.integer(0)) }
        try target.rows("SELECT kind, key, value FROM state") {
            switch StateKind(rawValue: $0.int(0)) {
            case .gap: if let gap = GapRecord(key: $0.bytes(1), value: $0.bytes(2)) { named.insert(gap.run) }
            case .ended: if let ended = EndedRecord(key: $0.bytes(1), value: $0.bytes(2)) { named.insert(ended.run) }
            default: break
            }
        }
        var newest: Int64 = 0
        try target.rows("SELECT max(received) FROM segment") { newest = $0.integer(0) }
        let insert = try target.connection.prepare(
            "INSERT OR IGNORE INTO run VALUES(?, ?, '', 0, ?, 0, 0, 0, 0)", persistent: false)
        for run in named {
            insert.bind(1, run)
            insert.bind(2, UInt64.random(in: 1 ... .max))
            insert.bind(3, newest)
            try insert.run()
            if target.connection.changes > 0 { report.lostRows += 1 }
        }
    }

    /// Segments of a stream whose record is gone wait under a name of their own: `roost queue` shows them, nobody sends them.
    /// Those of a mixed stream say themselves whom they are for.
    private func nameStreams() throws(SQLiteError) {
        var nameless: [Int64] = []
        try target.rows(
            """
            SELECT DISTINCT key >> \(Schema.numberBits) FROM segment
            WHERE key >> \(Schema.numberBits) NOT IN (SELECT id FROM stream)
            """
        ) { nameless.append($0.integer(0)) }
        guard !nameless.isEmpty else { return }
        var newest: Int64 = 0
        try target.rows("SELECT max(ordinal) FROM run") { newest = $0.integer(0) }
        let insert = try target.connection.prepare(
            "INSERT INTO stream(id, route, run, lane, class, ttl, budget) VALUES(?, ?, ?, 0, ?, ?, ?)",
            persistent: false)
        for stream in nameless {
            insert.bind(1, stream)
            let isMixed = try isMixed(stream)
            if isMixed { insert.bindNull(2) } else { insert.bind(2, "recovered/stream-\(stream)") }
            insert.bind(3, newest)
            insert.bind(4, (isMixed ? EvictionClass.session : .normal).rawValue)
            insert.bind(5, Int64.max)
            insert.bind(6, Int64.max)
            try insert.run()
            report.lostRows += 1
        }
    }

    private func isMixed(_ stream: Int64) throws(SQLiteError) -> Bool {
        guard let first = try target.headers(in: SegmentRow.keys(of: stream), limit: 1).first,
            let statements = target.statements
        else { return false }
        statements.index.bind(1, first.key)
        defer { statements.index.reset() }
        guard try statements.index.step() else { return false }
        var entries = SegmentIndex.Reader(Array(statements.index.bytes(0).dropLast(4)))
        for _ in 0..<first.count { _ = entries.next() }
        return !entries.rest.isAtEnd
    }

    /// What is missing between a stream's numbers, and was not told before.
    private func reportLoss(in stream: Int64, highest: UInt64) throws(SQLiteError) {
        guard let counter = target.counters[stream], let record = counter.record else { return }
        let rows = try target.headers(in: SegmentRow.keys(of: stream))
        var saved = SalvageReport.Stream(route: nil, id: record.id, run: record.run)
        if case .route(let name) = record.kind { saved.route = name }
        saved.messages = rows.reduce(0) { $0 + $1.count }
        var told = IntervalSet()
        try target.rows("SELECT key, value FROM state WHERE kind = \(StateKind.gap.rawValue)") {
            guard let gap = GapRecord(key: $0.bytes(0), value: $0.bytes(1)), gap.route == saved.route,
                gap.run == record.run, gap.lane == record.lane, gap.first <= gap.last
            else { return }
            told.insert(gap.first...gap.last)
        }
        var next = max(counter.trimmedBelow, 1)
        var time = rows.first?.receivedAt ?? 0
        var removals: [Removal] = []
        func lose(through last: UInt64, until: Int64) {
            guard next <= last else { return }
            var first = next
            for interval in told.intervals where interval.upperBound >= first && interval.lowerBound <= last {
                if interval.lowerBound > first { saved.lost.append(first...interval.lowerBound - 1) }
                first = interval.upperBound + 1
            }
            if first <= last { saved.lost.append(first...last) }
            while removals.count < saved.lost.count {
                let range = saved.lost[removals.count]
                removals.append(
                    Removal(
                        stream: record.id, first: range.lowerBound, last: range.upperBound, bytes: 0, reason: .corrupt,
                        from: time, to: until))
            }
        }
        let isLossy = segmentsAreLossy
        for row in rows {
            if isLossy, row.first > 0 { lose(through: row.first - 1, until: row.receivedAt) }
            next = max(next, row.last + 1)
            time = row.receivedAt
        }
        if isLossy { lose(through: highest, until: time) }
        try target.writeGaps(removals)
        if saved.messages > 0 || !saved.lost.isEmpty { report.streams.append(saved) }
        report.removals += removals
    }

    /// Where news of ended runs may be among what is lost, the far end shall know that their ends are uncertain.
    private func endRuns() throws(SQLiteError) {
        guard segmentsAreLossy || isLossy("state") || isLossy("stream") || isLossy("run") else { return }
        var ended: Set<[UInt8]> = []
        try target.rows("SELECT key FROM state WHERE kind = \(StateKind.ended.rawValue)") { ended.insert($0.bytes(0)) }
        var current: Int64 = 0
        try target.rows("SELECT max(ordinal) FROM run") { current = $0.integer(0) }
        for counter in target.counters.values {
            guard let record = counter.record, case .route(let route) = record.kind else { continue }
            // The newest run is ended at the next start, by what its record says.
            guard record.run < current else { continue }
            let news = EndedRecord(route: route, run: record.run, lane: record.lane, last: nil, at: 0)
            guard !ended.contains(news.key) else { continue }
            try target.write(.ended, key: news.key, value: news.value)
        }
        // A clean end whose news may be lost is told as one without warning.
        let news = ended.contains { EndedRecord(key: $0, value: Array("? 0".utf8))?.run == current }
        if isLossy("state"), !news {
            try target.connection.execute("UPDATE run SET clean = 0 WHERE ordinal = \(current)")
        }
    }
}
