/// Numbers of one run of a route with `keep = "latest"` that newer messages took the place of, until a batch's header has
/// told of them: stretches with their times. As `state(.gap, ...)` keeps it, one row has them all, for they can be many.
///
/// Key: `ROUTE\0RUN\0LANE\0superseded`. Value: for each stretch, as varints, the distance of its first from the number before,
/// its length less one, the step of its first time (zigzag) and from there to its last time.
struct SupersededNumbers {
    struct Stretch: Equatable {
        var first: UInt64
        var last: UInt64
        /// Store time of receipt of the first and the last of them.
        var from: Int64
        var to: Int64
    }

    /// Ascending; neighbours are one.
    private(set) var stretches: [Stretch] = []

    var isEmpty: Bool { stretches.isEmpty }

    mutating func insert(_ new: Stretch) {
        let low = stretches.partitioningIndex(where: { $0.last + 1 >= new.first })
        var joined = new
        var end = low
        while end < stretches.count, stretches[end].first <= new.last + 1 {
            joined.first = min(joined.first, stretches[end].first)
            joined.last = max(joined.last, stretches[end].last)
            joined.from = min(joined.from, stretches[end].from)
            joined.to = max(joined.to, stretches[end].to)
            end += 1
        }
        stretches.replaceSubrange(low..<end, with: CollectionOfOne(joined))
    }

    /// The first ones, which are then its taker's.
    mutating func take(_ count: Int) -> [Stretch] {
        let taken = Array(stretches.prefix(count))
        stretches.removeFirst(taken.count)
        return taken
    }

    // MARK: On disk

    static func key(route: String, run: Int64, lane: UInt16) -> [UInt8] {
        Array("\(route)\0\(run)\0\(lane)\0superseded".utf8)
    }

    /// nil for another kind of key, or another route's.
    static func place(_ key: [UInt8], route: String) -> (run: Int64, lane: UInt16)? {
        guard let names = names(inKey: key), names[0] == route, let run = Int64(names[1]), let lane = UInt16(names[2])
        else { return nil }
        return (run, lane)
    }

    /// nil for another kind of key.
    static func route(ofKey key: [UInt8]) -> String? { names(inKey: key)?[0] }

    private static func names(inKey key: [UInt8]) -> [String]? {
        let names = key.split(separator: 0, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        return names.count == 4 && names[3] == "superseded" ? names : nil
    }

    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        var number: UInt64 = 0
        var time: Int64 = 0
        for stretch in stretches {
            Varint.append(stretch.first &- number, to: &bytes)
            Varint.append(stretch.last - stretch.first, to: &bytes)
            Varint.append(Varint.zigzag(stretch.from &- time), to: &bytes)
            Varint.append(Varint.zigzag(stretch.to &- stretch.from), to: &bytes)
            number = stretch.last
            time = stretch.from
        }
        return bytes
    }

    init() {}

    /// What can be read of it.
    init(_ bytes: [UInt8]) {
        var reader = Varint.Reader(bytes)
        var number: UInt64 = 0
        var time: Int64 = 0
        while let step = reader.next(), let length = reader.next(), let start = reader.next(), let span = reader.next()
        {
            let first = number &+ step
            let (last, isTooLong) = first.addingReportingOverflow(length)
            guard !isTooLong, last < .max, first > number || stretches.isEmpty else { return }
            time = time &+ Varint.unzigzag(start)
            stretches.append(Stretch(first: first, last: last, from: time, to: time &+ Varint.unzigzag(span)))
            number = last
        }
    }
}
