import Testing

@testable import Store

/// Share groups as the database keeps them, among the sessions.
struct ShareRecordTests {
    @Test func sharesAndTheirDeliveriesComeBack() throws {
        let directory = TemporaryDirectory()
        let share = ShareRecord(id: SessionID(rawValue: 7), filter: Array("$share/g/a/#".utf8))
        let own = OutboundRecord(identifier: 1, stream: StreamID(rawValue: 1), number: 5, released: false)
        let shared = [false, true].enumerated().map { index, released in
            OutboundRecord(
                identifier: UInt16(2 + index), stream: StreamID(rawValue: 1), number: UInt64(6 + index),
                released: released, share: share.id)
        }
        let session = SessionRecord(
            id: SessionID(rawValue: 3), clientIdentifier: Array("a".utf8), userName: [], expiryInterval: 60,
            disconnectedAt: nil)
        var database = try Database.open(path: directory.path)
        _ = try database.commit(
            CommitGroup(
                number: 1, segments: [],
                changes: [.session(session), .share(share), .outbound(share.id, own)]
                    + ([own] + shared).map { .outbound(session.id, $0) }))
        try database.close()

        database = try Database.open(path: directory.path)
        let state = try database.load()
        #expect(state.sessions.map(\.record) == [session])
        #expect(state.sessions[0].outbound == [own] + shared)
        #expect(state.shares.map(\.record) == [share])
        #expect(state.shares[0].outbound == [own])
        #expect(state.highestSession == 7)

        _ = try database.commit(CommitGroup(number: 2, segments: [], changes: [.sessionRemoved(share.id)]))
        #expect(try database.load().shares.isEmpty)
        try database.close()
    }
}
