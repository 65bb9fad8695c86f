import Testing

@testable import Store

/// What is committed is there after a close, and after a death.
@Suite struct DatabaseTests {
    static let run = RunRecord(
        ordinal: 3, epoch: 0xFEDC_BA98_7654_3210, bootID: "b5c7", bootMilliseconds: 12, storeMilliseconds: -5,
        wallOffset: 1_732_413_600_123, clockSet: true, synchronised: false, endedCleanly: true)
    static let sessions = StreamRecord(
        id: StreamID(rawValue: 2),
        kind: .sessions([
            StreamMember(
                session: SessionID(rawValue: 9), qos: 2, retainAsPublished: true,
                subscriptionIdentifiers: [1, 268_435_455]),
            StreamMember(
                session: SessionID(rawValue: 1 << 40), qos: 1, retainAsPublished: false, subscriptionIdentifiers: []),
        ]), run: 3, lane: 65535, evictionClass: .session, ttl: .max)
    static let session = SessionRecord(
        id: SessionID(rawValue: 9), clientIdentifier: Array("pump-7".utf8), userName: [], expiryInterval: .max,
        disconnectedAt: nil)
    static let subscription = SubscriptionRecord(
        filter: Array("plant/#".utf8), qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2,
        subscriptionIdentifier: 7)
    static let position = Position(cursor: 4, finished: [6...6, 9...1200])
    static let outbound = OutboundRecord(identifier: 65535, stream: sessions.id, number: 1 << 39, released: true)
    static let retained = RetainedRecord(packet: Sample.packet(1), receivedAt: 77, expiresAt: .max)

    static let everything = Sample.group(
        1, [Sample.segment(1, 1, count: 3), Sample.segment(2, 5, count: 2)],
        [
            .run(run), .stream(Sample.route(1, budget: 1 << 20)), .stream(sessions), .session(session),
            .subscription(session.id, subscription), .position(sessions.id, session.id, position),
            .inbound(session.id, 1), .inbound(session.id, 65535), .outbound(session.id, outbound),
            .retained(topic: Array("a/b".utf8), retained), .state(.will, key: Array("pump-7".utf8), value: [1, 2, 3]),
            .state(.twin, key: [], value: []), .trim(StreamID(rawValue: 1), below: 2),
        ])

    func expectEverything(in database: Database) throws {
        let state = try database.load()
        #expect(state.runs == [Self.run])
        #expect(state.streams.map(\.record) == [Sample.route(1, budget: 1 << 20), Self.sessions])
        #expect(state.streams.map(\.trimmedBelow) == [2, 0])
        #expect(state.streams.map(\.numbers) == [1...3, 5...6])
        #expect(state.streams.map(\.messages) == [3, 2])
        #expect(state.streams.map(\.bytes) == Self.everything.segments.map(\.packets.count))
        #expect(state.streams.map(\.oldest) == [10, 50])
        #expect(state.streams[1].positions == [Self.session.id: Self.position])
        #expect(state.sessions.map(\.record) == [Self.session])
        #expect(state.sessions[0].subscriptions == [Self.subscription])
        #expect(state.sessions[0].inbound == [1, 65535])
        #expect(state.sessions[0].outbound == [Self.outbound])
        #expect(state.retained.map(\.topic) == [Array("a/b".utf8)])
        #expect(state.retained.map(\.record) == [Self.retained])
        #expect(state.states.map(\.kind) == [.will, .twin])
        #expect(state.states.map(\.value) == [[1, 2, 3], []])
        for segment in Self.everything.segments {
            let stored = try database.all(segment.stream.rawValue)
            #expect(stored.map(\.packets) == [segment.packets])
            #expect(stored.map(\.index) == [segment.index])
            #expect(stored.map(\.count) == [segment.count])
            #expect(stored.map(\.receivedAt) == [segment.receivedAt])
        }
        #expect(try database.checkIntegrity().ok)
    }

    @Test func everyRecordComesBackAfterClose() throws {
        let directory = TemporaryDirectory()
        let database = try Database.open(path: directory.path)
        _ = try database.commit(Self.everything)
        try database.close()

        let opened = try Database.open(path: directory.path)

        try expectEverything(in: opened)
        #expect(directory.size(of: "roost.db-wal") == 0)
        try opened.close()
    }

    @Test func everyRecordComesBackAfterDeath() throws {
        let directory = TemporaryDirectory()
        let database = try Database.open(path: directory.path)
        _ = try database.commit(Self.everything)

        let left = directory.copyOfDatabase()
        let opened = try Database.open(path: left.path)

        try expectEverything(in: opened)
        try opened.close()
        try database.close()
    }

    /// SQLite's VFS takes less than 128 KiB at a time: the log's gathered writes must stay below.
    @Test(arguments: [100, 130, 250, 260, 1000]) func aCommitOfAnySizeIsKept(kibibytes: Int) throws {
        let directory = TemporaryDirectory()
        let first = try Database.open(path: directory.path)
        let segment = Sample.segment(1, 1, count: kibibytes, payload: 1 << 10, random: true)
        _ = try first.commit(Sample.group(1, [], [.stream(Sample.route(1))]))
        try first.close()
        let database = try Database.open(path: directory.path)

        _ = try database.commit(Sample.group(2, [segment]))

        let left = directory.copyOfDatabase()
        let opened = try Database.open(path: left.path)
        #expect(try opened.all(1).map(\.packets) == [segment.packets])
        try opened.close()
        try database.close()
    }

    @Test func whatIsRemovedStaysAway() throws {
        let directory = TemporaryDirectory()
        let database = try Database.open(path: directory.path)
        _ = try database.commit(Self.everything)
        let id = Self.session.id

        _ = try database.commit(
            Sample.group(
                2, [],
                [
                    .inboundRemoved(id, 1), .outboundRemoved(id, 65535), .retained(topic: Array("a/b".utf8), nil),
                    .state(.will, key: Array("pump-7".utf8), value: nil),
                    .subscriptionRemoved(id, filter: Self.subscription.filter),
                ]))
        let state = try database.load()
        _ = try database.commit(
            Sample.group(
                3, [], [.sessionRemoved(id), .streamRemoved(Self.sessions.id), .streamRemoved(StreamID(rawValue: 1))]))
        let end = try database.load()

        #expect(state.sessions[0].inbound == [65535])
        #expect(state.sessions[0].outbound.isEmpty && state.sessions[0].subscriptions.isEmpty)
        #expect(state.retained.isEmpty)
        #expect(state.states.map(\.kind) == [.twin])
        #expect(end.sessions.isEmpty && end.streams.isEmpty)
        #expect(try database.all(1).isEmpty && database.all(2).isEmpty)
        try database.close()
    }

    @Test func manyGroupsAreOneTransaction() throws {
        let directory = TemporaryDirectory()
        let database = try Database.open(path: directory.path)
        _ = try database.commit(Sample.group(1, [], [.stream(Sample.route(1))]))
        let frames = database.connection.walFrames

        _ = try database.commit((1...20).map { Sample.group($0, [Sample.segment(1, $0)]) })

        #expect(database.connection.walFrames - frames < 10)
        #expect(try database.all(1).map(\.first) == [1])
        #expect(try database.all(1).map(\.count) == [20])
        try database.close()
    }

    @Test func aLoneCommitWritesAPageOrTwo() throws {
        let directory = TemporaryDirectory()
        let database = try Database.open(path: directory.path)
        _ = try database.commit(Sample.group(1, [], [.stream(Sample.route(1))]))
        let frames = database.connection.walFrames

        for number in UInt64(1)...100 { _ = try database.commit(Sample.group(number, [Sample.segment(1, number)])) }

        #expect(database.connection.walFrames - frames < 200)
        try database.close()
    }

    @Test func segmentsCommittedTwiceCountOnce() throws {
        let directory = TemporaryDirectory()
        let database = try Database.open(path: directory.path)
        let group = Sample.group(
            1, [Sample.segment(1, 1, count: 4), Sample.segment(1, 5, count: 2)], [.stream(Sample.route(1))])

        _ = try database.commit(group)
        _ = try database.commit(group)

        #expect(try database.counters(1)?.messages == 6)
        #expect(try database.counters(1)?.numbers == 1...6)
        try database.close()
    }
}
