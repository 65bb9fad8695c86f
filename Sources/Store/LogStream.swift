import DequeModule
import EventLoop
import MQTT

/// Where a number counts: a route counts its own messages in each lane of each run from 1.
public struct Numbering: Hashable, Sendable {
    /// `RunRecord.ordinal`.
    public let run: Int64
    public let epoch: UInt64
    public let lane: UInt16

    public init(run: Int64, epoch: UInt64, lane: UInt16) {
        self.run = run
        self.epoch = epoch
        self.lane = lane
    }
}

/// One stream of the log: numbered messages for one route, or for one set of sessions.
///
/// The newest messages are in memory (the tail), what was committed and has left memory is read back from the database in
/// large steps. Each message in the tail counts the destinations that have yet to pass it; a message that all passed before
/// its commit never reaches the disk.
public final class LogStream {
    struct Entry {
        /// nil once every destination has passed it.
        var message: Message?
        var remaining: Int
    }

    /// What is found at a number.
    public enum Reading {
        case message(Message)
        /// Being read from disk: `streamIsReadable` will come.
        case loading
        /// Passed, evicted or expired: go on at `next`.
        case missing(next: UInt64)
        case end
    }

    public let record: StreamRecord
    public let numbering: Numbering
    unowned let log: Log

    /// The number that the next message gets.
    public private(set) var next: UInt64
    /// Numbers below are in a group that was handed to the writer, on disk, or passed.
    var submittedBelow: UInt64
    var committedBelow: UInt64
    /// The tail: the messages from `tailFirst` to `next - 1`.
    private(set) var tailFirst: UInt64
    private(set) var tail: Deque<Entry> = []
    /// How many of the tail's messages were passed by all.
    private var passedInTail = 0
    private static let maximumPassedInTail = 1024

    /// The stream's row is in the database, or in a group on its way there.
    var isRecorded: Bool
    /// Lowest number that may be on disk; nil: nothing is.
    private(set) var firstOnDisk: UInt64?
    /// Destinations that can't be waited for now: away, full, or slow.
    var unsettleable = 0
    /// Messages that nobody waits for are written too, by the commit timer: a route's link is in doubt or down; a session is
    /// away, full or slow.
    var keepsUnawaited: Bool {
        if case .route = record.kind { return isInDoubt }
        return unsettleable > 0
    }
    var isInDoubt = true
    var isDue = false
    var isLazilyDue = false
    var membershipsChanged = false

    /// Members, for a stream of sessions.
    public internal(set) var memberships: [SessionQueue.Membership] = []
    /// Tells the route whose stream this is of each message.
    var onAppend: (() -> Void)?
    /// Told when a reading that said `loading`, or an end, is over.
    private var waiting: [any StreamConsumer] = []
    private var loaded: [LoadedRun] = []
    private var readInFlight = false
    /// Where the tail began when the read was asked for: below it, what the read doesn't find isn't there.
    private var readLimit: UInt64 = 0

    /// Everything ever appended in this run: for averages.
    private(set) var appendedBytes = 0
    private(set) var appendedMessages = 0
    var lastAppend: Instant
    /// The newest message that somebody waited for at its coming.
    private var lastAwaited: UInt64 = 0
    /// Store time of receipt of the oldest message that an earlier run left.
    private var storedOldest: Int64?

    init(record: StreamRecord, numbering: Numbering, log: Log, isRecorded: Bool) {
        self.record = record
        self.numbering = numbering
        self.log = log
        self.isRecorded = isRecorded
        next = 1
        submittedBelow = 1
        committedBelow = 1
        tailFirst = 1
        lastAppend = log.loop.now
    }

    /// A stream of an earlier run, all on disk.
    init(stored: StoredState.Stream, numbering: Numbering, log: Log) {
        record = stored.record
        self.numbering = numbering
        self.log = log
        isRecorded = true
        next = max((stored.numbers?.upperBound ?? 0) + 1, stored.trimmedBelow, 1)
        submittedBelow = next
        committedBelow = next
        tailFirst = next
        // A segment whose beginning was passed is there whole: what was passed must not be found again.
        let first = max(stored.numbers?.lowerBound ?? next, stored.trimmedBelow)
        firstOnDisk = first < next ? first : nil
        storedOldest = firstOnDisk == nil ? nil : stored.oldest
        appendedBytes = stored.bytes
        appendedMessages = stored.messages
        lastAppend = log.loop.now
    }

    /// The lowest number that anything may be found at.
    public var first: UInt64 { min(firstOnDisk ?? tailFirst, tailFirst) }

    var averageBytes: Int { appendedMessages == 0 ? 0 : appendedBytes / appendedMessages }

    /// Messages in the tail or not yet submitted.
    var hasUnsubmitted: Bool { submittedBelow < next && tailFirst < next }

    /// Something of the stream may be on disk.
    var isOnDisk: Bool { firstOnDisk != nil }

    /// A message at or above `number` came with somebody waiting for it.
    func hasWaiter(from number: UInt64) -> Bool { lastAwaited >= number }

    /// The place in the order of all messages of one that is in the tail.
    func laneSequence(_ number: UInt64) -> UInt64? {
        guard number >= tailFirst, number < next else { return nil }
        return tail[Int(number - tailFirst)].message?.laneSequence
    }

    /// Store time of receipt of a message that is in memory.
    func receivedAt(_ number: UInt64) -> Int64? {
        if number >= tailFirst, number < next {
            return tail[Int(number - tailFirst)].message?.receivedAt
        }
        for run in loaded where run.first <= number && number <= run.last {
            if case .message(let message) = run.read(at: number) { return message.receivedAt }
        }
        return storedOldest
    }

    // MARK: Appending and passing

    func append(_ message: Message, destinations: Int) -> UInt64 {
        let number = next
        next += 1
        message.unsafeParts += 1
        if message.waiter != nil { lastAwaited = number }
        tail.append(Entry(message: message, remaining: destinations))
        appendedBytes += message.byteCount
        appendedMessages += 1
        lastAppend = log.loop.now
        onAppend?()
        return number
    }

    /// One destination has passed the message.
    func pass(_ number: UInt64) {
        guard number >= tailFirst, number < next else { return }
        let index = Int(number - tailFirst)
        guard tail[index].remaining > 0 else { return }
        tail[index].remaining -= 1
        guard tail[index].remaining == 0, let message = tail[index].message else { return }
        tail[index].message = nil
        passedInTail += 1
        if number >= committedBelow { message.partIsSafe() }
        dropPassed()
        // Behind a message that nobody acknowledges, places of others that were passed pile up.
        if passedInTail > Self.maximumPassedInTail, passedInTail * 2 > tail.count { unload() }
    }

    private func dropPassed() {
        while let entry = tail.first, entry.message == nil {
            tail.removeFirst()
            tailFirst += 1
            passedInTail -= 1
        }
        if tailFirst > submittedBelow { submittedBelow = tailFirst }
        if tailFirst > committedBelow { committedBelow = tailFirst }
    }

    /// Everything below has been passed by all: the disk may forget it.
    func forget(below: UInt64) {
        loaded.removeAll { $0.last < below }
        guard let firstOnDisk, below > firstOnDisk, isRecorded else { return }
        log.lazily(.trim(record.id, below: below))
        self.firstOnDisk = below < submittedBelow ? below : nil
    }

    /// Segments that the writer removed by itself.
    func removed(_ first: UInt64, through last: UInt64) {
        loaded.removeAll { $0.last >= first && $0.first <= last }
        if let firstOnDisk, firstOnDisk <= last { self.firstOnDisk = last + 1 < submittedBelow ? last + 1 : nil }
        guard last >= tailFirst else { return }
        for number in max(first, tailFirst)...min(last, next - 1) {
            let index = Int(number - tailFirst)
            if tail[index].message != nil { passedInTail += 1 }
            tail[index].message = nil
            tail[index].remaining = 0
        }
        dropPassed()
    }

    // MARK: Committing

    /// The unsubmitted part as segments, one for each run of numbers that still wait.
    func takeUnsubmitted() -> [SegmentWrite] {
        var segments: [SegmentWrite] = []
        var number = max(submittedBelow, tailFirst)
        var packets: [UInt8] = []
        var index = SegmentIndex()
        var first = number
        var receivedAt: Int64 = 0
        var expiry = Int64.min
        func close(before end: UInt64) {
            guard !packets.isEmpty else { return }
            segments.append(
                SegmentWrite(
                    stream: record.id, first: first, count: Int(end - first), packets: packets, index: index.bytes,
                    receivedAt: receivedAt, expiry: expiry))
            packets = []
            index = SegmentIndex()
            expiry = .min
        }
        while number < next {
            if let message = tail[Int(number - tailFirst)].message {
                if packets.isEmpty {
                    first = number
                    receivedAt = message.receivedAt
                }
                packets.append(contentsOf: message.packet)
                index.append(laneSequence: message.laneSequence, receivedAt: message.receivedAt)
                expiry = max(expiry, message.expiresAt)
            } else {
                close(before: number)
            }
            number += 1
        }
        close(before: number)
        submittedBelow = next
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
    }

    /// Gives back the memory of the tail's messages that are on disk.
    func unload() {
        while tailFirst < committedBelow, let entry = tail.popFirst() {
            if entry.message == nil { passedInTail -= 1 }
            tailFirst += 1
        }
    }

    /// The tag of the oldest read whose messages are still in memory.
    var oldestRead: UInt64? { loaded.first?.tag }

    func dropOldestRead() { if !loaded.isEmpty { loaded.removeFirst() } }

    // MARK: Reading

    public func read(at number: UInt64, for consumer: any StreamConsumer) -> Reading {
        guard number < next else { return .end }
        if number >= tailFirst {
            guard let message = tail[Int(number - tailFirst)].message else { return .missing(next: number + 1) }
            return message.isHeld ? .end : .message(message)
        }
        if let run = loaded.first(where: { $0.first <= number && number <= $0.last }) {
            return run.read(at: number)
        }
        guard let firstOnDisk else { return .missing(next: tailFirst) }
        guard number >= firstOnDisk else { return .missing(next: min(firstOnDisk, tailFirst)) }
        if !waiting.contains(where: { $0 === consumer }) { waiting.append(consumer) }
        if !readInFlight {
            readInFlight = true
            readLimit = tailFirst - 1
            log.read(self, from: number, maximumBytes: Self.readStep)
        }
        return .loading
    }

    func didRead(_ tag: UInt64, from: UInt64, _ segments: [StoredSegment]) {
        readInFlight = false
        var run = LoadedRun(tag: tag, first: from, last: max(from, readLimit))
        for segment in segments { run.append(segment, meter: log.readMeter) }
        if loaded.count >= Self.loadedRuns { loaded.removeFirst() }
        loaded.append(run)
        log.trimReads()
        let told = waiting
        waiting = []
        for consumer in told { consumer.streamIsReadable(self) }
    }

    /// Bytes of packets that one read brings into memory.
    private static let readStep = 512 * 1024
    /// How many reads are kept for readers at different places.
    private static let loadedRuns = 4
}

/// Who reads a stream.
public protocol StreamConsumer: AnyObject {
    func streamIsReadable(_ stream: LogStream)
}

/// What one read brought back: a span of numbers, and the messages found in it.
private struct LoadedRun {
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
    }

    func read(at number: UInt64) -> LogStream.Reading {
        var low = 0
        var high = numbers.count
        while low < high {
            let middle = (low + high) / 2
            if numbers[middle] < number { low = middle + 1 } else { high = middle }
        }
        guard low < numbers.count else { return .missing(next: last + 1) }
        return numbers[low] == number ? .message(messages[low]) : .missing(next: numbers[low])
    }
}
