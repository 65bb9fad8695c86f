import CSQLite
import Testing

@testable import Store

@Suite struct DatabaseReadTests {
    private let directory = TemporaryDirectory()

    private func database() throws -> Database {
        var options = DatabaseOptions()
        options.pageBytes = 4096
        let database = try Database.open(path: directory.path, options: options)
        _ = try database.commit(
            Sample.group(
                1,
                [
                    Sample.segment(1, 1, count: 3), Sample.segment(1, 4, count: 2), Sample.segment(1, 10, count: 5),
                    Sample.segment(2, 1),
                ], [.stream(Sample.route(1)), .stream(Sample.route(2, "cloud/other"))]))
        return database
    }

    @Test(arguments: [
        (UInt64(0), 1, [UInt64(1)]), (1, 1, [1]), (3, 1, [1]), (4, 1, [4]), (5, 1, [4]), (6, 1, [10]), (14, 1, [10]),
        (15, 1, []), (.max, 1, []), (0, .max, [1, 4, 10]), (2, 600, [1, 4]), (0, 0, [1]),
    ])
    func readBeginsWhereTheNumberIsAndEndsAtTheLimit(from: UInt64, maximum: Int, firsts: [UInt64]) throws {
        let database = try database()

        let (segments, removed) = try database.read(
            stream: StreamID(rawValue: 1), from: from, maximumBytes: maximum)

        #expect(segments.map(\.first) == firsts)
        #expect(removed.isEmpty)
    }

    /// What goes wrong with a row, as SQL on it.
    @Test(arguments: [
        "packets = zeroblob(length(packets))", "packets = substr(packets, 1, 40)", "packets = x''",
        "packets = packets || x'00'", "idx = zeroblob(length(idx))", "idx = x''", "count = count + 100",
        "raw = raw - 1", "raw = 1 << 50", "received = 0", "format = 77",
    ])
    func aCorruptSegmentIsSetAsideAndTheRestServed(damage: String) throws {
        try database().close()
        try Connection(path: directory.path + "/roost.db", flags: SQLITE_OPEN_READWRITE).execute(
            "UPDATE segment SET \(damage) WHERE key = (1 << 40) + 4")
        let database = try Database.open(path: directory.path)
        #expect(try !database.checkIntegrity().ok)

        let (segments, removed) = try database.read(stream: StreamID(rawValue: 1), from: 0, maximumBytes: .max)

        #expect(segments.map(\.first) == [1, 10])
        #expect(removed.map(\.reason) == [.corrupt])
        #expect(removed.first?.first == 4)
        #expect((5...9).contains(removed.first?.last ?? 0))
        #expect(try database.connection.integer("SELECT count(*) FROM quarantine") == 1)
        #expect(try database.load().states.map(\.kind) == [.gap])
        #expect(try database.counters(1)?.messages == 8)
        #expect(try database.checkIntegrity().ok)
        #expect(try database.read(stream: StreamID(rawValue: 1), from: 0, maximumBytes: .max).removed.isEmpty)
        try database.close()
    }

    @Test func bytesFlippedInTheFileAreFound() throws {
        try database().close()
        var file = directory.file("roost.db")
        // The second packet of segment 4: its LZ4 frame begins with the magic.
        let magic: [UInt8] = [0x04, 0x22, 0x4D, 0x18]
        let frames = file.indices.dropLast(4).filter { Array(file[$0..<$0 + 4]) == magic }
        try #require(frames.count == 4)
        for frame in frames { file[frame + 40] ^= 0x10 }
        directory.write(file, to: "roost.db")

        #expect(throws: StoreError.self) { try Database.open(path: directory.path) }
        let opening = try Database.openSalvaging(path: directory.path)
        let database = opening.database

        #expect(opening.salvage?.setAside == 4)
        #expect(opening.salvage?.removals.map(\.first) == [1, 1])
        #expect(opening.salvage?.removals.map(\.last) == [14, 1])
        #expect(try database.all(1).isEmpty && database.all(2).isEmpty)
        #expect(try database.connection.integer("SELECT count(*) FROM quarantine") == 4)
        #expect(try database.checkIntegrity().ok)
        try database.close()
    }

    @Test func aPageThatSQLiteCannotReadIsServedAround() throws {
        let database = try database()
        for first in stride(from: UInt64(100), to: 1000, by: 10) {
            _ = try database.commit(
                Sample.group(first, [Sample.segment(1, first, count: 10, payload: 100, random: true)]))
        }
        try database.close()
        let page = try Connection(path: directory.path + "/roost.db", flags: SQLITE_OPEN_READONLY).integer(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'segment'")
        // The root is an interior page of the tree: its first child is a leaf, and so is the third.
        var file = directory.file("roost.db")
        let root = Int(page - 1) * 4096
        try #require(file[root] == 5)
        let cell = root + Int(file[root + 12 + 4]) << 8 + Int(file[root + 12 + 5])
        let child = file[cell..<cell + 4].reduce(0) { $0 << 8 | Int($1) }
        file[(child - 1) * 4096] = 0xFF
        directory.write(file, to: "roost.db")

        let opened = try Database.open(path: directory.path)
        let (segments, removed) = try opened.read(stream: StreamID(rawValue: 1), from: 0, maximumBytes: .max)

        #expect(segments.count > 60)
        #expect(segments.last?.first == 990)
        #expect(!removed.isEmpty && removed.allSatisfy { $0.reason == .corrupt })
        #expect(try !opened.checkIntegrity().ok)
        opened.abandon()
    }
}
