import EventLoop
import MQTT
import Store

/// When a route in mode `each` holds back, and what the upstream has refused meanwhile.
struct SingleHold {
    private(set) var hold: Hold?
    var refusals = Refusals()
    private let queue: RouteQueue
    private let context: SendingContext
    /// What the route needs of the upstream.
    private let qos: QoS
    private var backoff: Backoff
    /// What a closed connection refused goes once more, when another has been accepted.
    private let retriesClosings: Bool
    /// When the hold is over, what was refused goes again.
    private var retriesRefused = false

    init(queue: RouteQueue, context: SendingContext, qos: QoS, retriesClosings: Bool) {
        self.retriesClosings = retriesClosings
        self.queue = queue
        self.context = context
        self.qos = qos
        backoff = Backoff(min: context.options.reconnectMin, max: context.options.reconnectMax)
    }

    mutating func connect() {
        if retriesRefused { refusals.forget() }
        retriesRefused = false
        hold = Hold(server: context.client.server, qos: qos)
    }

    mutating func flush() {
        if retriesRefused {
            hold?.until = context.client.loop.now
        } else {
            hold = Hold(server: context.client.server, qos: qos)
        }
    }

    /// Nothing holds back, or not any longer.
    mutating func isOver(_ now: Instant) -> Bool {
        guard let hold else { return true }
        guard now >= hold.until else { return false }
        self.hold = nil
        if retriesRefused {
            retriesRefused = false
            refusals.forget()
            queue.rewind()
        }
        return true
    }

    /// The upstream takes nothing now.
    mutating func wait(_ reason: ReasonCode, _ now: Instant) {
        begin(.refused(reason), until: now + backoff.next(random: context.random()))
    }

    /// It has refused very many, and accepted none.
    mutating func refusesEverything(_ now: Instant) {
        refusals.forget()
        begin(.refusesEverything, until: now + backoff.longest(random: context.random()))
    }

    /// Nothing waits but what was refused, and nothing was accepted since: it may be the upstream's doing, so it is tried again,
    /// much later.
    mutating func retryLater(_ now: Instant) {
        guard let last = refusals.pending.last, hold == nil else { return }
        retriesRefused = true
        let wait = backoff.longest(random: context.random()) * 5
        begin(last.reason == .unspecifiedError ? .closes : .refused(last.reason), until: now + wait)
    }

    mutating func accepted() {
        if hold == nil { backoff.reset() }
    }

    mutating func refused(_ place: Closings.Place, _ reason: ReasonCode) {
        refusals.add(place.numbering, place.number, reason)
        context.notice(
            "refuses \(queue.name) \(reason.name)",
            "route \(queue.name): the upstream refuses message \(place.number): \(reason.name)")
    }

    /// The upstream closes the connection at this message, each time.
    mutating func closes(at place: Closings.Place, count: Int) {
        refusals.add(place.numbering, place.number, isSaid: !retriesClosings)
        context.notice(
            "closes \(queue.name)",
            "route \(queue.name): the upstream has closed the connection \(count) times at message \(place.number); it is "
                + "set aside once another is taken")
        if refusals.isEverything { refusals.forget() }
    }

    private mutating func begin(_ reason: Hold.Reason, until: Instant) {
        let hold = Hold(reason: reason, until: until)
        self.hold = hold
        context.notice("held \(queue.name) \(hold.text)", "route \(queue.name) is held: \(hold.text)")
    }

    /// Answers about the Server rather than about the message.
    static func isForLater(_ reason: ReasonCode) -> Bool {
        reason == .quotaExceeded || reason == .packetIdentifierInUse
    }
}
