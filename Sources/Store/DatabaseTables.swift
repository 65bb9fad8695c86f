/// The statements that change the ordinary tables.
final class DatabaseTables {
    let run: Statement
    /// Leaves the counters of a stream that is there alone.
    let stream: Statement
    let streamRemoved: Statement
    let streamPositionsRemoved: Statement
    let position: Statement
    let session: Statement
    let subscription: Statement
    let subscriptionRemoved: Statement
    let inbound: Statement
    let inboundRemoved: Statement
    let outbound: Statement
    let outboundRemoved: Statement
    let retained: Statement
    let retainedRemoved: Statement
    let state: Statement
    let stateRemoved: Statement
    private let sessionRemoved: Statement
    private let subscriptionsRemoved: Statement
    private let inboundsRemoved: Statement
    private let outboundsRemoved: Statement
    private let positionsRemoved: Statement

    init(_ connection: Connection) throws(SQLiteError) {
        run = try connection.prepare("INSERT OR REPLACE INTO run VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)")
        stream = try connection.prepare(
            """
            INSERT INTO stream(id, route, members, run, lane, class, ttl, budget) VALUES(?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(id) DO UPDATE SET route = excluded.route, members = excluded.members, run = excluded.run,
                lane = excluded.lane, class = excluded.class, ttl = excluded.ttl, budget = excluded.budget
            """)
        streamRemoved = try connection.prepare("DELETE FROM stream WHERE id = ?")
        streamPositionsRemoved = try connection.prepare("DELETE FROM position WHERE stream = ?")
        position = try connection.prepare("INSERT OR REPLACE INTO position VALUES(?, ?, ?, ?)")
        session = try connection.prepare("INSERT OR REPLACE INTO session VALUES(?, ?, ?, ?, ?)")
        subscription = try connection.prepare("INSERT OR REPLACE INTO subscription VALUES(?, ?, ?, ?, ?, ?, ?)")
        subscriptionRemoved = try connection.prepare("DELETE FROM subscription WHERE session = ? AND filter = ?")
        inbound = try connection.prepare("INSERT OR REPLACE INTO inbound VALUES(?, ?)")
        inboundRemoved = try connection.prepare("DELETE FROM inbound WHERE session = ? AND identifier = ?")
        outbound = try connection.prepare("INSERT OR REPLACE INTO outbound VALUES(?, ?, ?, ?, ?)")
        outboundRemoved = try connection.prepare("DELETE FROM outbound WHERE session = ? AND identifier = ?")
        retained = try connection.prepare(
            """
            INSERT INTO retained(topic, received, expires, packet) VALUES(?, ?, ?, ?)
            ON CONFLICT(topic) DO UPDATE SET
                received = excluded.received, expires = excluded.expires, packet = excluded.packet
            """)
        retainedRemoved = try connection.prepare("DELETE FROM retained WHERE topic = ?")
        state = try connection.prepare("INSERT OR REPLACE INTO state VALUES(?, ?, ?)")
        stateRemoved = try connection.prepare("DELETE FROM state WHERE kind = ? AND key = ?")
        sessionRemoved = try connection.prepare("DELETE FROM session WHERE id = ?")
        subscriptionsRemoved = try connection.prepare("DELETE FROM subscription WHERE session = ?")
        inboundsRemoved = try connection.prepare("DELETE FROM inbound WHERE session = ?")
        outboundsRemoved = try connection.prepare("DELETE FROM outbound WHERE session = ?")
        positionsRemoved = try connection.prepare("DELETE FROM position WHERE session = ?")
    }

    func removeSession(_ session: Int64) throws(SQLiteError) {
        try run(sessionRemoved, session)
        try run(subscriptionsRemoved, session)
        try run(inboundsRemoved, session)
        try run(outboundsRemoved, session)
        try run(positionsRemoved, session)
    }

    func removeStream(_ stream: Int64) throws(SQLiteError) { try run(streamRemoved, stream) }

    func removePositions(of stream: Int64) throws(SQLiteError) { try run(streamPositionsRemoved, stream) }

    private func run(_ statement: borrowing Statement, _ key: Int64) throws(SQLiteError) {
        statement.bind(1, key)
        try statement.run()
    }
}
