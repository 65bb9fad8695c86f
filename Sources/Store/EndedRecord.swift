/// The news that an earlier run of a route ended, as `state(.ended, ...)` keeps it until a batch has carried it.
///
/// Key: `ROUTE\0RUN\0LANE`, value: `LAST TIME`, UTF-8, numbers decimal; `LAST` is `?` where the run stopped without warning.
public struct EndedRecord: Sendable, Equatable {
    /// `UPLINK/ROUTE`.
    public var route: String
    /// `RunRecord.ordinal`.
    public var run: Int64
    public var lane: UInt16
    /// The run's highest number; nil: unknown, and messages nobody had acknowledged may be missing from its end.
    public var last: UInt64?
    /// Store time of the stop, or of the start that found it.
    public var at: Int64

    public init(route: String, run: Int64, lane: UInt16, last: UInt64?, at: Int64) {
        self.route = route
        self.run = run
        self.lane = lane
        self.last = last
        self.at = at
    }

    public var key: [UInt8] { Array("\(route)\0\(run)\0\(lane)".utf8) }
    public var value: [UInt8] { Array("\(last.map { "\($0)" } ?? "?") \(at)".utf8) }

    /// nil where the bytes are not what `key` and `value` make.
    public init?(key: [UInt8], value: [UInt8]) {
        let names = key.split(separator: 0, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        let words = value.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
        guard names.count == 3, words.count == 2, let run = Int64(names[1]), let lane = UInt16(names[2]),
            let at = Int64(words[1]), words[0] == "?" || UInt64(words[0]) != nil
        else { return nil }
        self.init(route: names[0], run: run, lane: lane, last: UInt64(words[0]), at: at)
    }
}
