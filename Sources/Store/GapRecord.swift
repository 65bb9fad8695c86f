/// A stretch of a route's numbers that will never come, as `state(.gap, ...)` keeps it until a batch has carried it.
///
/// Key: `ROUTE\0RUN\0LANE\0FIRST`, value: `FIRST-LAST REASON FROM-TO`, both UTF-8, numbers decimal; times are store time in
/// milliseconds. One record a removal: neighbours are joined when a batch carries them.
public struct GapRecord: Sendable, Hashable {
    /// Why, in the words of docs/formats.md. Unknown ones are kept as they are.
    public struct Reason: RawRepresentable, Hashable, Sendable {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        public static let evicted = Self(rawValue: "evicted")
        public static let expired = Self(rawValue: "expired")
        public static let superseded = Self(rawValue: "superseded")
        public static let refused = Self(rawValue: "refused")
        public static let dropped = Self(rawValue: "dropped")
        /// Never sent, and its publisher was told so (`ack = "upstream"`).
        public static let withdrawn = Self(rawValue: "withdrawn")
        public static let unstored = Self(rawValue: "unstored")
        public static let corrupt = Self(rawValue: "corrupt")
    }

    /// `UPLINK/ROUTE`.
    public var route: String
    /// `RunRecord.ordinal`.
    public var run: Int64
    public var lane: UInt16
    public var first: UInt64
    public var last: UInt64
    public var reason: Reason
    /// Store time of receipt of the first and of the last of them, as far as known.
    public var from: Int64
    public var to: Int64

    public init(
        route: String, run: Int64, lane: UInt16, first: UInt64, last: UInt64, reason: Reason, from: Int64, to: Int64
    ) {
        self.route = route
        self.run = run
        self.lane = lane
        self.first = first
        self.last = last
        self.reason = reason
        self.from = from
        self.to = to
    }

    /// The gap that a removal makes in a route's stream; nil for sessions' streams, which have no numbers on the wire.
    public init?(_ removal: Removal, in stream: StreamRecord) {
        guard case .route(let route) = stream.kind else { return nil }
        self.init(
            route: route, run: stream.run, lane: stream.lane, first: removal.first, last: removal.last,
            reason: Reason(rawValue: removal.reason.rawValue), from: removal.from, to: removal.to)
    }

    public var key: [UInt8] { Array("\(route)\0\(run)\0\(lane)\0\(first)".utf8) }
    public var value: [UInt8] { Array("\(first)-\(last) \(reason.rawValue) \(from)-\(to)".utf8) }

    /// nil where the bytes are not what `key` and `value` make.
    public init?(key: [UInt8], value: [UInt8]) {
        let names = key.split(separator: 0, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        let words = value.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
        guard names.count == 4, words.count == 3, let run = Int64(names[1]), let lane = UInt16(names[2]) else {
            return nil
        }
        let numbers = words[0].split(separator: "-")
        // A time before the store's own start is negative: the dash between is the first after a digit.
        guard numbers.count == 2, let first = UInt64(numbers[0]), let last = UInt64(numbers[1]),
            let dash = words[2].dropFirst().firstIndex(of: "-"),
            let from = Int64(words[2][..<dash]), let to = Int64(words[2][words[2].index(after: dash)...])
        else { return nil }
        self.init(
            route: names[0], run: run, lane: lane, first: first, last: last, reason: Reason(rawValue: words[1]),
            from: from, to: to)
    }
}
