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
        if errors.count < 100 { errors.append(error) }
    }
}

extension Database {
    /// Verifies SQLite's own structure, every segment's checksums, packets and index, and the streams' counters. Reads all
    /// there is; changes nothing.
    public func checkIntegrity() throws(StoreError) -> StoreCheck {
        var check = StoreCheck()
        do throws(SQLiteError) {
            try rows("PRAGMA integrity_check(100)") {
                if $0.text(0) != "ok" { check.note("database: \($0.text(0))") }
            }
        } catch { check.note("database: \(error.message)") }
        var sums: [Int64: (messages: Int, bytes: Int)] = [:]
        try forEachRow { row, result in
            check.segments += 1
            check.messages += row.count
            check.bytes += row.raw
            let sum = sums[row.stream] ?? (0, 0)
            sums[row.stream] = (sum.messages + row.count, sum.bytes + row.raw)
            switch result {
            case .success(let segment):
                if let fault = segment.fault { check.note(Self.describe(row, fault)) }
            case .failure(let fault): check.note(Self.describe(row, fault))
            }
        } unreadable: {
            check.note("segments: \($0)")
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

    /// Every segment that verifies, by stream and number: for export, on a database open for reading only too.
    public func forEachSegment(_ body: (StreamRecord, StoredSegment) -> Void) throws(StoreError) {
        try forEachRow { row, result in
            guard let counter = counters[row.stream], row.last >= counter.trimmedBelow else { return }
            if case .success(let segment) = result, let record = counter.record { body(record, segment) }
        } unreadable: { _ in
        }
    }

    private func forEachRow(
        _ body: (SegmentRow, Result<StoredSegment, SegmentFault>) -> Void, unreadable: (String) -> Void
    ) throws(StoreError) {
        guard let statements else { return }
        statements.segments.bind(1, 0)
        statements.segments.bind(2, Int64.max)
        defer { statements.segments.reset() }
        do throws(SQLiteError) {
            while try statements.segments.step() {
                let row = SegmentRow(statements.segments)
                body(row, verify(row, statements.segments))
            }
        } catch { unreadable(error.message) }
    }

    private static func describe(_ row: SegmentRow, _ fault: SegmentFault) -> String {
        "stream \(row.stream), segment \(row.first)-\(row.last): \(fault.text)"
    }
}
