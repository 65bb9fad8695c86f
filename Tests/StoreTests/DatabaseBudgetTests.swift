import Testing

@testable import Store

/// Space is given back, and what goes is what matters least.
@Suite struct DatabaseBudgetTests {
    private let directory = TemporaryDirectory()

    private func options(budget: Int) -> DatabaseOptions {
        var options = DatabaseOptions()
        options.budgetBytes = budget
        options.ballastBytes = 0
        options.durability = .relaxed
        return options
    }

    @Test func spaceIsUsedAgain() throws {
        let database = try Database.open(path: directory.path)
        _ = try database.commit(Sample.group(1, [], [.stream(Sample.route(1))]))
        var number: UInt64 = 1
        var sizes: [Int] = []

        for _ in 0..<50 {
            let groups = (0..<20).map { _ in
                defer { number += 10 }
                return Sample.group(number, [Sample.segment(1, number, count: 10, payload: 500, random: true)])
            }
            for group in groups { _ = try database.commit(group) }
            _ = try database.commit(Sample.group(number, [], [.trim(StreamID(rawValue: 1), below: number)]))
            try database.checkpoint()
            sizes.append(directory.size(of: "roost.db"))
        }

        #expect(try database.all(1).isEmpty)
        #expect(try database.counters(1)?.messages == 0)
        #expect(sizes.last == sizes[1])
        #expect(directory.size(of: "roost.db-wal") <= 2 * database.options.walBytes)
        try database.close()
    }

    @Test func trimTakesWholeSegmentsOnly() throws {
        let database = try Database.open(path: directory.path)
        _ = try database.commit(
            Sample.group(
                1, [1, 11, 21].map { Sample.segment(1, $0, count: 10) } + [Sample.segment(2, 1, count: 10)],
                [.stream(Sample.route(1)), .stream(Sample.route(2))]))

        _ = try database.commit(Sample.group(2, [], [.trim(StreamID(rawValue: 1), below: 20)]))
        #expect(try database.all(1).map(\.first) == [11, 21])
        _ = try database.commit(Sample.group(3, [], [.trim(StreamID(rawValue: 1), below: 21)]))
        _ = try database.commit(Sample.group(4, [], [.trim(StreamID(rawValue: 1), below: 5)]))

        #expect(try database.all(1).map(\.first) == [21])
        #expect(try database.counters(1)?.trimmedBelow == 21)
        #expect(try database.counters(1)?.numbers == 21...30)
        #expect(try database.all(2).count == 1)
        try database.close()
    }

    @Test func theLowestClassGoesFirstAndTheOldestOfIt() throws {
        let database = try Database.open(path: directory.path, options: options(budget: 1 << 20))
        let classes: [EvictionClass] = [.critical, .bulk, .normal, .bulk, .session]
        _ = try database.commit(
            Sample.group(
                0, [],
                classes.enumerated().map { .stream(Sample.route(Int64($0) + 1, "cloud/\($0)", class: $1)) }))
        var removed: [Removal] = []
        var peak = 0

        for number in UInt64(1)...100 {
            let result = try database.commit(
                Sample.group(
                    number, (1...5).map { Sample.segment($0, number, payload: 4000, random: true, at: Int64(number)) }))
            removed += result.removed
            peak = max(peak, result.usedBytes)
            if Set(removed.map(\.stream.rawValue)).count == 3 { break }
        }

        // Sessions (stream 5) first, then bulk (2 and 4) evenly; then the test ends.
        let order = removed.map(\.stream.rawValue)
        let firstBulk = try #require(order.firstIndex { $0 != 5 })
        #expect(order[firstBulk...].allSatisfy { [2, 4, 5].contains($0) })
        #expect(removed.allSatisfy { $0.reason == .evicted && $0.first <= $0.last && $0.bytes > 0 })
        // One commit more may be in the WAL.
        #expect(peak <= (1 << 20) + 64_000)
        #expect(try database.counters(1)?.numbers?.lowerBound == 1)
        #expect(try database.counters(3)?.numbers?.lowerBound == 1)
        #expect(try database.checkIntegrity().ok)
        try database.close()
    }

    @Test func anEvictionAndItsGapAreOneTransaction() throws {
        let database = try Database.open(path: directory.path, options: options(budget: 300_000))
        _ = try database.commit(Sample.group(0, [], [.stream(Sample.route(1, run: 7))]))
        var removed: [Removal] = []
        var number: UInt64 = 0
        while removed.isEmpty {
            number += 1
            removed = try database.commit(
                Sample.group(number, [Sample.segment(1, number, payload: 4000, random: true)])
            ).removed
        }

        let left = directory.copyOfDatabase()
        let opened = try Database.open(path: left.path)
        let state = try opened.load()

        let gaps = state.states.compactMap { GapRecord(key: $0.key, value: $0.value) }
        #expect(gaps == [try #require(GapRecord(removed[0], in: Sample.route(1, run: 7)))])
        #expect(gaps.first?.first == 1)
        #expect(state.streams.first?.numbers == (removed[0].last + 1)...number)
        #expect(try opened.checkIntegrity().ok)
        try opened.close()
        try database.close()
    }

    @Test func refusingEvictsNothing() throws {
        var options = options(budget: 100_000)
        options.whenFull = .refuse
        let database = try Database.open(path: directory.path, options: options)

        for number in UInt64(1)...50 {
            let result = try database.commit(
                Sample.group(
                    number, [Sample.segment(1, number, payload: 4000, random: true)], [.stream(Sample.route(1))]))
            #expect(result.removed.isEmpty)
        }

        #expect(database.usedBytes > 200_000)
        #expect(try database.all(1).count == 50)
        try database.close()
    }

    @Test func aRoutesOwnBudgetSpansItsRuns() throws {
        let database = try Database.open(path: directory.path)
        _ = try database.commit(
            Sample.group(
                0, [Sample.segment(1, 1, count: 20, at: 0)],
                [
                    .stream(Sample.route(1, run: 1, budget: 10_000)), .stream(Sample.route(2, run: 2, budget: 10_000)),
                    .stream(Sample.route(3, "cloud/other")),
                ]))

        var removed: [Removal] = []
        for number in UInt64(1)...60 {
            removed += try database.commit(
                Sample.group(
                    number, [Sample.segment(2, number, at: 1000), Sample.segment(3, number, at: 1000)])
            ).removed
        }

        #expect(removed.first?.stream.rawValue == 1)
        #expect(removed.dropFirst().allSatisfy { $0.stream.rawValue == 2 })
        #expect(try database.counters(1)?.messages == 0)
        #expect(try database.counters(2)?.bytes ?? 0 <= 10_000)
        #expect(try database.counters(3)?.messages == 60)
        try database.close()
    }

    @Test func expiryTakesWhatIsOldThroughout() throws {
        let database = try Database.open(path: directory.path)
        _ = try database.commit(
            Sample.group(
                1,
                [
                    Sample.segment(1, 1, count: 10, at: 0), Sample.segment(1, 11, count: 10, at: 95),
                    Sample.segment(1, 21, at: 200), Sample.segment(2, 1, at: 0),
                ], [.stream(Sample.route(1, ttl: 1000)), .stream(Sample.route(2, "cloud/long", ttl: .max))]))

        #expect(try database.expire(now: 1009).isEmpty)
        let first = try database.expire(now: 1101)
        let second = try database.expire(now: .max)

        // Segment 11 holds messages to 104: it stays at 1101.
        #expect(first.map(\.first) == [1] && first.map(\.last) == [10] && first.map(\.reason) == [.expired])
        #expect(second.map(\.first) == [11] && second.map(\.last) == [21])
        #expect(try database.load().states.map(\.kind) == [.gap, .gap])
        #expect(try database.all(2).count == 1)
        #expect(try database.checkIntegrity().ok)
        try database.close()
    }

    @Test func countersAreRightAfterManyCommitsAndADeath() throws {
        let database = try Database.open(path: directory.path)
        _ = try database.commit(Sample.group(0, [], [.stream(Sample.route(1))]))
        for batch in UInt64(0)..<30 {
            _ = try database.commit(
                (1...100).map { Sample.group(batch * 100 + $0, [Sample.segment(1, batch * 100 + $0, payload: 10)]) })
        }
        _ = try database.commit(Sample.group(3001, [], [.trim(StreamID(rawValue: 1), below: 500)]))
        for number in UInt64(3001)...3010 {
            _ = try database.commit(Sample.group(number, [Sample.segment(1, number, payload: 10)]))
        }

        let left = directory.copyOfDatabase()
        let opened = try Database.open(path: left.path)

        // A hundred groups make one segment, and the one that holds 500 stays whole.
        #expect(try opened.counters(1)?.numbers == 401...3010)
        #expect(try opened.counters(1)?.messages == 2610)
        #expect(opened.uncounted == 10)
        #expect(try opened.checkIntegrity().ok)
        try opened.close()
        try database.close()
    }
}
