import CSQLite
import Testing

@testable import Simulation
@testable import Store

/// The database on a disk whose power goes in the middle of something, at every change of it that the disk is asked for.
struct PowerLossTests {
    /// The log is emptied, which is not on the medium yet, and begun anew: whatever part of that gets there, nobody may find the
    /// beginning of the old log and take its pages for new ones.
    @Test(arguments: 1...40) func aLogThatBeginsAnewBringsNoOldPagesBack(seed: Int) throws {
        for changes in 0..<24 {
            let disk = TestDisk(seed)
            disk.end(try disk.filled())
            let database = try disk.open()

            disk.allow(changes)
            let isCommitted = (try? database.commit(TestDisk.group(13))) != nil
            disk.losePower(database)

            try disk.expect(1...12, and: isCommitted ? 13 : nil)
        }
    }

    /// A checkpoint fails at one of its writes or syncs, and the database is opened again as the store does it.
    @Test(arguments: 1...12) func aCheckpointThatFailsTakesNothing(seed: Int) throws {
        for changes in 0..<16 {
            let disk = TestDisk(seed)
            let database = try disk.filled()

            disk.allow(changes)
            try? database.checkpoint()
            _ = try? database.closeAfterFailure()
            disk.allow(seed % 2 == 0 ? .max : changes)
            _ = try? disk.open().commit(TestDisk.group(13))
            disk.losePower(nil)

            try disk.expect(1...12, and: nil)
        }
    }
}

private final class TestDisk {
    private static let route = StreamRecord(
        id: StreamID(rawValue: 1), kind: .route("cloud/all"), run: 1, lane: 0, evictionClass: .normal, ttl: .max,
        budgetBytes: .max)

    private let disk: SimulatedDisk
    /// Changes that the disk makes before everything on it fails.
    private var left = Int.max

    init(_ seed: Int) {
        disk = SimulatedDisk(seed: UInt64(seed), trace: nil)
        disk.mayAct = { [unowned self] in
            left -= 1
            return left >= 0
        }
    }

    static func group(_ number: UInt64) -> CommitGroup {
        let packets: [UInt8] =
            [0x32, 200, 1, 0, 3, 0x61, 0x2F, 0x62, 0, 1, 0]
            + (0..<192).map { UInt8(truncatingIfNeeded: number &* $0 &* 37) }
        var index = SegmentIndex()
        index.append(laneSequence: number, receivedAt: Int64(number))
        let segment = SegmentWrite(
            stream: route.id, first: number, count: 1, packets: packets, index: index.bytes, receivedAt: Int64(number),
            expiry: .max)
        return CommitGroup(number: number, segments: [segment], changes: number == 1 ? [.stream(route)] : [])
    }

    func open() throws -> Database {
        var options = DatabaseOptions()
        options.vfs = disk.vfsName
        return try Database.open(path: "/data", options: options)
    }

    /// With twelve messages, a commit each, all in the log.
    func filled() throws -> Database {
        let database = try open()
        for number in UInt64(1)...12 { _ = try database.commit(Self.group(number)) }
        return database
    }

    func allow(_ changes: Int) { left = changes }

    /// The process is killed.
    func end(_ database: Database) {
        disk.crash()
        database.abandon()
    }

    func losePower(_ database: Database?) {
        disk.losePower()
        database?.abandon()
        left = .max
    }

    func expect(_ numbers: ClosedRange<UInt64>, and last: UInt64?) throws {
        let database = try open()
        let found = try database.read(stream: Self.route.id, from: 0, maximumBytes: .max).segments.map(\.first)
        #expect(Array(found.prefix(numbers.count)) == Array(numbers))
        if let last { #expect(found.last == last) }
        try database.close()
    }
}
