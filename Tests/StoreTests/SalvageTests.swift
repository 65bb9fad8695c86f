import CSQLite
import Glibc
import Testing

@testable import Store

/// What is left of a database after damage: served, saved, and what is lost is said.
@Suite struct SalvageTests {
    /// Routes with segments of many sizes, sessions and all that goes with them, and retained messages.
    struct Original {
        let directory = TemporaryDirectory()
        /// By key, as it was committed.
        var segments: [Int64: SegmentWrite] = [:]
        var retained: [[UInt8]: [UInt8]] = [:]
        var clients: [[UInt8]] = []
        var wasClosed = true

        init(pageBytes: Int = 1024, closes: Bool = true, groups: UInt64 = 120) throws {
            var options = DatabaseOptions()
            options.pageBytes = pageBytes
            let database = try Database.open(path: directory.path, options: options)
            var changes: [Change] = [
                .run(DatabaseTests.run), .stream(Sample.route(1, run: 3)),
                .stream(Sample.route(2, "cloud/other", run: 3)),
                .stream(DatabaseTests.sessions.renumbered(3)),
            ]
            for number in 0..<40 {
                let client = Array("client-\(number)".utf8)
                let id = SessionID(rawValue: Int64(number + 1))
                clients.append(client)
                changes.append(
                    .session(
                        SessionRecord(
                            id: id, clientIdentifier: client, userName: [], expiryInterval: 600, disconnectedAt: 1)))
                var subscription = DatabaseTests.subscription
                subscription.filter = Array("plant/\(number)/#".utf8)
                changes.append(.subscription(id, subscription))
                changes.append(.position(StreamID(rawValue: 3), id, Position(cursor: UInt64(number))))
                let topic = Array("plant/line-b/press-7/temperature".utf8) + [UInt8(number)]
                var packet = Sample.packet(UInt64(number), payload: number * 40, random: true)
                packet = Self.retitled(packet, topic)
                retained[topic] = packet
                changes.append(
                    .retained(topic: topic, RetainedRecord(packet: packet, receivedAt: 1, expiresAt: .max)))
            }
            _ = try database.commit(Sample.group(1, [], changes))
            for number in 1...groups {
                let stream = Int64(number % 3 + 1)
                let segment = Sample.segment(
                    stream, number * 10, count: 10, payload: Int(number % 7) * 60, random: number % 2 == 0)
                segments[SegmentRow.key(stream, segment.first)] = segment
                _ = try database.commit(Sample.group(number + 1, [segment]))
            }
            if closes { try database.close() } else { Self.leak(database) }
            wasClosed = closes
        }

        /// Left open, as after a death.
        private static func leak(_ database: Database) { _ = Unmanaged.passRetained(database) }

        /// The topic's length fits a byte, the packet's doesn't change.
        private static func retitled(_ packet: [UInt8], _ topic: [UInt8]) -> [UInt8] {
            let payload = packet.count > 60 ? Array(packet[60...]) : []
            let rest = [0, UInt8(topic.count)] + topic + [0, 1, 0] + payload
            var length = rest.count
            var head: [UInt8] = [0x33]
            repeat {
                head.append(UInt8(length & 0x7F) | (length > 0x7F ? 0x80 : 0))
                length >>= 7
            } while length > 0
            return head + rest
        }
    }

    /// Every segment and retained message that is found is one that was stored; returns the keys found.
    @discardableResult
    func expectNothingWrong(
        _ database: Database, _ state: StoredState, of original: Original, _ what: Comment
    ) throws -> Set<Int64> {
        var found: Set<Int64> = []
        for stream in state.streams {
            for segment in try database.all(stream.record.id.rawValue) {
                let key = SegmentRow.key(segment.stream.rawValue, segment.first)
                let stored = original.segments[key]
                #expect(stored?.packets == segment.packets, what)
                #expect(stored?.index == segment.index, what)
                found.insert(key)
            }
        }
        for (topic, record) in state.retained { #expect(original.retained[topic] == record.packet, what) }
        for session in state.sessions { #expect(original.clients.contains(session.record.clientIdentifier), what) }
        return found
    }

    @Test(arguments: [512, 1024, 4096], [true, false])
    func aWholeDatabaseIsSavedWhole(pageBytes: Int, closes: Bool) throws {
        let original = try Original(pageBytes: pageBytes, closes: closes)
        let copy = original.directory.copyOfDatabase()
        let directory = try DatabaseDirectory(path: copy.path)

        let report = try Database.salvage(in: directory, options: DatabaseOptions(), because: "a test")

        #expect(report.isWhole)
        #expect(report.segments == original.segments.count)
        #expect(report.rows["session"] == 40 && report.rows["retained"] == 40 && report.rows["position"] == 40)
        let saved = try Database(path: copy.path, options: DatabaseOptions(), directory: directory)
        let state = try saved.load()
        let found = try expectNothingWrong(saved, state, of: original, "whole")
        #expect(found.count == original.segments.count)
        #expect(state.retained.count == 40 && state.sessions.allSatisfy { $0.subscriptions.count == 1 })
        #expect(state.states.isEmpty)
        #expect(try saved.checkIntegrity().errors == [])
        try saved.close()
    }

    enum Damage: String, CaseIterable {
        case flips, zeroes, truncation, noise, log
    }

    /// Hundreds of ways to lose a part of the file: what comes up is right, and all that lies on untouched pages is there.
    @Test(arguments: Damage.allCases, [true, false])
    func nothingWrongIsShownAndUntouchedPagesAreSaved(damage: Damage, closes: Bool) throws {
        let original = try Original(closes: closes)
        let whole = original.directory.copyOfDatabase()
        let clean = whole.file("roost.db")
        let log = whole.file("roost.db-wal")
        var salvages = 0
        var random = Noise(seed: UInt64(damage.rawValue.utf8.reduce(7) { $0 * 31 + Int($1) }) + (closes ? 1 : 0))
        for round in 0..<24 {
            let copy = TemporaryDirectory()
            var file = clean
            var journal = log
            Self.apply(damage, to: &file, &journal, &random)
            copy.write(file, to: "roost.db")
            if !journal.isEmpty { copy.write(journal, to: "roost.db-wal") }
            let what: Comment = "\(damage.rawValue), closed: \(closes), round \(round)"

            let opening: Database.Opening
            do {
                opening = try Database.openSalvaging(path: copy.path)
            } catch {
                Issue.record("\(what): \(error)")
                continue
            }
            var database = opening.database
            if opening.salvage != nil { salvages += 1 }
            var found = try expectNothingWrong(database, opening.state, of: original, what)
            // Damage that is met while running: the writer's way of dealing with it.
            if try !database.checkIntegrity().ok {
                let directory = database.directory
                database.abandon()
                let kept = try #require(directory)
                salvages += 1
                _ = try Database.salvage(in: kept, options: DatabaseOptions(), because: "found later")
                database = try Database(path: copy.path, options: DatabaseOptions(), directory: kept)
                found.formUnion(try expectNothingWrong(database, database.load(), of: original, what))
                #expect(try database.checkIntegrity().errors == [], what)
            }
            if damage == .flips, closes {
                let expected = Self.untouched(clean, file, original)
                #expect(expected.subtracting(found).isEmpty, what)
            }
            try database.close()
        }
        // The damage is no damage only where it fell on free pages, or on a log's torn end.
        #expect(salvages >= (damage == .log && closes ? 20 : 6), "\(salvages) of 24")
    }

    static func apply(_ damage: Damage, to file: inout [UInt8], _ log: inout [UInt8], _ random: inout Noise) {
        func page(_ bytes: [UInt8]) -> Range<Int> {
            let start = random.below(max(1, bytes.count / 1024)) * 1024
            return start..<min(bytes.count, start + 1024)
        }
        switch damage {
        case .flips:
            for _ in 0..<1 + random.below(8) { file[random.below(file.count)] ^= 1 << UInt8(random.below(8)) }
        case .zeroes:
            for _ in 0..<1 + random.below(4) { for place in page(file) { file[place] = 0 } }
        case .noise:
            for place in page(file) { file[place] = UInt8(truncatingIfNeeded: random.next()) }
        case .truncation:
            file.removeLast(random.below(file.count))
            if random.below(2) == 0, !log.isEmpty { log.removeLast(random.below(log.count)) }
        case .log:
            guard !log.isEmpty else {
                file[random.below(100)] ^= 0x40
                return
            }
            for _ in 0..<1 + random.below(4) { log[random.below(log.count)] ^= 1 << UInt8(random.below(8)) }
        }
    }

    /// Keys of segments none of whose bytes lie on a page that differs: by where their packets' frame is in the file.
    static func untouched(_ clean: [UInt8], _ file: [UInt8], _ original: Original) -> Set<Int64> {
        let directory = TemporaryDirectory()
        directory.write(clean, to: "roost.db")
        guard let pages = RawPages(path: directory.path + "/roost.db", log: directory.path + "/none") else { return [] }
        var keys: Set<Int64> = []
        func differs(_ page: Int) -> Bool {
            let range = (page - 1) * 1024..<page * 1024
            return clean[range] != file[range]
        }
        for number in 1...pages.pageCount where !differs(number) {
            guard let page = pages.page(number), let cells = RawCells(page, usable: pages.usableBytes) else { continue }
            _ = cells.forEachRow(in: pages) { row in
                guard RowShape.of(row)?.name == "segment", let key = row.rowid, original.segments[key] != nil else {
                    return
                }
                if !row.chain.contains(where: differs) { keys.insert(key) }
            }
        }
        return keys
    }

    struct Noise {
        private var state: UInt64
        init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }
        mutating func next() -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
    }
}

extension StreamRecord {
    fileprivate func renumbered(_ id: Int64) -> StreamRecord {
        var record = self
        record.id = StreamID(rawValue: id)
        return record
    }
}

/// Damage that is met while the writer runs.
@Suite struct RunningSalvageTests {
    @Test func damageMetWhileReadingIsSalvagedAndTheReadAnswered() throws {
        let original = try SalvageTests.Original()
        var reports: [String] = []
        var saved: SalvageReport?
        let database = try Database.open(path: original.directory.path)
        let store = StoreStep(database: database) {
            switch $0 {
            case .committed(let number, _, _): reports.append("committed \(number)")
            case .failing(.corrupt): reports.append("corrupt")
            case .failing: reports.append("failing")
            case .recovered: reports.append("recovered")
            case .salvaged(let report):
                saved = report
                reports.append("salvaged")
            case .read(let tag, let segments, _): reports.append("read \(tag): \(segments.count)")
            case .expired, .closed, .withdrawn: reports.append("other")
            }
        }
        // A page in the middle of the log goes bad, which nobody has read yet.
        let root = Int(try database.connection.integer("SELECT rootpage FROM sqlite_schema WHERE name = 'segment'"))
        let file = original.directory.file("roost.db")
        var pages: [Int] = []
        for number in root + 1..<file.count / 1024 where file[(number - 1) * 1024] == 13 { pages.append(number) }
        let bad = try #require(pages.dropFirst(pages.count / 2).first)
        let descriptor = open(original.directory.path + "/roost.db", O_RDWR)
        _ = pwrite(descriptor, [UInt8](repeating: 0xEE, count: 1000), 1000, off_t((bad - 1) * 1024 + 8))
        close(descriptor)

        for stream in Int64(1)...3 {
            store.submit(.read(tag: UInt64(stream), stream: StreamID(rawValue: stream), from: 0, maximumBytes: .max))
        }
        store.submit(.commit(Sample.group(9000, [Sample.segment(1, 5000)])))
        for _ in 0..<12 { store.step() }

        #expect(reports.filter { $0 == "salvaged" }.count == 1)
        #expect(reports.contains("corrupt") && reports.contains("recovered") && reports.contains("committed 9000"))
        #expect(reports.filter { $0.hasPrefix("read") }.count == 3)
        let report = try #require(saved)
        #expect(report.lostMessages > 0)
        #expect(report.segments + Int(report.lostMessages) / 10 >= original.segments.count)
        #expect(report.removals.allSatisfy { $0.reason == .corrupt })
        #expect(original.directory.size(of: "roost.db.broken-1") > 0)
        #expect(!store.isFailing)
    }

    @Test func whatIsKeptOfDamageGivesWayToMessages() throws {
        let original = try SalvageTests.Original()
        original.directory.write(Array(repeating: 1, count: 400_000), to: "roost.db.broken-1")
        original.directory.write(Array(repeating: 1, count: 100_000), to: "roost.db.broken-2")
        unlink(original.directory.path + "/ballast")
        var options = DatabaseOptions()
        options.ballastBytes = 0
        options.budgetBytes = 700_000

        let database = try Database.open(path: original.directory.path, options: options)

        #expect(database.usedBytes <= options.budgetBytes)
        #expect(original.directory.size(of: "roost.db.broken-1") == 0)
        #expect(original.directory.size(of: "roost.db.broken-2") == 100_000)
        for number in UInt64(1)...200 {
            let segment = Sample.segment(1, 100_000 + number, payload: 20_000, random: true)
            let (_, removed) = try database.commit(Sample.group(1000 + number, [segment]))
            if !removed.isEmpty { break }
            if number > 199 { Issue.record("the budget was never reached") }
        }
        #expect(original.directory.size(of: "roost.db.broken-2") == 0)
        try database.close()
    }
}
