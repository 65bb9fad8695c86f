/// What was saved of a damaged database, and what was not.
public struct SalvageReport: Sendable, Equatable {
    /// One stream of the log, as far as it had messages.
    public struct Stream: Sendable, Equatable {
        /// `UPLINK/ROUTE`; nil for sessions'.
        public var route: String?
        public var id: StreamID
        public var run: Int64
        public var messages = 0
        /// Numbers that were there and are not any more.
        public var lost: [ClosedRange<UInt64>] = []
    }

    /// Why, in SQLite's words or ours.
    public var reason = ""
    public var streams: [Stream] = []
    public var segments = 0
    public var messages = 0
    /// Of packets, before compression.
    public var bytes = 0
    /// Segments that don't verify, kept in the table `quarantine`.
    public var setAside = 0
    /// Rows saved, by table; without the log's segments.
    public var rows: [String: Int] = [:]
    /// Rows known to be lost, beside messages: at least so many, since pages that are gone don't tell.
    public var lostRows = 0
    /// Pages that can't be read, or fail their checksum.
    public var brokenPages = 0
    /// Complete transactions that the write-ahead log has behind a broken place.
    public var logWasBroken = false
    /// There was no room for the messages' copies: they are in the evidence alone.
    public var logWasLeft = false
    /// Where the damaged file is kept; nil: it is not.
    public var evidence: String?
    /// For those who read the streams: everything lost, as far as it is known by number.
    public var removals: [Removal] = []

    public init() {}

    public var lostMessages: UInt64 {
        streams.reduce(0) { $0 + $1.lost.reduce(0) { $0 + ($1.upperBound - $1.lowerBound + 1) } }
    }

    /// Nothing is known to be wrong.
    public var isWhole: Bool {
        brokenPages == 0 && lostRows == 0 && setAside == 0 && !logWasBroken && lostMessages == 0
    }

    /// One line for a log.
    public var summary: String {
        var parts = ["\(counted(messages, "message")) saved"]
        if lostMessages > 0 { parts.append("\(lostMessages) lost") }
        if brokenPages > 0 { parts.append("\(counted(brokenPages, "page")) unreadable") }
        if lostRows > 0 { parts.append("\(counted(lostRows, "row")) beside messages lost") }
        if setAside > 0 { parts.append("\(counted(setAside, "segment")) set aside") }
        if logWasLeft { parts.append("no room to copy the messages, which are in the damaged file") }
        if logWasBroken { parts.append("the write-ahead log was broken in its middle") }
        return parts.joined(separator: ", ")
    }

    private func counted(_ number: Int, _ thing: String) -> String { "\(number) \(thing)\(number == 1 ? "" : "s")" }
}
