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
        var packets: [UInt8] = []
        var index = SegmentIndex()
        var first = number
        var receivedAt: Int64 = 0
        var expiry = Int64.min
        var sets: [MessageSet] = []
        func close(before end: UInt64) {
            guard !packets.isEmpty else { return }
            segments.append(
                SegmentWrite(
                    stream: record.id, first: first, count: Int(end - first), packets: packets, index: index.bytes,
                    receivedAt: receivedAt, expiry: expiry, sets: sets))
            if !sets.isEmpty { noteSubmitted(first...end - 1, sets) }
            packets = []
            sets = []
            index = SegmentIndex()
            expiry = .min
        }
        while number < end {
            if let message = tail[Int(number - tailFirst)].message {
                if packets.isEmpty {
                    packets.reserveCapacity(min(Int(next - number) * (averageBytes + 16), StoreJobs.mergeBytes))
                    first = number
                    receivedAt = message.receivedAt
                }
                packets.append(contentsOf: message.packet)
                index.append(laneSequence: message.laneSequence, receivedAt: message.receivedAt)
                expiry = max(expiry, message.expiresAt)
                if mixed != nil { sets.append(stillWaiting(for: message, number)) }
            } else {
                close(before: number)
            }
            number += 1
        }
        close(before: number)
        submittedBelow = max(submittedBelow, end)
        if firstOnDisk == nil { firstOnDisk = segments.first?.first }
        return segments
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
