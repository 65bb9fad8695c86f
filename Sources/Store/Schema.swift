/// The tables, and how an older database becomes a current one.
///
/// A segment's key is its stream and first number: `stream << 40 | first`. A BLOB of packets is the last column, so that
/// whoever wants the others reads one page of a row and not its overflow pages. `segment.idx` ends with a CRC-32C over the
/// row's numbers and the index itself (`SegmentRow`); the packets are an LZ4 frame and carry their own checksum.
///
/// `segment.expiry` is when all of the messages inside have expired by their own Message Expiry Intervals. Where one never
/// does it is the largest number, and the row is in no index: most messages have no interval, and pay nothing for it.
///
/// A stream's `trimmed_below` says what its destinations have passed: segments below are no longer part of the log, and go in
/// steps. A stream whose `trimmed_below` is the largest number was removed whole, and its row goes with its last segment.
///
/// A stream's counters are those of its segments up to the key `counted_to`; opening counts the few above. So a commit that
/// only adds segments writes no counter, which would cost a page a commit.
enum Schema {
    /// "Roos".
    static let applicationID: Int64 = 0x526F_6F73
    static let version = 5
    /// From this version on every page has a checksum, so that upgrading an older database rewrites it (`Database.rewrite`).
    static let checksums = 3

    /// Bits of a segment's key that hold its first number.
    static let numberBits: Int64 = 40

    /// `steps[n]` makes version n + 1 of version n, in a database that has room for checksums.
    static let steps: [String] = [
        """
        CREATE TABLE segment(
            key INTEGER PRIMARY KEY, count INTEGER NOT NULL, raw INTEGER NOT NULL, received INTEGER NOT NULL,
            expiry INTEGER, format INTEGER NOT NULL, idx BLOB NOT NULL, packets BLOB NOT NULL);
        CREATE TABLE quarantine(
            key INTEGER PRIMARY KEY, count INTEGER, raw INTEGER, received INTEGER,
            expiry INTEGER, format INTEGER, idx BLOB, packets BLOB);
        CREATE TABLE stream(
            id INTEGER PRIMARY KEY, route TEXT, members BLOB, run INTEGER NOT NULL, lane INTEGER NOT NULL,
            class INTEGER NOT NULL, ttl INTEGER NOT NULL, budget INTEGER NOT NULL,
            trimmed_below INTEGER NOT NULL DEFAULT 0, counted_to INTEGER NOT NULL DEFAULT 0,
            messages INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0);
        CREATE TABLE position(
            stream INTEGER, session INTEGER, cursor INTEGER NOT NULL, finished BLOB NOT NULL,
            PRIMARY KEY(stream, session)) WITHOUT ROWID;
        CREATE TABLE session(
            id INTEGER PRIMARY KEY, client BLOB NOT NULL, user BLOB NOT NULL, expiry INTEGER NOT NULL,
            disconnected INTEGER);
        CREATE TABLE subscription(
            session INTEGER, filter BLOB, qos INTEGER NOT NULL, no_local INTEGER NOT NULL,
            retain_as_published INTEGER NOT NULL, retain_handling INTEGER NOT NULL, identifier INTEGER NOT NULL,
            PRIMARY KEY(session, filter)) WITHOUT ROWID;
        CREATE TABLE inbound(session INTEGER, identifier INTEGER, PRIMARY KEY(session, identifier)) WITHOUT ROWID;
        CREATE TABLE outbound(
            session INTEGER, identifier INTEGER, stream INTEGER NOT NULL, number INTEGER NOT NULL,
            released INTEGER NOT NULL, PRIMARY KEY(session, identifier)) WITHOUT ROWID;
        CREATE TABLE retained(
            id INTEGER PRIMARY KEY, topic BLOB NOT NULL UNIQUE, received INTEGER NOT NULL, expires INTEGER NOT NULL,
            packet BLOB NOT NULL);
        CREATE TABLE state(kind INTEGER, key BLOB, value BLOB NOT NULL, PRIMARY KEY(kind, key)) WITHOUT ROWID;
        CREATE TABLE run(
            ordinal INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, boot_id TEXT NOT NULL, boot INTEGER NOT NULL,
            store INTEGER NOT NULL, wall_offset INTEGER NOT NULL, clock_set INTEGER NOT NULL,
            synchronised INTEGER NOT NULL, clean INTEGER NOT NULL);
        """,
        """
        CREATE INDEX segment_expiry ON segment(expiry)
            WHERE format = \(SegmentRow.lz4Frame) AND expiry < \(Int64.max);
        """,
        "",
        // Streams without route and members are mixed, and their segments' indexes say whom messages are for: an older
        // version would take them for nobody's.
        "",
        // Share groups are among the sessions, under names that begin with a zero byte, and `outbound.released` has twice the
        // group's id on top: an older version would take them for clients that never come, and a group's deliveries for the
        // session's own.
        "",
    ]

    /// Brings the tables to a version, each step in a transaction of its own.
    static func migrate(_ connection: Connection, from found: Int, to wanted: Int = version) throws(SQLiteError) {
        for (step, sql) in steps.enumerated().prefix(wanted).dropFirst(found) {
            try connection.execute("BEGIN IMMEDIATE; \(sql) PRAGMA user_version = \(step + 1); COMMIT")
        }
    }
}
