import Glibc
import Testing

@testable import Store

/// A disk of 2 MiB that fills: needs root, for the mount.
@Suite(.serialized, .enabled(if: geteuid() == 0)) final class FullDiskTests {
    private let directory = TemporaryDirectory()
    private var reports: [String] = []
    private let mounted: Bool

    init() {
        mounted = mount("tmpfs", directory.path, "tmpfs", 0, "size=2m") == 0
    }

    deinit { if mounted { umount2(directory.path, Int32(MNT_DETACH)) } }

    private func engine() throws -> StoreStep {
        var options = DatabaseOptions()
        options.ballastBytes = 256 << 10
        return StoreStep(database: try Database.open(path: directory.path, options: options)) { [unowned self] in
            switch $0 {
            case .committed(let number, _, _): reports.append("committed \(number)")
            case .failing(let error): reports.append("failing \(error)")
            case .recovered: reports.append("recovered")
            case .read(let tag, let segments, _): reports.append("read \(tag): \(segments.count)")
            case .salvaged: reports.append("salvaged")
            case .expired, .closed, .withdrawn: break
            }
        }
    }

    /// Commits 32 KiB a group until the disk refuses; the number of the group that it refused.
    private func fill(_ store: StoreStep) -> UInt64 {
        store.submit(.commit(Sample.group(1, [], [.stream(Sample.route(1))])))
        store.drain()
        for number in UInt64(2)...200 {
            store.submit(.commit(Sample.group(number, [Sample.segment(1, number, payload: 32 << 10, random: true)])))
            store.step()
            // The worker's thread gives up the ballast by itself; here it is the next step.
            if store.isFailing { store.step() }
            if store.isFailing { return number }
        }
        return 0
    }

    @Test func nothingIsLostOnceThereIsSpace() throws {
        try #require(mounted)
        let store = try engine()
        #expect(directory.size(of: "ballast") == 256 << 10)

        let refused = fill(store)
        try #require(refused > 10)
        #expect(directory.size(of: "ballast") == 0)
        #expect(reports.filter { $0.hasPrefix("failing") }.allSatisfy { $0.hasPrefix("failing full") })
        #expect(reports.last { !$0.hasPrefix("failing") } == "committed \(refused - 1)")
        store.submit(.read(tag: 1, stream: StreamID(rawValue: 1), from: 2, maximumBytes: 1))
        store.step()
        #expect(reports.last == "read 1: 1")
        // The far end has taken half: the trim comes behind what doesn't fit, and makes room for it.
        store.submit(.commit(Sample.group(refused + 1, [], [.trim(StreamID(rawValue: 1), below: refused / 2)])))
        store.step()

        #expect(!store.isFailing)
        #expect(reports.suffix(3) == ["recovered", "committed \(refused)", "committed \(refused + 1)"])
        store.submit(.close)
        store.drain()
        let opened = try Database.open(path: directory.path)
        #expect(try opened.all(1).map(\.first) == Array(refused / 2...refused))
        #expect(try opened.checkIntegrity().ok)
        try opened.close()
    }
}
