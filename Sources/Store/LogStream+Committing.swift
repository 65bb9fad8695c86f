import EventLoop

/// How the tail's messages go to the disk: as segments for the writer, and safe once it has them.
extension LogStream {
    /// Messages that are not on disk, of those that were submitted below a number.
    func forEachUncommitted(below end: UInt64, _ body: (UInt64, Message) -> Void) {
        var number = max(committedBelow, tailFirst)
        while number < min(end, next) {
            if let message = tail[Int(number - tailFirst)].message { body(number, message) }
            number += 1
        }
    }

    /// What was handed to the writer came back unwritten.
    func takeBackSubmitted() {
        submittedBelow = max(committedBelow, tailFirst)
        mixed?.spans.takeBack(from: submittedBelow)
    }

    /// The unsubmitted part as segments, one for each run of numbers that still wait.
    func takeUnsubmitted() -> [SegmentWrite] { takeUnsubmitted(below: next) }

    func takeUnsubmitted(below end: UInt64) -> [SegmentWrite] {
        var segments: [SegmentWrite] = []
        var number = max(submittedBelow, tailFirst)
        while number < end {
            guard tail[Int(number - tailFirst)].message != nil else {
                number += 1
                continue
            }
            let segment = segment(from: number, below: end)
            segments.append(segment)
            number += UInt64(segment.count)
        }
        submittedBelow = max(submittedBelow, end)
        if firstOnDisk == nil { firstOnDisk = segments.first?.first }
        return segments
    }

    /// The messages from `first` on that still wait, up to the first that doesn't.
    private func segment(from first: UInt64, below end: UInt64) -> SegmentWrite {
        let start = Int(first - tailFirst)
        var place = start
        var bytes = 0
        var expiry = Int64.min
        while place < start + Int(end - first), let message = tail[place].message {
            bytes += message.byteCount
            expiry = max(expiry, message.expiresAt)
            place += 1
        }
        let count = place - start
        var index = SegmentIndex(room: count)
        var sets: [MessageSet] = []
        let packets = [UInt8](unsafeUninitializedCapacity: bytes) { target, filled in
            guard var target = UnsafeMutableRawPointer(target.baseAddress) else { return }
            for place in start..<place {
                guard let message = tail[place].message else { continue }
                target.copyMemory(from: message.start, byteCount: message.byteCount)
                target += message.byteCount
                index.append(laneSequence: message.laneSequence, receivedAt: message.receivedAt)
                if mixed != nil { sets.append(stillWaiting(for: message, first + UInt64(place - start))) }
            }
            filled = bytes
        }
        if !sets.isEmpty { noteSubmitted(first...first + UInt64(count) - 1, sets) }
        return SegmentWrite(
            stream: record.id, first: first, count: count, packets: packets, index: index.bytes,
            receivedAt: tail[start].message?.receivedAt ?? 0, expiry: expiry, sets: sets)
    }

    /// The group that held the numbers below `end` is on disk.
    func committed(below end: UInt64) {
        var number = max(committedBelow, tailFirst)
        committedBelow = max(committedBelow, end)
        while number < end, number < next {
            if number >= tailFirst { tail[Int(number - tailFirst)].message?.partIsSafe() }
            number += 1
        }
        if log.loop.now - lastRead > Self.readersAreGone { unload() }
    }

    /// Where nobody has looked for a message for so long, the session is away or the link is down, and nobody will come soon for
    /// what has just been written: it leaves memory while it is still in the processor's, and whoever comes reads it from disk.
    private static let readersAreGone = Duration.seconds(1)
}
