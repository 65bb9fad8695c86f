import Testing

@testable import Store

/// All that uses the one `FaultyDisk`.
@Suite(.serialized) enum OnFaultyDisk {}

/// The writer's order and honesty, one step at a time.
extension OnFaultyDisk {
    @Suite final class StoreStepTests {
        private var reports: [StoreReport] = []
        private let directory = TemporaryDirectory()

        private func engine(_ options: DatabaseOptions = DatabaseOptions()) throws -> StoreStep {
            StoreStep(database: try Database.open(path: directory.path, options: options)) { [unowned self] in
                reports.append($0)
            }
        }

        /// Each report in a word.
        private var words: [String] {
            reports.map { report in
                switch report {
                case .committed(let number, _, _): "committed \(number)"
                case .read(let tag, let segments, _): "read \(tag): \(segments.map(\.first))"
                case .expired: "expired"
                case .failing: "failing"
                case .recovered: "recovered"
                case .salvaged: "salvaged"
                case .closed: "closed"
                case .withdrawn(let groups): "withdrawn \(groups.map(\.number))"
                }
            }
        }

        @Test func readsComeBeforeCommitsAndCommitsAreMerged() throws {
            let store = try engine()
            store.submit(.commit(Sample.group(1, [Sample.segment(1, 1)], [.stream(Sample.route(1))])))
            store.step()
            for number in UInt64(2)...4 { store.submit(.commit(Sample.group(number, [Sample.segment(1, number)]))) }
            store.submit(.read(tag: 7, stream: StreamID(rawValue: 1), from: 0, maximumBytes: .max))

            store.step()
            #expect(words == ["committed 1", "read 7: [1]"])
            store.step()

            #expect(words.suffix(3) == ["committed 2", "committed 3", "committed 4"])
            #expect(!store.step())
        }

        @Test func holdKeepsCommitsBackAndAnswersReads() throws {
            let store = try engine()
            store.hold = true
            store.submit(.commit(Sample.group(1, [Sample.segment(1, 1)], [.stream(Sample.route(1))])))
            store.submit(.read(tag: 1, stream: StreamID(rawValue: 1), from: 0, maximumBytes: 1))

            store.drain()
            #expect(words == ["read 1: []"])
            store.hold = false
            store.drain()

            #expect(words.last == "committed 1")
        }

        @Test func closeComesLast() throws {
            let store = try engine()
            store.submit(.close)
            store.submit(.expire(now: 5))
            store.submit(.commit(Sample.group(1)))

            store.drain()

            #expect(words == ["committed 1", "expired", "closed"])
        }

        @Test func failedSyncsAreNeverRetriedButWrittenAnew() throws {
            try #require(FaultyDisk.registered)
            var options = DatabaseOptions()
            options.vfs = FaultyDisk.name
            let store = try engine(options)
            defer { FaultyDisk.failsSyncs = false }
            store.submit(.commit(Sample.group(1, [Sample.segment(1, 1)], [.stream(Sample.route(1))])))
            store.drain()
            let good = directory.size(of: "roost.db-wal")

            FaultyDisk.failsSyncs = true
            store.submit(.commit(Sample.group(2, [Sample.segment(1, 2, payload: 9000, random: true)])))
            store.step()
            let syncs = FaultyDisk.syncs
            let sizeAfterFailure = directory.size(of: "roost.db-wal")
            for number in UInt64(3)...5 {
                store.submit(.commit(Sample.group(number, [Sample.segment(1, number)])))
                store.step()
            }
            store.submit(.read(tag: 1, stream: StreamID(rawValue: 1), from: 0, maximumBytes: .max))
            store.step()
            #expect(words == ["committed 1", "failing", "read 1: [1]"])
            #expect(sizeAfterFailure <= good)
            #expect(FaultyDisk.syncs > syncs)
            FaultyDisk.failsSyncs = false
            store.drain()

            #expect(words.dropFirst(3) == ["recovered", "committed 2", "committed 3", "committed 4", "committed 5"])
            store.submit(.close)
            store.drain()
            let opened = try Database.open(path: directory.path)
            #expect(try opened.all(1).map(\.first) == [1, 2])
            #expect(try opened.all(1).map(\.count) == [1, 4])
            #expect(try opened.checkIntegrity().ok)
        }

        /// What a failing disk has not taken can be had back, and is then never written by itself.
        @Test func pendingCommitsAreGivenBack() throws {
            try #require(FaultyDisk.registered)
            var options = DatabaseOptions()
            options.vfs = FaultyDisk.name
            let store = try engine(options)
            defer { FaultyDisk.failsSyncs = false }
            store.submit(.commit(Sample.group(1, [Sample.segment(1, 1)], [.stream(Sample.route(1))])))
            store.submit(.withdraw)
            store.drain()
            FaultyDisk.failsSyncs = true
            store.submit(.commit(Sample.group(2, [Sample.segment(1, 2)])))
            store.step()
            store.submit(.commit(Sample.group(3, [Sample.segment(1, 3)])))
            store.submit(.withdraw)
            store.step()
            store.submit(.commit(Sample.group(4, [Sample.segment(1, 2)])))
            FaultyDisk.failsSyncs = false
            store.drain()

            #expect(
                words == ["committed 1", "withdrawn []", "failing", "withdrawn [2, 3]", "recovered", "committed 4"])
            store.submit(.close)
            store.drain()
            let opened = try Database.open(path: directory.path)
            #expect(try opened.all(1).map(\.first) == [1, 2])
            try opened.close()
        }

        @Test func closeWhileFailingEnds() throws {
            try #require(FaultyDisk.registered)
            var options = DatabaseOptions()
            options.vfs = FaultyDisk.name
            let store = try engine(options)
            defer { FaultyDisk.failsSyncs = false }
            FaultyDisk.failsSyncs = true
            store.submit(.commit(Sample.group(1, [Sample.segment(1, 1)])))
            store.submit(.close)

            for _ in 0..<4 { store.step() }

            #expect(words == ["failing", "closed"])
        }
    }
}
