/// Makes one segment of what several groups of a transaction add to one stream: fewer rows, and better compression.
enum SegmentMerging {
    /// Bytes of packets at which a segment is large enough: what one read brings into memory at once.
    private static let enoughBytes = 256 << 10

    /// All segments of the groups, in order; neighbours of one stream as one.
    static func merge(_ groups: [CommitGroup]) -> [SegmentWrite] {
        guard groups.count > 1 else { return withSets(groups.first?.segments ?? []) }
        var merged: [SegmentWrite] = []
        var indexes: [SegmentIndex?] = []
        var last: [StreamID: Int] = [:]
        for group in groups {
            for segment in group.segments {
                guard let place = last[segment.stream], isNeighbour(merged[place], segment) else {
                    last[segment.stream] = merged.count
                    merged.append(segment)
                    indexes.append(nil)
                    continue
                }
                var index = indexes[place] ?? SegmentIndex(rereading: merged[place].index)
                index.append(contentsOf: segment.index)
                indexes[place] = index
                merged[place].count += segment.count
                merged[place].packets += segment.packets
                merged[place].sets += segment.sets
                merged[place].expiry = max(merged[place].expiry, segment.expiry)
            }
        }
        for (place, index) in indexes.enumerated() {
            if let index { merged[place].index = index.bytes }
        }
        return withSets(merged)
    }

    /// Whom messages are for is written last: the index must be whole.
    private static func withSets(_ segments: [SegmentWrite]) -> [SegmentWrite] {
        guard segments.contains(where: { !$0.sets.isEmpty }) else { return segments }
        return segments.map { segment in
            guard !segment.sets.isEmpty else { return segment }
            var segment = segment
            SegmentSets.append(segment.sets, to: &segment.index)
            segment.sets = []
            return segment
        }
    }

    private static func isNeighbour(_ segment: SegmentWrite, _ next: SegmentWrite) -> Bool {
        next.first == segment.first + UInt64(segment.count) && segment.packets.count < enoughBytes
    }
}

extension SegmentIndex {
    /// An index that goes on where `bytes` end.
    fileprivate init(rereading bytes: [UInt8]) {
        self.init()
        append(contentsOf: bytes)
    }

    fileprivate mutating func append(contentsOf bytes: [UInt8]) {
        var reader = Reader(bytes)
        while let entry = reader.next() {
            append(laneSequence: entry.laneSequence, receivedAt: entry.receivedAt)
        }
    }
}
