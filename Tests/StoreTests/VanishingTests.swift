import Glibc
import Testing

@testable import Store

/// Somebody deletes what the daemon has open, or takes its file system away.
@Suite(.serialized) final class VanishingTests {
    private let directory = TemporaryDirectory()
    private var reports: [String] = []

    private func engine(_ path: String) throws -> StoreStep {
        StoreStep(database: try Database.open(path: path)) { [unowned self] in
            switch $0 {
            case .committed(let number, _, _): reports.append("committed \(number)")
            case .failing: reports.append("failing")
            case .recovered: reports.append("recovered")
            default: break
            }
        }
    }

    @Test(arguments: [["roost.db"], ["roost.db", "roost.db-wal", "roost.db-shm"]])
    func aDeletedDatabaseIsWrittenAgain(_ names: [String]) throws {
        let store = try engine(directory.path)
        store.submit(.commit(Sample.group(1, [Sample.segment(1, 1)], [.stream(Sample.route(1))])))
        store.drain()

        for name in names { unlink(directory.path + "/" + name) }
        store.submit(.commit(Sample.group(2, [Sample.segment(1, 2)])))
        for _ in 1...3 { store.step() }

        #expect(reports == ["committed 1", "failing", "recovered", "committed 2"])
        store.submit(.close)
        store.drain()
        let opened = try Database.open(path: directory.path)
        #expect(try opened.all(1).map(\.first) == [1, 2])
        #expect(try opened.checkIntegrity().ok)
        try opened.close()
    }

    @Test func aDeletedDirectoryIsMadeAgain() throws {
        let place = directory.path + "/data"
        let store = try engine(place)
        store.submit(.commit(Sample.group(1, [Sample.segment(1, 1)], [.stream(Sample.route(1))])))
        store.drain()

        for name in ["ballast", "lock", "roost.db", "roost.db-shm", "roost.db-wal"] { unlink(place + "/" + name) }
        try #require(rmdir(place) == 0)
        store.submit(.commit(Sample.group(2, [Sample.segment(1, 2)])))
        for _ in 1...3 { store.step() }

        #expect(reports == ["committed 1", "failing", "recovered", "committed 2"])
        #expect(throws: StoreError.locked(path: place + "/lock")) { try Database.open(path: place) }
        store.submit(.close)
        store.drain()
        let opened = try Database.open(path: place)
        #expect(try opened.all(1).map(\.first) == [1, 2])
        #expect(try opened.checkIntegrity().ok)
        try opened.close()
    }

    /// Nothing is acknowledged on the strength of a file that is out of sight, and nothing begun in its place.
    @Test(.enabled(if: geteuid() == 0, "mounts")) func anUnmountedFileSystemIsWaitedFor() throws {
        let place = directory.path + "/mount"
        mkdir(place, 0o700)
        try #require(mount("tmpfs", place, "tmpfs", 0, "size=8m") == 0)
        let keeper = open(place, O_RDONLY | O_DIRECTORY)
        defer {
            close(keeper)
            umount2(place, Int32(MNT_DETACH))
        }
        let store = try engine(place)
        store.submit(.commit(Sample.group(1, [Sample.segment(1, 1)], [.stream(Sample.route(1))])))
        store.drain()

        umount2(place, Int32(MNT_DETACH))
        store.submit(.commit(Sample.group(2, [Sample.segment(1, 2)])))
        for _ in 1...3 { store.step() }

        #expect(reports == ["committed 1", "failing"])
        #expect(store.isFailing)
        #expect(access(place + "/roost.db", F_OK) != 0)
    }
}
