import Testing

@testable import Store

/// A log that can't be moved into the database at the opening, and of which nobody knows whether the disk has it, is written
/// anew: what is read from it is answered for.
extension OnFaultyDisk {
    @Suite final class RewrittenLogTests {
        private var reports: [String] = []
        private let directory = TemporaryDirectory()
        private let options: DatabaseOptions
        /// Closing would move its log into the database.
        private var left: StoreStep?

        init() throws {
            try #require(FaultyDisk.registered)
            var options = DatabaseOptions()
            options.vfs = FaultyDisk.name
            self.options = options
        }

        deinit {
            FaultyDisk.failsSyncs = false
            FaultyDisk.failingSyncs = 0
            FaultyDisk.failingWrites = 0
            FaultyDisk.failsTruncates = false
            FaultyDisk.isFullBeside = nil
        }

        private func engine() throws -> StoreStep {
            StoreStep(database: try Database.open(path: directory.path, options: options)) { [unowned self] in
                switch $0 {
                case .committed(let number, _, _): reports.append("committed \(number)")
                case .failing: reports.append("failing")
                case .recovered: reports.append("recovered")
                default: break
                }
            }
        }

        /// What a killed process leaves.
        private func killed() throws -> TemporaryDirectory {
            let store = try engine()
            store.submit(.commit(Sample.group(1, [Sample.segment(1, 1)], [.stream(Sample.route(1))])))
            store.drain()
            left = store
            return directory.copyOfDatabase()
        }

        /// The first sync that fails is the only one: the kernel calls what it had to write clean from then on.
        @Test func whereItsFirstSyncFails() throws {
            let after = try killed()
            let log = RawLog.end(of: after.file("roost.db-wal"))
            let before = (written: FaultyDisk.written, syncs: FaultyDisk.syncs)

            FaultyDisk.failingSyncs = 1
            let opened = try Database.open(path: after.path, options: options)

            #expect(log > 0)
            #expect(FaultyDisk.written - before.written >= log)
            #expect(FaultyDisk.syncs - before.syncs == 2)
            #expect(try opened.all(1).map(\.first) == [1])

            FaultyDisk.failingSyncs = 2
            let again = directory.copyOfDatabase()
            #expect(throws: StoreError.self) { try Database.open(path: again.path, options: options) }
        }

        /// The sync that failed may have been another process's, which was killed, or could not write the log anew: then the next
        /// one succeeds, and says nothing.
        @Test func whereTheDatabaseCannotTakeIt() throws {
            let after = try killed()
            let log = RawLog.end(of: after.file("roost.db-wal"))
            let before = (written: FaultyDisk.written, syncs: FaultyDisk.syncs)

            FaultyDisk.failingWrites = 1
            let opened = try Database.open(path: after.path, options: options)

            #expect(FaultyDisk.written - before.written >= log)
            #expect(FaultyDisk.syncs - before.syncs == 2)
            #expect(try opened.all(1).map(\.first) == [1])

            FaultyDisk.failingWrites = 2
            let again = directory.copyOfDatabase()
            #expect(throws: StoreError.self) { try Database.open(path: again.path, options: options) }
        }

        /// Where a write in place takes room, the ballast gives it.
        @Test func whereTheDiskIsFull() throws {
            let after = try killed()
            after.write([UInt8](repeating: 0, count: 4096), to: "ballast")

            FaultyDisk.isFullBeside = after.path + "/ballast"
            let opened = try Database(
                path: after.path, options: options, directory: DatabaseDirectory(path: after.path))

            #expect(after.size(of: "ballast") == 0)
            #expect(try opened.all(1).map(\.first) == [1])
        }

        /// Frames of the log's last time round are behind those that count: a failed commit would be cut off behind them all.
        @Test func itEndsWhereItCounts() throws {
            let store = try Database.open(path: directory.path, options: options)
            _ = try store.commit(
                Sample.group(1, [Sample.segment(1, 1, payload: 60_000, random: true)], [.stream(Sample.route(1))]))
            try store.checkpoint()
            _ = try store.commit(Sample.group(2, [Sample.segment(1, 2)]))
            let frames = store.connection.walFrames
            let after = directory.copyOfDatabase()

            FaultyDisk.failingWrites = 1
            let opened = try Database.open(path: after.path, options: options)

            #expect(directory.size(of: "roost.db-wal") > 60_000)
            #expect(frames > 0 && opened.connection.walFrames == frames)
            #expect(after.size(of: "roost.db-wal") == 32 + frames * (opened.pageBytes + 24))
            #expect(try opened.all(1).map(\.first) == [1, 2])
        }

        /// A commit whose sync fails is cut off the log. If that fails too, the next opening finds it there, unsynced.
        @Test func whereAFailedCommitCannotBeCutOff() throws {
            let store = try engine()
            store.submit(.commit(Sample.group(1, [Sample.segment(1, 1)], [.stream(Sample.route(1))])))
            store.drain()

            FaultyDisk.failsSyncs = true
            FaultyDisk.failsTruncates = true
            store.submit(.commit(Sample.group(2, [Sample.segment(1, 2, payload: 9000, random: true)])))
            store.step()
            let log = RawLog.end(of: directory.file("roost.db-wal"))
            let written = FaultyDisk.written
            FaultyDisk.failsSyncs = false
            FaultyDisk.failsTruncates = false
            FaultyDisk.failingWrites = 1
            store.drain()
            while store.step() {}

            #expect(log > 9000)
            #expect(FaultyDisk.written - written >= log)
            #expect(reports == ["committed 1", "failing", "recovered", "committed 2"])
        }
    }
}
