import MQTT
import Store

/// Device twins, as the broker sees them: they hear what is published on some topics, which is routed all the same, and
/// answer on others.
public protocol TwinKeeper: AnyObject {
    /// Messages to this topic, which begins with `$`, concern twins.
    func wants(_ topic: UnsafeRawBufferPointer) -> Bool

    /// ... and are refused while the store takes nothing.
    func stores(_ topic: UnsafeRawBufferPointer) -> Bool

    /// Takes one message, which is `wanted`. What it changes holds at once, and is committed together with what is said.
    func take(_ publish: PublishView, from origin: Broker.Origin) -> TwinAnswer

    /// What is said to one that can't be kept; nothing changes.
    func refuse(_ publish: PublishView) -> [OwnMessage]

    /// What `take` gave with changes is on disk; called once for each.
    func changesAreSafe()
}

/// What a message to twins has come to.
public struct TwinAnswer {
    public var changes: [Change] = []
    /// Published by the node at QoS 1, once the changes are on disk.
    public var messages: [OwnMessage] = []
    /// There are no changes, but what is said rests on some that are not on disk yet.
    public var waits = false

    public init() {}
}

/// A message of the node's own.
public struct OwnMessage: Equatable, Sendable {
    public var topic: [UInt8]
    public var payload: [UInt8]

    public init(_ topic: String, _ payload: [UInt8]) {
        self.topic = Array(topic.utf8)
        self.payload = payload
    }
}

extension Broker {
    /// Somebody gets what is published there.
    public func isWanted(_ topic: String) -> Bool {
        var topic = topic
        return topic.withUTF8 { bytes in
            let bytes = UnsafeRawBufferPointer(bytes)
            // Not by way of the cache: topics of many devices would drive all others out of it.
            var isFound = false
            tree.match(bytes) { _ in isFound = true }
            return isFound || routes.contains { $0.matches(bytes) }
        }
    }

    /// Publishes the node's own messages at QoS 1 once `changes` are on disk; `committed` is called then. Without changes, and
    /// with nothing to wait for, at once.
    ///
    /// - Returns: false if the store can't keep them now: then nothing was taken.
    @discardableResult
    public func say(_ answer: TwinAnswer, committed: @escaping () -> Void = {}) -> Bool {
        Self.withViews(of: answer.messages) { views in
            if !answer.changes.isEmpty || answer.waits {
                if ingest(views, changes: answer.changes, committed: committed) { return true }
                guard answer.changes.isEmpty else { return false }
            }
            for view in views { _ = route(view, from: .node, waiter: nil, ticket: 0) }
            committed()
            return true
        }
    }

    /// A message that twins hear, too: it is acknowledged once they have committed what it changes, and routing is done.
    func route(
        _ publish: PublishView, by twins: any TwinKeeper, _ origin: Origin, _ waiter: (any SafetyWaiter)?,
        _ ticket: UInt64
    ) -> Outcome {
        if log.isRefusing, twins.stores(publish.topic) {
            var refusal = TwinAnswer()
            refusal.messages = twins.refuse(publish)
            say(refusal)
            if publish.qos == .atMostOnce { figures.dropped += 1 }
            return .done(.quotaExceeded)
        }
        let both = waiter.map { TwinWaiter($0, ticket) }
        let outcome = routeOn(publish, from: origin, waiter: both, ticket: ticket)
        if case .done(let reason) = outcome {
            both?.isRouted(reason)
            if reason.isError { return outcome }
        }
        let answer = twins.take(publish, from: origin)
        guard !answer.changes.isEmpty else {
            say(answer)
            guard case .done = outcome else {
                both?.twinsAreSafe()
                return .pending
            }
            both?.release()
            return .done(.success)
        }
        let isTaken = say(answer) { [unowned self] in
            self.twins?.changesAreSafe()
            both?.twinsAreSafe()
        }
        precondition(isTaken, "a store that takes messages takes changes")
        return both == nil ? .done(.success) : .pending
    }

    /// The messages as views, whose pointers are valid in `body`.
    static func withViews<Result>(of messages: [OwnMessage], _ body: ([PublishView]) -> Result) -> Result {
        let bytes = messages.reduce(0) { $0 + $1.topic.count + $1.payload.count }
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes, 1), alignment: 1)
        defer { memory.deallocate() }
        var end = 0
        func copy(_ part: [UInt8]) -> UnsafeRawBufferPointer {
            let place = UnsafeMutableRawBufferPointer(rebasing: memory[end..<(end + part.count)])
            place.copyBytes(from: part)
            end += part.count
            return UnsafeRawBufferPointer(place)
        }
        return body(
            messages.map { PublishView(topic: copy($0.topic), payload: copy($0.payload), qos: .atLeastOnce) })
    }
}

/// Waits for a message's own way and for the twins. Keeps itself alive until it is told, since whom it waits for may hold it
/// weakly.
private final class TwinWaiter: SafetyWaiter {
    private let waiter: any SafetyWaiter
    private let ticket: UInt64
    private var routed: ReasonCode?
    private var isTwinSafe = false
    private var keep: TwinWaiter?

    init(_ waiter: any SafetyWaiter, _ ticket: UInt64) {
        self.waiter = waiter
        self.ticket = ticket
        keep = self
    }

    var hearsRefusals: Bool { waiter.hearsRefusals }

    func messageIsSettled(ticket: UInt64, reason: ReasonCode) {
        routed = reason
        settle()
    }

    /// Routing was done at once.
    func isRouted(_ reason: ReasonCode) {
        routed = reason.isError ? reason : .success
        if reason.isError { release() }
    }

    /// Nobody needs to be told.
    func release() { keep = nil }

    func twinsAreSafe() {
        isTwinSafe = true
        settle()
    }

    private func settle() {
        guard keep != nil, let routed, isTwinSafe || routed.isError else { return }
        keep = nil
        waiter.messageIsSettled(ticket: ticket, reason: routed)
    }
}
