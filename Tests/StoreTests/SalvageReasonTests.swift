import Testing

@testable import Store

/// What a salvage says of numbers that aren't there.
@Suite struct SalvageReasonTests {
    /// Numbers that were evicted, or expired, before the damage came are not lost to it.
    @Test func whatWentBeforeTheDamageKeepsItsReason() throws {
        let directory = TemporaryDirectory()
        let database = try Database.open(path: directory.path)
        _ = try database.commit(
            Sample.group(1, [], [.run(DatabaseTests.run), .stream(Sample.route(1, "cloud/load", run: 3))]))
        func gap(_ first: UInt64, _ last: UInt64, _ reason: GapRecord.Reason) -> GapRecord {
            GapRecord(
                route: "cloud/load", run: 3, lane: 0, first: first, last: last, reason: reason, from: 5, to: 6)
        }
        let evicted = gap(201, 300, .evicted)
        let expired = gap(401, 410, .expired)
        for number in UInt64(1)...60 {
            let first = number * 10 + 1
            guard !(201...300).contains(first), !(401...410).contains(first) else { continue }
            _ = try database.commit(
                Sample.group(number + 1, [Sample.segment(1, first, count: 10, payload: 100, random: true)]))
        }
        _ = try database.commit(
            Sample.group(
                100, [],
                [evicted, expired].map { Change.state(.gap, key: $0.key, value: $0.value) }))
        let root = Int(try database.connection.integer("SELECT rootpage FROM sqlite_schema WHERE name = 'segment'"))
        let pageBytes = database.pageBytes
        try database.close()
        // The tree's root goes bad, and a leaf in the middle.
        var file = directory.file("roost.db")
        let leaves = (root..<file.count / pageBytes).filter { file[$0 * pageBytes] == 13 }
        let leaf = try #require(leaves.dropFirst(leaves.count / 2).first)
        for place in leaf * pageBytes + 8..<(leaf + 1) * pageBytes { file[place] = 0xEE }
        for place in (root - 1) * pageBytes..<root * pageBytes { file[place] = 0xEE }
        directory.write(file, to: "roost.db")

        let opening = try Database.openSalvaging(path: directory.path)
        let report = try opening.salvage ?? Self.salvage(opening.database)

        #expect(report.lostMessages > 0)
        let lost = report.streams.flatMap(\.lost)
        for range in lost { #expect(!range.overlaps(201...300) && !range.overlaps(401...410), "\(range)") }
        let again = try Database.openReadOnly(path: directory.path)
        let gaps = try again.load().states.filter { $0.kind == .gap }
            .compactMap { GapRecord(key: $0.key, value: $0.value) }
        #expect(Set(gaps).isSuperset(of: [evicted, expired]))
        for corrupt in gaps where corrupt.reason == .corrupt {
            #expect(corrupt.last < 201 || (corrupt.first > 300 && corrupt.last < 401) || corrupt.first > 410)
        }
        again.abandon()
    }

    /// The damage lies where opening doesn't look: met later, as the writer does.
    private static func salvage(_ database: Database) throws -> SalvageReport {
        let directory = try #require(database.directory)
        database.abandon()
        return try Database.salvage(in: directory, options: DatabaseOptions(), because: "found later")
    }
}
