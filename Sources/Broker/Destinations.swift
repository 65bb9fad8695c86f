import Glibc
import MQTT
import Store

/// Who gets the messages of one topic, worked out once and kept until a subscription changes.
final class Destinations {
    /// One subscriber's delivery, several matching subscriptions taken together: the highest QoS, every identifier.
    struct Delivery {
        /// Strong: a message that waits for its commit may outlive its subscriber.
        let session: Session
        var qos: QoS
        var retainAsPublished: Bool
        var subscriptionIdentifiers: [UInt32]
    }

    /// Those that a message reaches only while they are connected: QoS 0 subscriptions, sessions that end with their
    /// connection.
    var direct: [Delivery] = []
    /// Durable sessions with QoS > 0: their messages go through the log.
    var durable: [Delivery] = []
    /// Shared Subscriptions: each gives a message to one of its members. Those with a queue in the log, and the others.
    var durableShares: [ShareGroup] = []
    var directShares: [ShareGroup] = []
    /// Somebody's messages with QoS > 0 go through the log.
    private(set) var wantsLog = false
    /// Somebody's messages never do.
    private(set) var wantsDirect = false
    /// The stream of all in `durable` and `durableShares`; made at the first message with QoS > 0.
    var stream: LogStream?
    /// Where that is the mixed stream, what its messages must have.
    var set: MessageSet?
    var topology: UInt64 = 0
    /// One route an uplink at most.
    var routes: [Route] = []
    /// A route among them has publishers wait for its far end.
    var hasUpstream = false
    var hasNoLocal = false
    /// Of publishers that have rights of their own.
    var verdicts = PublishVerdicts()

    /// Somebody may be given a message without the log.
    var hasListeners: Bool { wantsDirect || wantsLog }
    var isEmpty: Bool { !wantsDirect && !wantsLog && routes.isEmpty }

    /// All who get the messages are known.
    func close() {
        wantsLog = !durable.isEmpty || !durableShares.isEmpty
        wantsDirect = !direct.isEmpty || !directShares.isEmpty
    }
}

/// A route as the broker sees it: which topics it takes, and where they go.
public final class Route {
    public let uplink: String
    /// It takes what one of them matches.
    public let filters: [[UInt8]]
    public let queue: RouteQueue

    public convenience init(uplink: String, filter: [UInt8], queue: RouteQueue) {
        self.init(uplink: uplink, filters: [filter], queue: queue)
    }

    public init(uplink: String, filters: [[UInt8]], queue: RouteQueue) {
        self.uplink = uplink
        self.filters = filters
        self.queue = queue
    }

    func matches(_ topic: UnsafeRawBufferPointer) -> Bool {
        filters.contains { $0.withUnsafeBytes { TopicFilter.matches(filter: $0, topic: topic) } }
    }
}

/// Topic bytes to destinations: an open-addressed table with the hash computed once a message.
struct DestinationCache {
    private struct Slot {
        var hash: UInt64 = 0
        var topic: [UInt8] = []
        var destinations: Destinations?
    }

    private var slots: [Slot]
    private var count = 0
    private var generation: UInt64 = 0
    private let seed = UInt64.random(in: 0 ... .max)
    private static let maximum = 65_536
    /// Of the topics: they are the publishers' to choose, up to 64 KiB each.
    private var bytes = 0
    private static let maximumBytes = 4 << 20

    init() { slots = Array(repeating: Slot(), count: 1024) }

    func hash(_ topic: UnsafeRawBufferPointer) -> UInt64 { topicHash(topic, seed: seed) }

    mutating func find(_ topic: UnsafeRawBufferPointer, hash: UInt64, generation: UInt64) -> Destinations? {
        guard generation == self.generation else {
            removeAll()
            self.generation = generation
            return nil
        }
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: hash) & mask
        while let destinations = slots[index].destinations {
            if slots[index].hash == hash, Self.equal(slots[index].topic, topic) { return destinations }
            index = (index + 1) & mask
        }
        return nil
    }

    mutating func insert(_ topic: UnsafeRawBufferPointer, hash: UInt64, _ destinations: Destinations) {
        if count >= Self.maximum || bytes + topic.count > Self.maximumBytes { removeAll() }
        if count * 2 >= slots.count { grow() }
        place(Slot(hash: hash, topic: [UInt8](topic), destinations: destinations))
        count += 1
        bytes += topic.count
    }

    private mutating func place(_ slot: Slot) {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: slot.hash) & mask
        while slots[index].destinations != nil { index = (index + 1) & mask }
        slots[index] = slot
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(), count: old.count * 2)
        for slot in old where slot.destinations != nil { place(slot) }
    }

    private mutating func removeAll() {
        guard count > 0 else { return }
        slots = Array(repeating: Slot(), count: 1024)
        count = 0
        bytes = 0
    }

    private static func equal(_ a: [UInt8], _ b: UnsafeRawBufferPointer) -> Bool {
        guard a.count == b.count else { return false }
        guard let other = b.baseAddress else { return true }
        return a.withUnsafeBytes { bytes in bytes.baseAddress.map { memcmp($0, other, b.count) == 0 } ?? true }
    }
}
