import EventLoop
import MQTT

/// What waits for one durable session: its places in the streams it belongs to, merged in the order in which the messages
/// came.
///
/// The session reads ahead of what its client has acknowledged; each message it took is finished once, in any order.
public final class SessionQueue: StreamConsumer {
    /// One session's place in one stream.
    public final class Membership {
        public let stream: LogStream
        public let member: StreamMember
        public unowned let queue: SessionQueue
        /// Everything to here is finished.
        var cursor: UInt64
        var finished = IntervalSet()
        /// The number to be read next.
        var nextToRead: UInt64
        /// Numbers that an earlier run sent, and that reading passes over.
        private(set) var inFlight: Set<UInt64> = []
        /// The lane sequence of the message at `nextToRead`, once it was read.
        fileprivate(set) var head: (number: UInt64, sequence: UInt64)?
        var isDirty = false
        var isJoined = true

        init(stream: LogStream, member: StreamMember, queue: SessionQueue, position: Position) {
            self.stream = stream
            self.member = member
            self.queue = queue
            cursor = position.cursor
            finished = IntervalSet(position.finished)
            nextToRead = position.cursor + 1
        }

        var position: Position { Position(cursor: cursor, finished: finished.intervals) }

        /// Messages that are neither finished nor lost.
        var waiting: UInt64 {
            let first = max(cursor + 1, stream.first)
            return stream.next > first ? stream.next - first - min(finished.count, stream.next - first) : 0
        }

        /// The first number that waits and was not sent; where all were sent, the first that waits.
        var oldest: UInt64 {
            let first = max(cursor + 1, stream.first)
            var number = unfinished(from: max(nextToRead, first))
            while number < stream.next, inFlight.contains(number) { number = unfinished(from: number + 1) }
            return number < stream.next ? number : unfinished(from: first)
        }

        /// What the session loses first: what was sent comes last, since the client may be about to acknowledge it. But from
        /// a client that has let several times the session's limit come and go without an acknowledgement it is taken as well,
        /// for everything behind it stays on disk as long as it does.
        fileprivate var firstToLose: UInt64 {
            let first = max(cursor + 1, stream.first)
            let span = Int(stream.next - min(first, stream.next))
            guard span > 4 * queue.maximumMessages || span * stream.averageBytes > 4 * queue.maximumBytes else {
                return oldest
            }
            return unfinished(from: first)
        }

        private func unfinished(from number: UInt64) -> UInt64 {
            finished.end(containing: number).map { $0 + 1 } ?? number
        }

        /// The message with this number is the next that the session reads here.
        public func isNext(_ number: UInt64) -> Bool { nextToRead == number }

        /// The message with this number was sent in an earlier run: it is resent under its identifier, not read again.
        public func isInFlight(_ number: UInt64) { inFlight.insert(number) }

        func finish(_ number: UInt64) {
            guard number > cursor, !finished.contains(number) else { return }
            if number == cursor + 1 {
                cursor = number
                if let end = finished.takePrefix(after: cursor) { cursor = end }
            } else {
                finished.insert(number)
            }
            stream.pass(number)
            if stream.isOnDisk { stream.log.positionChanged(self) }
        }

        /// Finishes everything from the reading position to below `next`: there is nothing to be read. What was taken
        /// before and isn't finished stays so.
        func skip(to next: UInt64) {
            let last = min(next, stream.next) - 1
            let first = max(nextToRead, cursor + 1)
            nextToRead = max(nextToRead, last + 1)
            guard first <= last else { return }
            if last >= stream.tailFirst {
                for number in max(first, stream.tailFirst)...last where !finished.contains(number) {
                    stream.pass(number)
                }
            }
            finished.insert(first...last)
            if let end = finished.takePrefix(after: cursor) { cursor = end }
            if stream.isOnDisk { stream.log.positionChanged(self) }
        }

        /// Messages at or above `number` are finished: without a position on disk they would come again.
        func hasPassed(beyond number: UInt64) -> Bool { cursor >= number || !finished.isEmpty }

        func removed(_ first: UInt64, through last: UInt64, because reason: Removal.Reason) {
            guard last > cursor, first <= last else { return }
            if reason != .expired { queue.lost += last - max(first, cursor + 1) + 1 }
            if first <= cursor + 1 {
                cursor = last
                finished.remove(through: last)
                if let end = finished.takePrefix(after: cursor) { cursor = end }
            }
            nextToRead = max(nextToRead, cursor + 1)
        }
    }

    /// A message to be delivered, with what the subscription said when it was routed.
    public struct Item {
        public let membership: Membership
        public let number: UInt64
        public let message: Message

        public init(membership: Membership, number: UInt64, message: Message) {
            self.membership = membership
            self.number = number
            self.message = message
        }
    }

    public enum Next {
        case item(Item)
        /// Being read from disk, or waiting for its commit: `onReadable` will come.
        case loading
        case empty
    }

    public let session: SessionID
    /// Told of each message that is appended for the session; of one that is held back until its commit, `onHold`.
    public var onAppend: ((Membership, UInt64, Message) -> Void)?
    public var onHold: (() -> Void)?
    private unowned let log: Log
    public private(set) var memberships: [Membership] = []
    /// Limits of what may wait; beyond them the session loses its own.
    public var maximumMessages: Int
    public var maximumBytes: Int
    public var losesNewest = false
    /// Messages lost to the limits, or evicted.
    public internal(set) var lost: UInt64 = 0
    public private(set) var losesEpisode = false
    /// Told when there may be something to read again.
    public var onReadable: (() -> Void)?
    /// Told once an episode when the session starts to lose messages.
    public var onLoss: (() -> Void)?

    /// The session's client is connected, has room, and usually answers within the settle window.
    public private(set) var canSettle = false

    public init(session: SessionID, log: Log, maximumMessages: Int, maximumBytes: Int) {
        self.session = session
        self.log = log
        self.maximumMessages = maximumMessages
        self.maximumBytes = maximumBytes
    }

    /// Takes up its places in the streams that the database held.
    public func restore(_ places: [StoredState.Place]) {
        for place in places {
            guard let stream = log.streams[place.stream] else { continue }
            join(stream, as: place.member, at: place.position)
        }
        memberships.sort { $0.stream.numbering.run < $1.stream.numbering.run }
    }

    func join(_ stream: LogStream, as member: StreamMember, at position: Position? = nil) {
        let membership = Membership(
            stream: stream, member: member, queue: self, position: position ?? Position(cursor: stream.next - 1))
        memberships.append(membership)
        stream.memberships.append(membership)
        if !canSettle { stream.unsettleable += 1 }
    }

    /// The session ends: nothing waits for it any more.
    public func leaveAll() {
        for membership in memberships { leave(membership) }
        memberships = []
    }

    private func leave(_ membership: Membership) {
        membership.isJoined = false
        let stream = membership.stream
        stream.memberships.removeAll { $0 === membership }
        if !canSettle { stream.unsettleable -= 1 }
        // Only what is in memory counts its destinations.
        var number = max(membership.cursor + 1, stream.tailFirst)
        while number < stream.next {
            if !membership.finished.contains(number) { stream.pass(number) }
            number += 1
        }
        if stream.memberships.isEmpty { log.retire(stream) }
    }

    /// Leaves streams that are empty, and take nothing more since another set has their place or they are old.
    public func leaveFinishedStreams(idleSince instant: Instant) {
        memberships.removeAll { membership in
            let stream = membership.stream
            guard stream.next == membership.cursor + 1 || stream.first == stream.next, stream.lastAppend < instant,
                stream.memberships.allSatisfy({ $0.cursor + 1 >= stream.next || stream.first == stream.next })
            else { return false }
            log.stopAppending(to: stream)
            leave(membership)
            return true
        }
    }

    /// The client is gone: what it was sent and nobody else waits for goes to the disk, by commit time.
    public func commitUnwritten() {
        for membership in memberships { log.commitLazily(membership.stream) }
    }

    public func setCanSettle(_ value: Bool) {
        guard value != canSettle else { return }
        canSettle = value
        for membership in memberships { membership.stream.unsettleable += value ? -1 : 1 }
    }

    // MARK: Reading

    /// The next message in the order of receipt; it isn't passed over until `take`.
    public func peek() -> Next {
        while true {
            var best: (membership: Membership, sequence: UInt64, isHeld: Bool)?
            for membership in memberships {
                switch head(of: membership) {
                case .end: continue
                case .loading: return .loading
                case .sequence(let sequence, let isHeld):
                    if sequence < best?.sequence ?? .max { best = (membership, sequence, isHeld) }
                }
            }
            guard let best else { return .empty }
            // What waits for its commit keeps its place before what came later in another stream.
            if best.isHeld { return .loading }
            let membership = best.membership
            let number = membership.nextToRead
            switch membership.stream.read(at: number, for: self) {
            case .message(let message): return .item(Item(membership: membership, number: number, message: message))
            case .loading: return .loading
            case .missing(let next): membership.skip(to: max(next, number + 1))
            case .end: membership.head = nil
            }
        }
    }

    private enum Head {
        case sequence(UInt64, isHeld: Bool)
        case loading
        case end
    }

    /// The place of the stream's next message in the order of receipt. Once known it is remembered: of a session with many
    /// streams on disk only the next one's messages must be in memory.
    private func head(of membership: Membership) -> Head {
        while true {
            // What the limits took may still be readable.
            membership.nextToRead = max(membership.nextToRead, membership.cursor + 1)
            let number = membership.nextToRead
            if membership.finished.contains(number) || membership.inFlight.contains(number) {
                membership.nextToRead += 1
                continue
            }
            if let head = membership.head, head.number == number {
                return .sequence(head.sequence, isHeld: false)
            }
            switch membership.stream.read(at: number, for: self) {
            case .end:
                guard let sequence = membership.stream.laneSequence(number) else { return .end }
                return .sequence(sequence, isHeld: true)
            case .loading: return .loading
            case .missing(let next): membership.skip(to: max(next, number + 1))
            case .message(let message):
                membership.head = (number, message.laneSequence)
                return .sequence(message.laneSequence, isHeld: false)
            }
        }
    }

    public func take(_ item: Item) { item.membership.nextToRead = item.number + 1 }

    /// The client has the message, or never will: it is done with.
    public func finish(_ membership: Membership, _ number: UInt64) { membership.finish(number) }

    /// Reads one message again, for a resend.
    public func reread(_ membership: Membership, _ number: UInt64) -> LogStream.Reading {
        membership.stream.read(at: number, for: self)
    }

    public func membership(of stream: StreamID) -> Membership? { memberships.first { $0.stream.record.id == stream } }

    public func streamIsReadable(_ stream: LogStream) { onReadable?() }

    // MARK: Bounds

    public var waitingMessages: Int { memberships.reduce(0) { $0 + Int($1.waiting) } }

    /// Estimated from the streams' average message.
    public var waitingBytes: Int {
        memberships.reduce(0) { $0 + Int($1.waiting) * $1.stream.averageBytes }
    }

    /// Keeps the limits after a message was appended: what is over is lost, oldest first unless told otherwise.
    public func enforceLimits() {
        var messages = waitingMessages
        var bytes = waitingBytes
        guard messages > maximumMessages || bytes > maximumBytes else {
            if losesEpisode, messages < maximumMessages / 2 { losesEpisode = false }
            return
        }
        if !losesEpisode {
            losesEpisode = true
            onLoss?()
        }
        while messages > maximumMessages || (bytes > maximumBytes && messages > 0) {
            guard let victim = losesNewest ? newest() : oldest() else { return }
            let average = victim.stream.averageBytes
            victim.finish(losesNewest ? victim.stream.next - 1 : victim.firstToLose)
            lost += 1
            messages -= 1
            bytes -= average
        }
    }

    /// Where the oldest message waits; what has left memory is older than what hasn't.
    private func oldest() -> Membership? {
        memberships.filter { $0.waiting > 0 }.min {
            ($0.stream.numbering.run, $0.stream.laneSequence($0.oldest) ?? 0)
                < ($1.stream.numbering.run, $1.stream.laneSequence($1.oldest) ?? 0)
        }
    }

    private func newest() -> Membership? {
        memberships.filter { $0.waiting > 0 && !$0.finished.contains($0.stream.next - 1) }
            .max { $0.stream.lastAppend < $1.stream.lastAppend }
    }
}
