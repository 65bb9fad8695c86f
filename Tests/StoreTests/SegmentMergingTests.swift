import Testing

@testable import Store

@Suite struct SegmentMergingTests {
    private func segment(_ stream: Int64, _ first: UInt64, _ sequences: [UInt64], bytes: Int = 3) -> SegmentWrite {
        var index = SegmentIndex()
        for sequence in sequences { index.append(laneSequence: sequence, receivedAt: Int64(sequence) * 10) }
        return SegmentWrite(
            stream: StreamID(rawValue: stream), first: first, count: sequences.count,
            packets: Array(repeating: UInt8(truncatingIfNeeded: first), count: bytes), index: index.bytes,
            receivedAt: Int64(sequences[0]) * 10, expiry: Int64(1000 - first))
    }

    private func group(_ segments: SegmentWrite...) -> CommitGroup {
        CommitGroup(number: 1, segments: segments, changes: [])
    }

    private func entries(_ segment: SegmentWrite) -> [UInt64] {
        var reader = SegmentIndex.Reader(segment.index)
        var result: [UInt64] = []
        while let entry = reader.next() {
            #expect(entry.receivedAt == Int64(entry.laneSequence) * 10)
            result.append(entry.laneSequence)
        }
        return result
    }

    @Test func neighboursOfOneStreamBecomeOne() {
        let merged = SegmentMerging.merge([
            group(segment(1, 1, [5, 9]), segment(2, 7, [6])), group(segment(1, 3, [10])),
            group(segment(1, 4, [12, 20])),
        ])

        #expect(merged.map(\.first) == [1, 7])
        #expect(merged.map(\.count) == [5, 1])
        #expect(merged[0].packets == [1, 1, 1, 3, 3, 3, 4, 4, 4])
        #expect(entries(merged[0]) == [5, 9, 10, 12, 20])
        #expect(merged[0].receivedAt == 50)
        #expect(merged[0].expiry == 999)
    }

    @Test func aHoleIsNeverBridged() {
        let merged = SegmentMerging.merge([
            group(segment(1, 1, [1])), group(segment(1, 3, [3])), group(segment(1, 4, [4])),
        ])

        #expect(merged.map(\.first) == [1, 3])
        #expect(merged.map(\.count) == [1, 2])
    }

    @Test func aLargeSegmentGetsNoMore() {
        let merged = SegmentMerging.merge([group(segment(1, 1, [1], bytes: 300_000)), group(segment(1, 2, [2]))])

        #expect(merged.map(\.count) == [1, 1])
    }
}
