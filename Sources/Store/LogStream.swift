import DequeModule
import EventLoop
import MQTT

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

    public internal(set) var record: StreamRecord
    public let numbering: Numbering
    /// Its streams are the log's, and never outlive it.
    unowned(unsafe) let log: Log

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
    var firstOnDisk: UInt64?
    /// Destinations that can't be waited for now: away, full, or slow.
    var unsettleable = 0
    var isInDoubt = true
    var isDue = false
    var isLazilyDue = false
    var membershipsChanged = false

    /// Members, for a stream of sessions.
    public private(set) var memberships: [SessionQueue.Membership] = []
    /// What a mixed stream has beside; nil elsewhere.
    var mixed: Mixed?
    /// Numbers of an earlier run's route that were done with out of their order, as its position on disk has them.
    let storedFinished: IntervalSet
    /// Tells the route whose stream this is of each message.
    var onAppend: ((UInt64, Message) -> Void)?
    /// Told when a reading that said `loading`, or an end, is over.
    var waiting: [any StreamConsumer] = []
    var areWaiting: Set<ObjectIdentifier> = []
    var loaded: [LoadedRun] = [] {
        didSet { log.loadedRuns += loaded.count - oldValue.count }
    }
    var readInFlight = false
    /// Where the tail began when the read was asked for: below it, what the read doesn't find isn't there.
    var readLimit: UInt64 = 0

    /// Everything ever appended in this run: for averages.
    private(set) var appendedBytes = 0
    private(set) var appendedMessages = 0
    var lastAppend: Instant
    /// The newest message that somebody waited for at its coming, or whose safety a publisher waits for instead.
    private var lastAwaited: UInt64 = 0
    private var unloaded = UnloadedMarks()
    /// When a destination last looked for a message.
    var lastRead: Instant

    init(record: StreamRecord, numbering: Numbering, log: Log, isRecorded: Bool) {
        self.record = record
        self.numbering = numbering
        self.log = log
        self.isRecorded = isRecorded
        next = 1
        submittedBelow = 1
        committedBelow = 1
        tailFirst = 1
        storedFinished = IntervalSet()
        lastAppend = log.loop.now
        lastRead = lastAppend
        if record.kind == .mixed { mixed = Mixed() }
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
        if let firstOnDisk {
            unloaded.add(UnloadedMarks.Mark(number: firstOnDisk, receivedAt: stored.oldest, laneSequence: 0))
        }
        if case .route = stored.record.kind, let position = stored.positions[.route] {
            // What was passed and never stored lies above what is there.
            storedFinished = IntervalSet(
                position.finished.compactMap { [next] range in
                    range.lowerBound < next ? range.lowerBound...min(range.upperBound, next - 1) : nil
                })
        } else {
            storedFinished = IntervalSet()
        }
        appendedBytes = stored.bytes
        appendedMessages = stored.messages
        lastAppend = log.loop.now
        lastRead = lastAppend
        if stored.record.kind == .mixed { mixed = Mixed(stored) }
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

    /// Where a message stands in the order of all: of one that has left memory, where one before it does.
    func place(_ number: UInt64) -> UInt64 { laneSequence(number) ?? unloaded.mark(number)?.laneSequence ?? 0 }

    /// Store time of receipt of a message; of one that has left memory that of one before it, not long before as a rule.
    func receivedAt(_ number: UInt64) -> Int64? {
        if number >= tailFirst, number < next {
            return tail[Int(number - tailFirst)].message?.receivedAt
        }
        for run in loaded where run.first <= number && number <= run.last {
            if case .message(let message) = run.read(at: number) { return message.receivedAt }
        }
        return unloaded.mark(number)?.receivedAt
    }

    // MARK: Members

    func enter(_ membership: SessionQueue.Membership) {
        membership.place = memberships.count
        memberships.append(membership)
        mixed?.members[membership.queue.session] = membership
    }

    /// The last takes its place: members are many, and their order is of no consequence.
    func leave(_ membership: SessionQueue.Membership) {
        guard membership.place < memberships.count, memberships[membership.place] === membership else { return }
        mixed?.members[membership.queue.session] = nil
        let last = memberships.removeLast()
        guard last !== membership else { return }
        last.place = membership.place
        memberships[last.place] = last
    }

    // MARK: Appending and passing

    func append(_ message: Message) {
        let number = next
        next += 1
        message.addPart()
        if message.waiter != nil { lastAwaited = number }
        let receivers = mixed == nil ? nil : receivers(of: message)
        tail.append(Entry(message: message, remaining: max(receivers?.count ?? memberships.count, 1)))
        appendedBytes += message.byteCount
        appendedMessages += 1
        lastAppend = log.loop.now
        onAppend?(number, message)
        guard let receivers else { return }
        for membership in receivers { membership.own?.append(number, message, at: lastAppend) }
        if receivers.isEmpty { pass(number) }
    }

    /// Takes a number for a message that isn't kept.
    func skipNumber() -> UInt64 {
        let number = next
        next += 1
        tail.append(Entry(message: nil, remaining: 0))
        passedInTail += 1
        dropPassed()
        if passedInTail > Self.maximumPassedInTail, passedInTail * 2 > tail.count { unload() }
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

    /// A message of a route gives way to a newer one of its topic: it will not be sent, and it is safe once the newer one is.
    func supersede(_ number: UInt64, by newer: UInt64) {
        guard number >= tailFirst, newer < next, tail[Int(number - tailFirst)].remaining > 0 else { return }
        let index = Int(number - tailFirst)
        tail[index].remaining = 0
        guard let message = tail[index].message else { return }
        tail[index].message = nil
        passedInTail += 1
        if number >= committedBelow {
            let successor = newer >= committedBelow && newer >= tailFirst ? tail[Int(newer - tailFirst)].message : nil
            if let successor, message.isAwaited {
                successor.vouch(for: message)
                lastAwaited = max(lastAwaited, newer)
            } else {
                message.partIsSafe()
            }
        }
        dropPassed()
        if passedInTail > Self.maximumPassedInTail, passedInTail * 2 > tail.count { unload() }
    }

    /// The message with this number waits for its commit, and is not to be seen before.
    func isHeld(_ number: UInt64) -> Bool {
        number >= tailFirst && number < next && tail[Int(number - tailFirst)].message?.isHeld == true
    }

    /// The message with this number where it is in memory and may be seen.
    func inMemory(_ number: UInt64) -> Message? {
        guard number < next else { return nil }
        if number >= tailFirst {
            guard let message = tail[Int(number - tailFirst)].message, !message.isHeld else { return nil }
            return message
        }
        guard let run = loaded.first(where: { $0.first <= number && number <= $0.last }),
            case .message(let message) = run.read(at: number)
        else { return nil }
        return message
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
        unloaded.forget(below: below)
        guard let firstOnDisk, below > firstOnDisk, isRecorded else { return }
        log.lazily(.trim(record.id, below: below))
        self.firstOnDisk = below < submittedBelow ? below : nil
    }

    /// Segments that the writer removed by itself.
    func removed(_ first: UInt64, through last: UInt64) {
        loaded.removeAll { $0.last >= first && $0.first <= last }
        // What went from the middle is found missing when its turn comes; what is before it stays.
        if let firstOnDisk, first <= firstOnDisk, firstOnDisk <= last {
            self.firstOnDisk = last + 1 < submittedBelow ? last + 1 : nil
        }
        guard last >= tailFirst else { return }
        for number in max(first, tailFirst)...min(last, next - 1) {
            let index = Int(number - tailFirst)
            if tail[index].message != nil { passedInTail += 1 }
            tail[index].message = nil
            tail[index].remaining = 0
        }
        dropPassed()
    }

    // MARK: Memory

    /// Gives back the memory of the tail's messages that are on disk.
    func unload() {
        if tailFirst < committedBelow, let message = tail.first?.message {
            unloaded.add(
                UnloadedMarks.Mark(
                    number: tailFirst, receivedAt: message.receivedAt, laneSequence: message.laneSequence))
        }
        while tailFirst < committedBelow, let entry = tail.popFirst() {
            if entry.message == nil { passedInTail -= 1 }
            tailFirst += 1
        }
    }
}
