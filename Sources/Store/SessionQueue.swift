import EventLoop
import MQTT

/// What waits for one durable session: its places in the streams it belongs to, merged in the order in which the messages
/// came.
///
/// The session reads ahead of what its client has acknowledged; each message it took is finished once, in any order.
public final class SessionQueue: StreamConsumer {
    /// A message to be delivered, with what the subscription said when it was routed.
    public struct Item {
        public let membership: Membership
        public let number: UInt64
        public let message: Message
        /// What the subscription said.
        public var member: StreamMember { membership.member(of: message) }

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
        for stream in log.earlierMixed where stream.waitsStored(for: session) { joinMixed(stream) }
        memberships.sort { $0.stream.numbering.run < $1.stream.numbering.run }
    }

    func join(_ stream: LogStream, as member: StreamMember, at position: Position? = nil) {
        let membership = Membership(
            stream: stream, member: member, queue: self, position: position ?? Position(cursor: stream.next - 1))
        memberships.append(membership)
        stream.enter(membership)
        if !canSettle { stream.unsettleable += 1 }
    }

    /// Takes up its place in a mixed stream; `position` is where an earlier run left it.
    func joinMixed(_ stream: LogStream) {
        let (position, numbers) = stream.takeStored(for: session)
        let member = StreamMember(session: session, qos: 1, retainAsPublished: false, subscriptionIdentifiers: [])
        let membership = Membership(stream: stream, member: member, queue: self, position: position, own: numbers)
        memberships.append(membership)
        stream.enter(membership)
    }

    /// The session ends: nothing waits for it any more.
    public func leaveAll() {
        for membership in memberships { leave(membership) }
        memberships = []
    }

    private func leave(_ membership: Membership) {
        membership.isJoined = false
        let stream = membership.stream
        stream.leave(membership)
        if !canSettle { stream.unsettleable -= 1 }
        membership.passAll()
        if stream.memberships.isEmpty { log.retire(stream) }
    }

    /// Leaves streams that are empty, and take nothing more since another set has their place or they are old.
    public func leaveFinishedStreams(idleSince instant: Instant) {
        memberships.removeAll { membership in
            let stream = membership.stream
            if membership.own != nil {
                // Nobody else's place there depends on this one's; but what it finished must be on disk.
                guard stream !== log.mixedStream, membership.waiting == 0, !membership.isDirty else { return false }
                leave(membership)
                return true
            }
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
        for membership in memberships where membership.own.map({ $0.awaitsUnsubmitted(of: membership.stream) }) ?? true
        {
            log.commitLazily(membership.stream)
        }
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
            guard let number = membership.findNextToRead() else { return .end }
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

    /// Gives up what waits and was not taken: nobody is left to have it.
    public func finishUnread() { for membership in memberships { membership.finishUnread() } }

    /// Reads one message again, for a resend.
    public func reread(_ membership: Membership, _ number: UInt64) -> LogStream.Reading {
        membership.stream.read(at: number, for: self)
    }

    /// Its place in a stream, as a delivery that was recorded there has it. In a mixed stream that may have nothing of the
    /// session's on disk any more.
    public func membership(of stream: StreamID) -> Membership? {
        if let found = memberships.first(where: { $0.stream.record.id == stream }) { return found }
        guard let mixed = log.earlierMixed.first(where: { $0.record.id == stream }) else { return nil }
        joinMixed(mixed)
        return memberships.last
    }

    public func streamIsReadable(_ stream: LogStream) { onReadable?() }

    // MARK: Bounds

    public var waitingMessages: Int { memberships.reduce(0) { $0 + Int($1.waiting) } }

    /// Estimated from the streams' average message.
    public var waitingBytes: Int {
        memberships.reduce(0) { $0 + Int($1.waiting) * $1.averageBytes }
    }

    /// Keeps the limits after a message was appended: what is over is lost, oldest first unless told otherwise.
    public func enforceLimits() {
        var messages = 0
        var bytes = 0
        for membership in memberships {
            let waiting = Int(membership.waiting)
            messages += waiting
            bytes += waiting * membership.averageBytes
        }
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
            let average = victim.averageBytes
            victim.finish(losesNewest ? victim.newest : victim.firstToLose)
            lost += 1
            messages -= 1
            bytes -= average
        }
    }

    /// Where the oldest message waits, nearly so among those that have left memory.
    private func oldest() -> Membership? {
        memberships.filter { $0.waiting > 0 }.min {
            ($0.stream.numbering.run, $0.stream.place($0.oldest))
                < ($1.stream.numbering.run, $1.stream.place($1.oldest))
        }
    }

    private func newest() -> Membership? {
        memberships.filter { $0.waiting > 0 && !$0.finished.contains($0.newest) }.max { $0.lastAppend < $1.lastAppend }
    }
}
