import Testing

@testable import Store

/// What everybody has passed goes in steps, and is nobody's loss.
@Suite struct DatabaseSweepTests {
    private let directory = TemporaryDirectory()

    /// Segments of ten messages each.
    private func fill(_ database: Database, _ stream: Int64, segments: UInt64) throws {
        for first in stride(from: UInt64(1), to: segments * 10, by: 10) {
            _ = try database.commit(Sample.group(first, [Sample.segment(stream, first, count: 10)]))
        }
    }

    private func relaxed(budget: Int = 1 << 30) -> DatabaseOptions {
        var options = DatabaseOptions()
        options.durability = .relaxed
        options.budgetBytes = budget
        options.ballastBytes = 0
        return options
    }

    @Test func aLargeStreamGoesInSteps() throws {
        let database = try Database.open(path: directory.path, options: relaxed())
        _ = try database.commit(
            Sample.group(0, [], [.stream(Sample.route(1)), .stream(Sample.route(2, "cloud/kept"))]))
        try fill(database, 1, segments: 1500)
        try fill(database, 2, segments: 5)

        _ = try database.commit(Sample.group(1, [], [.streamRemoved(StreamID(rawValue: 1))]))
        #expect(database.hasPassedSegments)
        #expect(try database.load().streams.map(\.record.id.rawValue) == [2])
        #expect(try database.load().highestRemovedStream == 1)
        #expect(try database.checkIntegrity().ok)
        var exported = 0
        try database.forEachSegment { _, segment in exported += segment.count }
        #expect(exported == 50)

        // A death in the middle: it goes on where it was.
        let left = directory.copyOfDatabase()
        let opened = try Database.open(path: left.path, options: relaxed())
        var steps = 0
        while try opened.sweep() { steps += 1 }
        #expect((1...10).contains(steps))
        #expect(try opened.all(1).isEmpty)
        #expect(try opened.load().highestRemovedStream == 0)
        #expect(try opened.all(2).count == 5)
        #expect(try opened.checkIntegrity().ok)
        try opened.close()
        try database.close()
    }

    @Test func commitsGoOnBetweenTheSteps() throws {
        let database = try Database.open(path: directory.path, options: relaxed())
        _ = try database.commit(Sample.group(0, [], [.stream(Sample.route(1))]))
        try fill(database, 1, segments: 1500)
        var reports: [String] = []
        let store = StoreStep(database: database) {
            switch $0 {
            case .committed(let number, _, _): reports.append("committed \(number)")
            case .expired: reports.append("swept")
            default: reports.append("\($0)")
            }
        }

        store.submit(.commit(Sample.group(15001, [], [.trim(StreamID(rawValue: 1), below: 15001)])))
        store.step()
        store.step()
        store.submit(.commit(Sample.group(15002, [Sample.segment(1, 15001, count: 10)])))
        store.drain()

        #expect(reports == ["committed 15001", "committed 15002", "swept"])
        store.submit(.close)
        store.drain()
        let opened = try Database.open(path: directory.path)
        #expect(try opened.all(1).map(\.first) == [15001])
        #expect(try opened.counters(1)?.messages == 10)
        try opened.close()
    }

    /// The budget takes what nobody needs before what somebody does, and no gap names what was passed.
    @Test func passedSegmentsGoBeforeEviction() throws {
        let database = try Database.open(path: directory.path, options: relaxed(budget: 1 << 20))
        _ = try database.commit(
            Sample.group(0, [], [.stream(Sample.route(1)), .stream(Sample.route(2, "cloud/bulk", class: .bulk))]))
        for number in UInt64(1)...80 {
            _ = try database.commit(Sample.group(number, [Sample.segment(1, number, payload: 8000, random: true)]))
        }
        _ = try database.commit(Sample.group(81, [Sample.segment(2, 1)]))
        var removed: [Removal] = []

        // Passed ones make room for as much again ...
        _ = try database.commit(Sample.group(82, [], [.trim(StreamID(rawValue: 1), below: 79)]))
        for number in UInt64(81)...150 {
            removed += try database.commit(
                Sample.group(number, [Sample.segment(1, number, payload: 8000, random: true)])
            ).removed
        }
        #expect(removed == [])
        // ... and then the lowest class goes, bulk, and no more of it than there is.
        for number in UInt64(151)...260 {
            removed += try database.commit(
                Sample.group(number, [Sample.segment(1, number, payload: 8000, random: true)])
            ).removed
        }

        #expect(removed.filter { $0.stream.rawValue == 2 }.map(\.first) == [1])
        #expect(removed.first { $0.stream.rawValue == 1 }?.first == 79)
        try database.close()
    }

    @Test func aSegmentPassedInPartIsLostInPart() throws {
        let database = try Database.open(path: directory.path, options: relaxed())
        _ = try database.commit(
            Sample.group(1, [Sample.segment(1, 1, count: 10, at: 0)], [.stream(Sample.route(1, ttl: 1000))]))
        _ = try database.commit(Sample.group(2, [], [.trim(StreamID(rawValue: 1), below: 5)]))

        let removed = try database.expire(now: 5000)

        #expect(removed.map(\.first) == [5] && removed.map(\.last) == [10])
        let gaps = try database.load().states.compactMap { GapRecord(key: $0.key, value: $0.value) }
        #expect(gaps.map(\.first) == [5])
        try database.close()
    }
}
