/// One route's run in the answer to `GET /coverage?times=1`.
struct CoverageDocument: Decodable {
    struct Range: Decodable {
        var first: UInt64
        var last: UInt64
        var from: NodeTime?
        var to: NodeTime?

        var count: Int64 { Int64(clamping: last - first).addingReportingOverflow(1).partialValue }
    }

    struct Gap: Decodable {
        var first: UInt64
        var last: UInt64
        var reason: String
        var from: NodeTime
        var to: NodeTime

        var count: Int64 { Int64(clamping: last - first).addingReportingOverflow(1).partialValue }
    }

    /// The highest number, or `?` after a stop without warning.
    enum End: Decodable {
        case last(UInt64)
        case unknown

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(UInt64.self) { self = .last(number) } else { self = .unknown }
        }
    }

    var node: String
    var route: String
    var epoch: String
    var lane: Int
    var ended: End?
    var at: NodeTime
    var spans: [Range]
    var gaps: [Gap]
    var missing: [Range]
    var endedAt: NodeTime?
    var quietAt: NodeTime?
}

/// A time by a node's clock: milliseconds since 1970 UTC, with a `?` behind where the clock was never set.
struct NodeTime: Decodable, Equatable {
    var milliseconds: Int64
    var isSet: Bool

    init(milliseconds: Int64, isSet: Bool = true) {
        self.milliseconds = milliseconds
        self.isSet = isSet
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int64.self) {
            self.init(milliseconds: number)
        } else {
            let text = try container.decode(String.self)
            self.init(milliseconds: Int64(text.dropLast()) ?? 0, isSet: false)
        }
    }

    private var seconds: Int { Int(max(0, min(milliseconds, 9_000_000_000_000_000)) / 1000) }

    /// "2026-11-24 05:41:31".
    var text: String { isSet ? LocalTime.format("%Y-%m-%d %H:%M:%S", seconds: seconds) : "(clock not set)" }

    /// The time of day alone if it is on the day of `before`.
    func text(after before: NodeTime) -> String {
        guard isSet, before.isSet else { return text }
        let format = "%Y-%m-%d"
        let isSameDay = LocalTime.format(format, seconds: seconds) == LocalTime.format(format, seconds: before.seconds)
        return isSameDay ? LocalTime.format("%H:%M:%S", seconds: seconds) : text
    }
}
