import CSQLite

/// What a look at every page and every segment found.
public struct StoreCheck: Sendable, Equatable {
    public var ok: Bool { errors.isEmpty }
    public var messages = 0
    /// Of packets, before compression.
    public var bytes = 0
    public var segments = 0
    /// For people, one line each; the first 100.
    public var errors: [String] = []

    public init() {}

    mutating func note(_ error: String) {
        if errors.count < 100, !errors.contains(error) { errors.append(error) }
    }
}

extension Database {
    /// Verifies SQLite's own structure, every page's and segment's checksums, packets and index, every row of the ordinary
    /// tables, and the streams' counters. Reads all there is, goes on behind what can't be read, and changes nothing.
    ///
    /// - Parameter progress: told the segments done, now and then.
    public func checkIntegrity(progress: ((Int) -> Void)? = nil) throws(StoreError) -> StoreCheck {
        var check = StoreCheck()
        do throws(SQLiteError) {
            try rows("PRAGMA integrity_check(100)") {
                for line in $0.text(0).split(separator: "\n") where line != "ok" && !line.hasPrefix("*** in database") {
                    check.note("database: \(line)")
                }
            }
        } catch { check.note("database: \(error.message)") }
        checkTables(&check)
        var sums: [Int64: (messages: Int, bytes: Int)] = [:]
        forEachRow { row, result in
            check.segments += 1
            check.messages += row.count
            check.bytes += row.raw
            let sum = sums[row.stream] ?? (0, 0)
            sums[row.stream] = (sum.messages + row.count, sum.bytes + row.raw)
            if check.segments % 256 == 0 { progress?(check.segments) }
            switch result {
            case .success(let segment):
                if let fault = segment.fault { check.note(Self.describe(row, fault)) }
            case .failure(let fault): check.note(Self.describe(row, fault))
            }
        } unreadable: {
            check.note($0)
        }
        for (stream, counter) in counters.sorted(by: { $0.key < $1.key }) {
            let sum = sums.removeValue(forKey: stream) ?? (0, 0)
            if sum != (counter.messages, counter.bytes) {
                check.note(
                    "stream \(stream): \(sum.messages) messages in \(sum.bytes) bytes, "
                        + "but its counters say \(counter.messages) in \(counter.bytes)")
            }
        }
        for stream in sums.keys.sorted() { check.note("stream \(stream): segments, but no record of it") }
        return check
    }

    /// What a database that doesn't even open has to say: the reason, and what a repair would save.
    public static func checkUnopened(path: String, because error: StoreError) -> StoreCheck {
        var check = StoreCheck()
        check.note("database: \(error.damageText)")
        guard error.isDamage, isOurs(path), let found = try? survey(path: path) else { return check }
        check.segments = found.segments
        check.messages = found.messages
        check.bytes = found.bytes
        check.note("database: \(found.summary)")
        return check
    }

    /// Every segment that verifies, by stream and number: for export, on a database open for reading only too.
    public func forEachSegment(_ body: (StreamRecord, StoredSegment) -> Void) throws(StoreError) {
        forEachRow { row, result in
            guard let counter = counters[row.stream], row.last >= counter.trimmedBelow else { return }
            if case .success(let segment) = result, let record = counter.record { body(record, segment) }
        } unreadable: { _ in
        }
    }

    private func checkTables(_ check: inout StoreCheck) {
        for table in RowShape.all.map(\.name) where table != "segment" {
            do throws(SQLiteError) {
                try rows("SELECT * FROM \(table)") { row in _ = row.withBytes(row.columnCount - 1) { $0.count } }
            } catch { check.note("table \(table): \(error.message)") }
        }
    }

    private func forEachRow(
        _ body: (SegmentRow, Result<StoredSegment, SegmentFault>) -> Void, unreadable: (String) -> Void
    ) {
        var next: Int64 = 0
        while true {
            do throws(SQLiteError) {
                return try forEachRow(from: &next, body)
            } catch {
                if let row = try? headers(in: next...Int64.max, limit: 1).first {
                    unreadable("stream \(row.stream), segment \(row.first)-\(row.last): \(error.message)")
                    next = row.key + 1
                } else if let row = readable(above: next, end: Int64.max) {
                    unreadable(
                        "segments from stream \(next >> Schema.numberBits) number \(next & SegmentRow.numberMask) "
                            + "to stream \(row.stream) number \(row.first): \(error.message)")
                    next = row.key
                } else {
                    return unreadable(
                        "segments from stream \(next >> Schema.numberBits) number \(next & SegmentRow.numberMask) on: "
                            + error.message)
                }
            }
        }
    }

    private func forEachRow(
        from next: inout Int64, _ body: (SegmentRow, Result<StoredSegment, SegmentFault>) -> Void
    ) throws(SQLiteError) {
        guard let statements else { return }
        statements.segments.bind(1, next)
        statements.segments.bind(2, Int64.max)
        defer { statements.segments.reset() }
        while try statements.segments.step() {
            let row = SegmentRow(statements.segments)
            next = row.key
            let result = verify(row, statements.segments)
            // A page of its packets that can't be read ends here, not at the step.
            if case .failure = result, let error = statements.segments.error { throw error }
            body(row, result)
            next = row.key + 1
        }
    }

    private static func describe(_ row: SegmentRow, _ fault: SegmentFault) -> String {
        "stream \(row.stream), segment \(row.first)-\(row.last): \(fault.text)"
    }
}
