import CSQLite
import Testing

@testable import Store

/// Segments that say whom each message is for.
@Suite struct MixedSegmentTests {
    private let directory = TemporaryDirectory()
    private static let record = StreamRecord(
        id: StreamID(rawValue: 2), kind: .mixed, run: 3, lane: 0, evictionClass: .session, ttl: 1_000_000)

    private static func member(_ session: Int64, qos: UInt8 = 1, _ identifiers: [UInt32] = []) -> StreamMember {
        StreamMember(
            session: SessionID(rawValue: session), qos: qos, retainAsPublished: session % 2 == 0,
            subscriptionIdentifiers: identifiers)
    }

    private static let one = MessageSet([member(1)])
    private static let two = MessageSet([member(1, qos: 2, [7, 268_435_455]), member(9), member(1 << 40, [1])])
    private static let other = MessageSet([member(9, qos: 2)])

    private func segment(_ first: UInt64, _ sets: [MessageSet]) -> SegmentWrite {
        var segment = Sample.segment(2, first, count: sets.count)
        segment.sets = sets
        return segment
    }

    private func sets(_ segment: StoredSegment) -> [[StreamMember]] {
        var entries = SegmentIndex.Reader(segment.index)
        for _ in 0..<segment.count { _ = entries.next() }
        var reader = SegmentSets.Reader(behind: entries)
        return (0..<segment.count).compactMap { _ in reader.next()?.members }
    }

    private func session(_ id: Int64) -> Change {
        .session(
            SessionRecord(
                id: SessionID(rawValue: id), clientIdentifier: Array("client-\(id)".utf8), userName: [],
                expiryInterval: 600, disconnectedAt: 1))
    }

    /// Two groups in one transaction: numbers 1-3 and 4-5, as one row.
    private func fill(_ database: Database) throws {
        _ = try database.commit([
            Sample.group(
                1, [segment(1, [Self.one, Self.two, Self.one])],
                [.run(DatabaseTests.run), .stream(Self.record), session(1), session(9)]),
            Sample.group(2, [segment(4, [Self.two, Self.other])]),
        ])
        _ = try database.commit(Sample.group(3, [segment(11, [Self.other, Self.two])]))
    }

    private func expectAll(in database: Database) throws {
        let segments = try database.all(2)
        #expect(segments.map(\.first) == [1, 11] && segments.map(\.count) == [5, 2])
        #expect(segments.allSatisfy { $0.fault == nil })
        #expect(
            segments.map(sets) == [
                [Self.one, Self.two, Self.one, Self.two, Self.other].map(\.members),
                [Self.other, Self.two].map(\.members),
            ])
        let state = try database.load()
        #expect(state.streams.map(\.record.kind) == [.mixed])
        let mixed = try #require(state.streams[0].mixed)
        #expect(mixed.segments == [1...5, 11...12])
        #expect(mixed.waiting[SessionID(rawValue: 1)] == [1, 2, 3, 4, 12])
        #expect(mixed.waiting[SessionID(rawValue: 9)] == [2, 4, 5, 11, 12])
        #expect(state.highestSession == 1 << 40)
        #expect(try database.checkIntegrity().errors == [])
    }

    @Test func setsOutliveMergingAndTheFile() throws {
        var database = try Database.open(path: directory.path)
        try fill(database)
        try expectAll(in: database)
        try database.close()
        database = try Database.open(path: directory.path)
        try expectAll(in: database)
        try database.close()
    }

    @Test func positionsAndWhatWasPassedWaitForNobody() throws {
        let database = try Database.open(path: directory.path)
        try fill(database)
        _ = try database.commit(
            Sample.group(
                4, [],
                [
                    .position(Self.record.id, SessionID(rawValue: 9), Position(cursor: 3, finished: [5...11])),
                    .trim(Self.record.id, below: 2),
                ]))

        let mixed = try #require(try database.load().streams[0].mixed)

        #expect(mixed.segments == [2...5, 11...12])
        #expect(mixed.waiting[SessionID(rawValue: 1)] == [2, 3, 4, 12])
        #expect(mixed.waiting[SessionID(rawValue: 9)] == [4, 12])
        try database.close()
    }

    @Test func salvageSavesAMixedStream() throws {
        try {
            try fill($0)
            try $0.close()
        }(try Database.open(path: directory.path))
        let lock = try DatabaseDirectory(path: directory.path)

        let report = try Database.salvage(in: lock, options: DatabaseOptions(), because: "a test")

        #expect(report.isWhole && report.messages == 7)
        let saved = try Database(path: directory.path, options: DatabaseOptions(), directory: lock)
        try expectAll(in: saved)
        try saved.close()
    }

    /// The stream's own row is lost: its segments say what it was.
    @Test func aLostRecordIsKnownByTheSegments() throws {
        let database = try Database.open(path: directory.path)
        try fill(database)
        _ = try database.commit(
            Sample.group(
                4, [Sample.segment(3, 1)], [.position(Self.record.id, SessionID(rawValue: 1), Position(cursor: 4))]))
        try database.connection.execute("DELETE FROM stream")
        try database.close()
        let lock = try DatabaseDirectory(path: directory.path)

        _ = try Database.salvage(in: lock, options: DatabaseOptions(), because: "a test")

        let saved = try Database(path: directory.path, options: DatabaseOptions(), directory: lock)
        let state = try saved.load()
        #expect(state.streams.map(\.record.kind) == [.mixed, .route("recovered/stream-3")])
        #expect(state.streams[0].record.evictionClass == .session)
        #expect(state.streams[0].mixed?.waiting[SessionID(rawValue: 1)] == [12])
        #expect(state.streams[0].mixed?.waiting[SessionID(rawValue: 9)] == [2, 4, 5, 11, 12])
        #expect(try saved.checkIntegrity().errors == [])
        try saved.close()
    }

    /// Every flipped byte of the sets is found: by the row's checksum, and beneath it by their form.
    @Test func damagedSetsAreFound() throws {
        let database = try Database.open(path: directory.path)
        try fill(database)
        let whole = try #require(try database.all(2).first)
        var entries = SegmentIndex.Reader(whole.index)
        for _ in 0..<whole.count { _ = entries.next() }
        let length = entries.rest.remaining
        #expect(length > 0)
        for cut in 1...length {
            var broken = whole
            broken.index.removeLast(cut)
            // Without any set it is a segment of a stream that isn't mixed.
            #expect((broken.fault == .index) == (cut < length), "\(cut) bytes cut off")
        }
        for place in whole.index.count - length..<whole.index.count {
            for bit in 0..<8 {
                var broken = whole
                broken.index[place] ^= 1 << UInt8(bit)
                // Whatever it is now, reading it ends.
                _ = broken.fault
            }
        }
        var broken = whole
        broken.index.append(0)
        #expect(broken.fault == .index)
        try database.close()
    }

    /// An index that can't be trusted is a salvage's: silence would lose whom its messages were for.
    @Test func anIndexWithAWrongChecksumIsDamage() throws {
        var database = try Database.open(path: directory.path)
        try fill(database)
        try database.connection.execute("UPDATE segment SET received = received + 1 WHERE count = 5")
        #expect(throws: StoreError.self) { try database.load() }
        try database.close()

        let opening = try Database.openSalvaging(path: directory.path)

        database = opening.database
        #expect(opening.salvage?.setAside == 1)
        #expect(opening.state.streams[0].mixed?.waiting[SessionID(rawValue: 9)] == [11, 12])
        try database.close()
    }

    @Test func oldOnesExpireByTheirLastReceipt() throws {
        let database = try Database.open(path: directory.path)
        try fill(database)

        // The last of the first row came at 14 + 40.
        let end = 1_000_000 + Int64(10 + 2)
        #expect(try database.expire(now: end).isEmpty)
        #expect(try database.expire(now: 1_000_000 + 60).map(\.last) == [5])
        try database.close()
    }

    /// Version 3 has the same tables, and no mixed streams.
    @Test func version3ComesUpWhole() throws {
        var database = try Database.open(path: directory.path)
        _ = try database.commit(DatabaseTests.everything)
        try database.connection.execute("PRAGMA user_version = 3")
        try database.close()

        database = try Database.open(path: directory.path)

        #expect(try database.connection.integer("PRAGMA user_version") == Int64(Schema.version))
        try DatabaseTests().expectEverything(in: database)
        #expect(try database.checkIntegrity().errors == [])
        try database.close()
    }
}

/// What of a mixed stream can be forgotten, against a model.
@Suite struct SubmittedSpansTests {
    private func span(_ first: UInt64, _ last: UInt64, _ open: Int) -> SubmittedSpans.Span {
        SubmittedSpans.Span(first: first, last: last, open: open)
    }

    private func expectNews(_ spans: inout SubmittedSpans, _ number: UInt64, _ expected: Bool = true) {
        let isNews = spans.close(number)
        #expect(isNews == expected, "\(number)")
    }

    private func expectPassed(
        _ spans: inout SubmittedSpans, below end: UInt64, _ below: UInt64, _ ranges: [ClosedRange<UInt64>]
    ) {
        let passed = spans.takePassed(below: end)
        #expect(passed.below == below && passed.ranges == ranges)
    }

    @Test func aRangeReachesToItsOpenNeighbours() {
        var spans = SubmittedSpans()
        for first in stride(from: UInt64(1), through: 41, by: 10) { _ = spans.add(span(first, first + 4, 1)) }

        expectNews(&spans, 12)
        expectNews(&spans, 31)
        expectPassed(&spans, below: 50, 1, [6...20, 26...40])
        expectNews(&spans, 21)
        expectPassed(&spans, below: 50, 1, [6...40])
        expectNews(&spans, 45)
        expectPassed(&spans, below: 60, 1, [6...59])
        expectNews(&spans, 3)
        expectPassed(&spans, below: 60, 60, [])
    }

    @Test func whatWasTakenBackIsNoNews() {
        var spans = SubmittedSpans()
        _ = spans.add(span(1, 5, 1))
        _ = spans.add(span(6, 9, 1))
        expectNews(&spans, 7)
        spans.takeBack(from: 6)
        _ = spans.add(span(8, 9, 1))

        expectPassed(&spans, below: 10, 1, [])
        expectNews(&spans, 7, false)
        expectNews(&spans, 8)
    }

    @Test(arguments: 1...20) func agreesWithAModel(seed: UInt64) {
        var random = SalvageTests.Noise(seed: seed)
        var spans = SubmittedSpans()
        var open: [UInt64: Int] = [:]
        var told = IntervalSet()
        var next: UInt64 = 1
        for _ in 0..<400 {
            switch random.below(4) {
            case 0:
                let first = next + UInt64(random.below(3))
                let last = first + UInt64(random.below(4))
                var sum = 0
                for number in first...last {
                    open[number] = random.below(3)
                    sum += open[number] ?? 0
                }
                next = last + 1
                _ = spans.add(span(first, last, sum))
            case 1:
                let passed = spans.takePassed(below: next)
                if passed.below > 1 { told.insert(1...passed.below - 1) }
                for range in passed.ranges { told.insert(range) }
                #expect(open.allSatisfy { $0.value == 0 || !told.contains($0.key) })
            default:
                let waiting = open.filter { $0.value > 0 }.keys.sorted()
                guard !waiting.isEmpty else { continue }
                let number = waiting[random.below(waiting.count)]
                open[number, default: 0] -= 1
                _ = spans.close(number)
            }
        }
        for (number, count) in open.sorted(by: { $0.key < $1.key }) {
            for _ in 0..<count { _ = spans.close(number) }
        }
        let passed = spans.takePassed(below: next)
        #expect(passed.below == next && spans.spans.isEmpty)
    }
}
