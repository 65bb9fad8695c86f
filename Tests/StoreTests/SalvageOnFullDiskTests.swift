import CSQLite
import Glibc
import Testing

@testable import Store

/// A damaged database on a full disk: the start is refused with the damaged file as it was, or it serves what it saved with
/// all else kept beside. Once there is room, all that is readable is there.
struct DamagedOnFullDisk {
    let original: SalvageTests.Original
    let directory: TemporaryDirectory
    let file: [UInt8]
    let log: [UInt8]
    /// Keys of segments that the damage spared.
    let readable: Set<Int64>

    /// - Parameter directory: where the database is put; its file system may be small.
    init(in directory: TemporaryDirectory = TemporaryDirectory(), seed: UInt64 = 3, groups: UInt64 = 30) throws {
        original = try SalvageTests.Original(groups: groups)
        self.directory = directory
        let whole = original.directory.copyOfDatabase()
        let clean = whole.file("roost.db")
        var file = clean
        var log = whole.file("roost.db-wal")
        var random = SalvageTests.Noise(seed: seed)
        SalvageTests.apply(.flips, to: &file, &log, &random)
        // Damage that a start can't miss: in the schema's page.
        file[24] ^= 0x55
        self.file = file
        self.log = log
        readable = SalvageTests.untouched(clean, file, original)
        directory.write(file, to: "roost.db")
    }

    /// Nothing has changed but what only makes room.
    func expectUntouched(_ what: Comment) {
        // Not compared in the macro, which would print the difference.
        let isUntouched = directory.file("roost.db") == file && directory.file("roost.db-wal") == log
        #expect(isUntouched, what)
        for name in ["salvage", "salvage.tmp"] { #expect(access(directory.path + "/" + name, F_OK) != 0, what) }
    }

    /// Where the damaged file is, as it was: in its place, or beside the new one.
    var whereabouts: String? {
        ["roost.db", "roost.db.broken-1", "roost.db.unsaved-1"].first { directory.file($0) == file }
    }

    /// A start with room.
    func expectSaved(_ what: Comment) throws {
        let opening = try Database.openSalvaging(path: directory.path)
        let found = try SalvageTests().expectNothingWrong(opening.database, opening.state, of: original, what)
        #expect(readable.subtracting(found).isEmpty, what)
        #expect(try opening.database.checkIntegrity().errors == [], what)
        for name in ["salvage", "salvage.tmp"] { #expect(access(directory.path + "/" + name, F_OK) != 0, what) }
        try opening.database.close()
    }
}

extension OnFaultyDisk {
    @Suite struct SalvageTests {
        /// The disk takes so many writes and then no more, at every one of a salvage.
        @Test func nothingIsLostWhicheverWriteFindsTheDiskFull() throws {
            try #require(FaultyDisk.registered)
            defer { FaultyDisk.writesLeft = nil }
            var options = DatabaseOptions()
            options.vfs = FaultyDisk.name
            var writes = 0
            while true {
                let damaged = try DamagedOnFullDisk()
                let what: Comment = "full after \(writes) writes"

                FaultyDisk.writesLeft = writes
                let report = try salvage(damaged.directory.path, options)
                FaultyDisk.writesLeft = nil

                if report == nil { damaged.expectUntouched(what) }
                if report != nil || writes % 10 == 0 { try damaged.expectSaved(what) }
                guard report == nil else { break }
                writes += 1
            }
            #expect(writes > 20)
        }

        /// nil: the disk was full.
        private func salvage(_ path: String, _ options: DatabaseOptions) throws -> SalvageReport? {
            let directory = try DatabaseDirectory(path: path)
            do throws(StoreError) {
                return try Database.salvage(in: directory, options: options, because: "a test")
            } catch {
                guard case .full = error else { throw error }
                return nil
            }
        }
    }
}

/// The same on a file system that is full, by the block: needs root, for the mount.
@Suite(.serialized, .enabled(if: geteuid() == 0)) struct SalvageOnFullDiskTests {
    /// Mounted over a directory that goes with the value.
    private final class SmallDisk {
        let directory = TemporaryDirectory()
        let isMounted: Bool
        init() { isMounted = mount("tmpfs", directory.path, "tmpfs", 0, "size=1m") == 0 }
        deinit { if isMounted { umount2(directory.path, Int32(MNT_DETACH)) } }

        /// Leaves so many bytes.
        func fill(leaving bytes: Int) {
            let free = DatabaseDirectory.availableBytes(at: directory.path)
            directory.write([UInt8](repeating: 1, count: max(0, free - bytes)), to: "filler")
        }
        func empty() { unlink(directory.path + "/filler") }
    }

    private static let options = {
        var options = DatabaseOptions()
        options.ballastBytes = 16 << 10
        return options
    }()

    /// Blocks left beside a ballast of 16 KiB.
    @Test(arguments: Array(stride(from: 0, to: 60, by: 2)))
    func aStartIsRefusedOrLosesNothing(blocks: Int) throws {
        let disk = SmallDisk()
        try #require(disk.isMounted)
        let damaged = try DamagedOnFullDisk(in: disk.directory, seed: UInt64(blocks) + 11)
        // The lock is a file too.
        _ = try DatabaseDirectory(path: disk.directory.path).restoreBallast(16 << 10)
        disk.fill(leaving: blocks * 4096)
        let what: Comment = "\(blocks) blocks left"

        let opening: Database.Opening?
        do throws(StoreError) {
            opening = try Database.openSalvaging(path: disk.directory.path, options: Self.options)
        } catch {
            guard case .full = error else {
                Issue.record("\(what): \(error)")
                return
            }
            opening = nil
        }
        let place = try #require(damaged.whereabouts, what)
        if let opening {
            let report = try #require(opening.salvage)
            let found = try SalvageTests().expectNothingWrong(
                opening.database, opening.state, of: damaged.original, what)
            #expect(report.evidence?.hasSuffix(place) == true, what)
            #expect(report.logWasLeft == (place == "roost.db.unsaved-1"), what)
            #expect(report.logWasLeft ? report.lostMessages > 0 : damaged.readable.subtracting(found).isEmpty, what)
            try opening.database.close()
        } else if place == "roost.db" {
            damaged.expectUntouched(what)
        }

        disk.empty()
        guard place == "roost.db.unsaved-1" else { return try damaged.expectSaved(what) }
        // A person makes a database of what was set aside.
        let again = TemporaryDirectory()
        again.write(disk.directory.file(place), to: "roost.db")
        _ = try Database.repair(path: again.path)
        let saved = try Database.open(path: again.path)
        let found = try SalvageTests().expectNothingWrong(saved, saved.load(), of: damaged.original, what)
        #expect(damaged.readable.subtracting(found).isEmpty, what)
        try saved.close()
    }

    /// The new database is whole, and the file system refuses to put it in place at one of the renames.
    @Test(arguments: 1...4)
    func whatWasSavedTakesItsPlaceOnceTheFileSystemLetsIt(refused: Int) throws {
        let damaged = try DamagedOnFullDisk()
        let directory = try DatabaseDirectory(path: damaged.directory.path)
        damaged.directory.write(Array(repeating: 7, count: 5000), to: "roost.db-wal")
        var renames = 0
        directory.renameFile = {
            renames += 1
            guard renames != refused else {
                errno = ENOSPC
                return -1
            }
            return rename($0, $1)
        }

        let report = try Database.salvage(in: directory, options: DatabaseOptions(), because: "a test")
        #expect(!report.logWasLeft)
        try directory.finishSalvage()

        let saved = try Database(path: directory.path, options: DatabaseOptions(), directory: directory)
        let found = try SalvageTests().expectNothingWrong(saved, saved.load(), of: damaged.original, "renamed")
        #expect(damaged.readable.subtracting(found).isEmpty)
        let kept = directory.evidence.filter { !$0.name.hasSuffix("-wal") }
        #expect(kept.count == 1)
        let isEvidence = kept.first.map { damaged.directory.file($0.name) == damaged.file } ?? false
        #expect(isEvidence)
        try saved.close()
    }

    /// Damage that is met while running, on a disk that is full: all else goes on, and what waits is saved once there is room.
    @Test func damageMetWhileRunningWaitsForRoom() throws {
        let disk = SmallDisk()
        try #require(disk.isMounted)
        let original = try SalvageTests.Original(groups: 60)
        disk.directory.write(original.directory.file("roost.db"), to: "roost.db")
        var reports: [String] = []
        let database = try Database.open(path: disk.directory.path, options: Self.options)
        let store = StoreStep(database: database) {
            switch $0 {
            case .committed(let number, _, _): reports.append("committed \(number)")
            case .failing: reports.append("failing")
            case .recovered: reports.append("recovered")
            case .salvaged(let report): reports.append("salvaged \(report.logWasLeft)")
            case .read(let tag, _, _): reports.append("read \(tag)")
            case .expired, .closed, .withdrawn: break
            }
        }
        let root = Int(try database.connection.integer("SELECT rootpage FROM sqlite_schema WHERE name = 'segment'"))
        let file = disk.directory.file("roost.db")
        var pages: [Int] = []
        for number in root + 1..<file.count / 1024 where file[(number - 1) * 1024] == 13 { pages.append(number) }
        let bad = try #require(pages.dropFirst(pages.count / 2).first)
        let descriptor = open(disk.directory.path + "/roost.db", O_RDWR)
        _ = pwrite(descriptor, [UInt8](repeating: 0xEE, count: 1000), 1000, off_t((bad - 1) * 1024 + 8))
        close(descriptor)
        // Enough for a commit, and not for the tables of a new database.
        disk.fill(leaving: 8 << 10)

        for stream in Int64(1)...3 {
            store.submit(.read(tag: UInt64(stream), stream: StreamID(rawValue: stream), from: 0, maximumBytes: .max))
        }
        for _ in 0..<12 { store.step() }
        #expect(!reports.contains { $0.hasPrefix("salvaged") })
        #expect(reports.filter { $0.hasPrefix("read") }.count == 2)
        disk.empty()
        store.submit(.commit(Sample.group(9000, [Sample.segment(1, 5000)])))
        for _ in 0..<12 { store.step() }

        #expect(reports.filter { $0.hasPrefix("salvaged") } == ["salvaged false"])
        #expect(reports.filter { $0.hasPrefix("read") }.count == 3)
        #expect(reports.contains("committed 9000"))
        #expect(!store.isFailing)
    }
}
