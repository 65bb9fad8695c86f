import DequeModule
import EventLoop
import MQTT
import Store

/// A Shared Subscription (MQTT 5 §4.8.2): its members, and what waits for whichever of them can take it next.
///
/// Towards the log a group is what a session is: with a durable member whose QoS is above 0 it has a queue of its own, so that
/// a message is stored once for all members, waits while none of them is there, and is passed when one has acknowledged it.
/// Without one, messages wait in memory for the members that are connected. Either way a message is given to one member at a
/// time: each in its turn, past those that are away, full or slow.
public final class ShareGroup {
    struct Member {
        /// Leaves the group before it goes.
        unowned let session: Session
        /// Lives as long as it has members.
        unowned let group: ShareGroup
        let subscription: SubscriptionState

        /// Has the group's messages kept while it is away.
        var isDurable: Bool { session.isDurable && subscription.qos != .atMostOnce }
    }

    /// `$share/{ShareName}/{filter}`.
    public let filter: [UInt8]
    /// What topics are matched against.
    let topicFilter: [UInt8]
    unowned let broker: Broker
    private(set) var members: [Member] = []
    private var durableMembers = 0
    /// Where the next search for a member begins.
    var turn = 0
    var queue: SessionQueue?
    /// Messages in memory.
    var waiting: Deque<Message> = []
    var waitingBytes = 0
    /// ... and those of them that members have yet to acknowledge.
    var unacknowledgedBytes = 0
    /// What was taken from the queue and has no connected member now, in the order of receipt: it goes before the rest. Its
    /// holder takes it up again if it is back before another has it.
    var returned: [SharedDelivery] = []
    /// Taken from the queue, and not done with.
    var open = 0
    /// Something waits that no member could take at once.
    var isBehind = false
    /// No member can take anything now: whoever can again says so.
    var isStuck = false
    var isPumping = false
    var isEnded = false
    /// Numbers of QoS 2 deliveries to members that are not in the store, as it has them.
    var marks: Set<UInt16> = []
    private var lastMark: UInt16 = 0
    var lostInMemory: UInt64 = 0
    var losses = Episode()

    init(_ filter: [UInt8], broker: Broker) {
        self.filter = filter
        self.broker = broker
        topicFilter = filter.withUnsafeBytes { bytes in
            (try? TopicFilter(bytes)).map { [UInt8]($0.filter) } ?? filter
        }
    }

    static func isShared(_ filter: [UInt8]) -> Bool {
        filter.first == UInt8(ascii: "$")
            && filter.withUnsafeBytes { (try? TopicFilter($0))?.isShared ?? false }
    }

    public var memberCount: Int { members.count }
    public var connectedCount: Int { members.count { $0.session.isConnected } }
    /// Beyond the one that the tree counts.
    var extraMembers: Int { max(members.count - 1, 0) }
    /// Messages that wait, with those that members have yet to acknowledge.
    public var queuedMessages: Int { (queue?.waitingMessages ?? 0) + waiting.count }
    public var queuedBytes: Int { (queue?.waitingBytes ?? 0) + waitingBytes }
    /// Given to a member that has yet to acknowledge it.
    public var inflightCount: Int { open - returned.count }
    public var lostMessages: UInt64 { (queue?.lost ?? 0) + lostInMemory }
    public var isDurable: Bool { durableMembers > 0 }
    /// The group is full and loses messages now.
    public var isLosing: Bool {
        guard let queue, queue.losesEpisode else { return false }
        return queue.waitingMessages * 2 >= queue.maximumMessages || queue.waitingBytes * 2 >= queue.maximumBytes
    }

    // MARK: Members

    /// - Returns: what the store must know.
    func enter(_ session: Session, _ subscription: SubscriptionState) -> [Change] {
        let member = Member(session: session, group: self, subscription: subscription)
        if let place = members.firstIndex(where: { $0.session === session }) {
            durableMembers += (member.isDurable ? 1 : 0) - (members[place].isDurable ? 1 : 0)
            members[place] = member
            session.shares.removeAll { $0.group === self }
        } else {
            members.append(member)
            durableMembers += member.isDurable ? 1 : 0
        }
        session.shares.append(member)
        isBehind = true
        guard isDurable, queue == nil else { return [] }
        let id = broker.log.takeSessionID()
        openQueue(id)
        return [.share(ShareRecord(id: id, filter: filter))]
    }

    /// Whether it was a member.
    func leave(_ session: Session) -> Bool {
        guard let place = members.firstIndex(where: { $0.session === session }) else { return false }
        durableMembers -= members[place].isDurable ? 1 : 0
        members.remove(at: place)
        if turn > place { turn -= 1 }
        session.shares.removeAll { $0.group === self }
        if members.isEmpty { giveUp() }
        updateSettling()
        return true
    }

    /// The last member has left: nobody is there for what waits.
    private func giveUp() {
        for message in waiting { waitingBytes -= message.byteCount }
        waiting = []
        queue?.finishUnread()
        for delivery in returned where delivery.holder == nil { finish(delivery) }
        returned.removeAll { $0.holder == nil }
        isBehind = !returned.isEmpty
    }

    /// All sessions that there are have taken up their places.
    func isRestored() {
        if members.isEmpty { giveUp() }
        endIfDone()
    }

    /// Closes what nobody needs any more: the group, or its queue once no member is left for whom messages are kept.
    func endIfDone() {
        guard !isEnded, open == 0, !isDurable else { return }
        if members.isEmpty {
            isEnded = true
            broker.shares[filter] = nil
            broker.figures.lostByEndedSessions += lostMessages
            closeQueue()
        } else if let queue, queue.waitingMessages == 0 {
            lostInMemory += queue.lost
            closeQueue()
            broker.tree.noteChange()
        }
    }

    // MARK: Its queue in the log

    func openQueue(_ id: SessionID) {
        let limits = broker.limits
        let queue = SessionQueue(
            session: id, log: broker.log, maximumMessages: limits.sessionMessages, maximumBytes: limits.sessionBytes)
        queue.losesNewest = limits.sessionFullLosesNewest
        queue.onAppend = { [unowned self] _, _, _ in
            wake()
            if isBehind { self.queue?.enforceLimits() }
        }
        queue.onHold = { [unowned self] in isBehind = true }
        queue.onReadable = { [unowned self] in pump() }
        queue.onLoss = { [unowned self] in noteLoss() }
        self.queue = queue
    }

    private func closeQueue() {
        guard let queue else { return }
        broker.log.lazily(.sessionRemoved(queue.session))
        queue.leaveAll()
        self.queue = nil
    }

    func noteLoss() {
        let which = broker.limits.sessionFullLosesNewest ? "newest" : "oldest"
        broker.logLine(.warning, "shared subscription \(text(filter)) is full: it loses its \(which)")
    }

    /// As a member of a stream. What each subscription says counts when the message is given to one.
    var asMember: (queue: SessionQueue, member: StreamMember)? {
        queue.map {
            ($0, StreamMember(session: $0.session, qos: 2, retainAsPublished: false, subscriptionIdentifiers: []))
        }
    }

    /// Says whether the log may wait for the members' acknowledgements before it writes.
    func updateSettling() {
        queue?.setCanSettle(!isBehind && members.contains { $0.session.answersInTime })
    }

    // MARK: Marks

    var hasMark: Bool { marks.count < Int(UInt16.max) }

    func takeMark() -> UInt16 {
        repeat { lastMark = lastMark == .max ? 1 : lastMark + 1 } while marks.contains(lastMark)
        marks.insert(lastMark)
        return lastMark
    }
}
