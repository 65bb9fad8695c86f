import CSQLite
import Glibc
import Testing

@testable import Store

/// Databases that older versions made, kept as files: each comes up whole.
@Suite struct UpgradeTests {
    private static let folder = #filePath.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" } + "/Databases"

    private func copy(_ name: String) -> TemporaryDirectory {
        let directory = TemporaryDirectory()
        let source = open("\(Self.folder)/\(name)", O_RDONLY)
        defer { close(source) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = read(source, &bytes, bytes.count)
        directory.write(Array(bytes.prefix(max(0, count))), to: "roost.db")
        return directory
    }

    private func expectAll(in database: Database) throws {
        let state = try database.load()
        #expect(state.runs == [DatabaseTests.run])
        #expect(state.sessions.map(\.record) == [DatabaseTests.session])
        #expect(state.sessions[0].subscriptions == [DatabaseTests.subscription])
        #expect(state.sessions[0].outbound == [DatabaseTests.outbound])
        #expect(state.retained.count == 21)
        #expect(state.states.map(\.kind) == [.will, .gap, .twin])
        // The first of 30 segments of ten is in quarantine, and its gap is told.
        #expect(state.streams.map(\.messages) == [3 + 290, 2])
        #expect(try database.all(1).map(\.first) == [1] + Array(stride(from: 110, to: 400, by: 10)))
        #expect(try database.connection.integer("SELECT count(*) FROM quarantine") == 1)
        #expect(try database.checkIntegrity().errors == [])
    }

    @Test func version1ComesUpWholeAndGetsChecksums() throws {
        let directory = copy("version-1.db")
        try #require(directory.file("roost.db")[20] == 0)

        let opening = try Database.openSalvaging(path: directory.path)

        #expect(opening.salvage == nil)
        try expectAll(in: opening.database)
        try opening.database.close()
        #expect(directory.file("roost.db")[20] == 8)
        #expect(
            try Connection(path: directory.path + "/roost.db", flags: SQLITE_OPEN_READONLY).integer(
                "PRAGMA user_version") == Int64(Schema.version))
        let again = try Database.open(path: directory.path)
        try expectAll(in: again)
        try again.close()
    }

    @Test func version1IsReadAsItIs() throws {
        let directory = copy("version-1.db")
        let before = directory.file("roost.db")

        let database = try Database.openReadOnly(path: directory.path)

        try expectAll(in: database)
        try database.close()
        #expect(directory.file("roost.db") == before)
    }

    /// What a death in the middle of an upgrade leaves, before and after the new file was whole.
    @Test(arguments: [0, 100, 5000, 60_000])
    func anUpgradeThatDiedStartsAgain(bytes: Int) throws {
        let directory = copy("version-1.db")
        mkdir(directory.path + "/salvage.tmp", 0o700)
        directory.write(Array(repeating: 7, count: bytes), to: "salvage.tmp/roost.db")

        let opening = try Database.openSalvaging(path: directory.path)

        try expectAll(in: opening.database)
        try opening.database.close()
        #expect(access(directory.path + "/salvage.tmp", F_OK) != 0)
    }

    /// A salvage that was cut off between its last steps: the new database was whole, and takes its place.
    @Test(arguments: [0, 1, 2])
    func aSalvageThatDiedIsFinished(steps: Int) throws {
        let directory = TemporaryDirectory()
        try Database.open(path: directory.path).close()
        let saved = copy("version-1.db")
        mkdir(directory.path + "/salvage", 0o700)
        directory.write(saved.file("roost.db"), to: "salvage/roost.db")
        directory.write([1, 2, 3], to: "roost.db-wal")
        let path = directory.path + "/roost.db"
        if steps > 0 { rename(path + "-wal", path + ".broken-1-wal") }
        if steps > 1 { rename(path, path + ".broken-1") }

        let opening = try Database.openSalvaging(path: directory.path)

        try expectAll(in: opening.database)
        #expect(access(path + ".broken-1", F_OK) == 0)
        #expect(directory.file("roost.db.broken-1-wal") == [1, 2, 3])
        #expect(access(directory.path + "/salvage", F_OK) != 0)
        try opening.database.close()
    }
}
