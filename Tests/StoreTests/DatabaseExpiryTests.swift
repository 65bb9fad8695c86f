import CSQLite
import Testing

@testable import Store

/// Messages that expire by their own Message Expiry Interval, where they wait.
@Suite struct DatabaseExpiryTests {
    private let directory = TemporaryDirectory()

    private func segment(_ first: UInt64, expiry: Int64) -> SegmentWrite {
        var segment = Sample.segment(1, first, count: 10, at: 0)
        segment.expiry = expiry
        return segment
    }

    @Test func whatHasExpiredThroughoutGoes() throws {
        let database = try Database.open(path: directory.path)
        _ = try database.commit(
            Sample.group(
                1,
                [
                    segment(1, expiry: 300), segment(21, expiry: 100), segment(41, expiry: .max),
                    segment(61, expiry: 90),
                ],
                [.stream(Sample.route(1))]))

        #expect(try database.expire(now: 89).isEmpty)
        let first = try database.expire(now: 100)
        let second = try database.expire(now: .max / 2)

        #expect(first.map(\.first) == [21, 61] && first.map(\.last) == [30, 70])
        #expect(first.allSatisfy { $0.reason == .expired })
        // By now the rest is older than the TTL as well.
        #expect(second.map(\.first) == [1, 41])
        let gaps = try database.load().states.compactMap { GapRecord(key: $0.key, value: $0.value) }
        #expect(gaps.map(\.reason) == [.expired, .expired, .expired, .expired])
        #expect(try database.counters(1)?.messages == 0)
        #expect(try database.checkIntegrity().ok)
        try database.close()
    }

    /// Of what doesn't expire, nothing is read, and nothing is kept in the index.
    @Test func theDueOnesAreFoundByTheIndex() throws {
        let database = try Database.open(path: directory.path)
        var plan = ""
        try database.rows(
            """
            EXPLAIN QUERY PLAN SELECT key, count, raw, received FROM segment
            WHERE format = \(SegmentRow.lz4Frame) AND expiry < \(Int64.max) AND expiry <= 5 ORDER BY expiry
            """
        ) { plan += $0.text(3) }

        #expect(plan == "SEARCH segment USING INDEX segment_expiry (expiry<?)")
        try database.close()
    }

    /// A database of schema 1 says when the first message of a segment expires, not the last: that removes none.
    @Test func anOlderDatabaseLosesNothing() throws {
        let path = directory.path + "/roost.db"
        let database = try Database.open(path: directory.path)
        _ = try database.commit(Sample.group(1, [segment(1, expiry: 100)], [.stream(Sample.route(1))]))
        try database.close()
        let older = try Connection(path: path, flags: SQLITE_OPEN_READWRITE)
        try older.execute("DROP INDEX segment_expiry; UPDATE segment SET format = 1; PRAGMA user_version = 1")
        older.close()

        let opened = try Database.open(path: directory.path)

        #expect(try opened.expire(now: 1000).isEmpty)
        #expect(try opened.all(1).map(\.count) == [10])
        #expect(try opened.checkIntegrity().ok)
        try opened.close()
    }

    @Test func manyAreRemovedInSteps() throws {
        let database = try Database.open(path: directory.path)
        _ = try database.commit(
            Sample.group(
                1, (0..<2000).map { segment(UInt64($0) * 20 + 1, expiry: Int64($0)) }, [.stream(Sample.route(1))]))

        var sizes: [Int] = []
        while case let removed = try database.expire(now: 2000), !removed.isEmpty { sizes.append(removed.count) }

        #expect(sizes == [Database.expireLimit, 2000 - Database.expireLimit])
        try database.close()
    }
}
