/// What one read brought back: a span of numbers, and the messages found in it.
struct LoadedRun {
    let tag: UInt64
    let first: UInt64
    var last: UInt64
    private var numbers: [UInt64] = []
    private var messages: [Message] = []

    init(tag: UInt64, first: UInt64, last: UInt64) {
        self.tag = tag
        self.first = first
        self.last = last
    }

    mutating func append(_ segment: StoredSegment, meter: MemoryMeter) {
        last = segment.first + UInt64(segment.count) - 1
        var index = SegmentIndex.Reader(segment.index)
        segment.packets.withUnsafeBytes { packets in
            var offset = 0
            for step in 0..<segment.count {
                var length = 0
                guard let entry = index.next(),
                    let message = Message(
                        stored: UnsafeRawBufferPointer(rebasing: packets[offset...]), laneSequence: entry.laneSequence,
                        receivedAt: entry.receivedAt, meter: meter, length: &length)
                else { return }
                offset += length
                let number = segment.first + UInt64(step)
                guard number >= first else { continue }
                numbers.append(number)
                messages.append(message)
            }
        }
        if !index.rest.isAtEnd { readSets(of: segment, behind: index) }
    }

    /// Whom the segment's messages, the last that were read, are for.
    private func readSets(of segment: StoredSegment, behind index: SegmentIndex.Reader) {
        var sets = SegmentSets.Reader(behind: index)
        let skipped = first > segment.first ? Int(first - segment.first) : 0
        let start = messages.count - (segment.count - skipped)
        guard start >= 0 else { return }
        for step in 0..<segment.count {
            guard let set = sets.next() else { return }
            if step >= skipped { messages[start + step - skipped].set = set }
        }
    }

    func read(at number: UInt64) -> LogStream.Reading {
        let index = numbers.partitioningIndex(where: { $0 >= number })
        guard index < numbers.count else { return .missing(next: last + 1) }
        return numbers[index] == number ? .message(messages[index]) : .missing(next: numbers[index])
    }
}
