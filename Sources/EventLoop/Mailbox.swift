import Synchronization

/// Values from any thread to a loop: `post(_:)` anywhere, the handler on the loop in its next tick, in the order posted. A
/// burst of posts wakes the loop once. Where there are no threads (simulation) a post is handled in the next tick just
/// the same.
public final class Mailbox<Value: Sendable>: Sendable {
    private let queue: MailQueue<Value>
    private let mail: MailFlag

    /// - Parameter handler: called on the loop for each value. The loop keeps it until the mailbox is gone.
    public init(loop: EventLoop, _ handler: @escaping (Value) -> Void) {
        queue = MailQueue()
        mail = loop.mail
        loop.mailboxes.append(Recipient(queue: queue, handler: handler))
    }

    deinit {
        queue.close()
        mail.set()
    }

    public func post(_ value: Value) {
        if queue.append(value) { mail.set() }
    }
}

/// The loop's end of a mailbox.
protocol Draining: AnyObject {
    var isClosed: Bool { get }

    /// Handles what has been posted; false when nothing more can come.
    func drain() -> Bool
}

/// Says that some mailbox of a loop has something, and wakes the loop when it first does.
final class MailFlag: Sendable {
    private let flag = Atomic(false)
    private let waker: any Waker

    init(waker: any Waker) {
        self.waker = waker
    }

    var isSet: Bool { flag.load(ordering: .acquiring) }

    func set() {
        if !flag.exchange(true, ordering: .acquiringAndReleasing) { waker.wake() }
    }

    /// Whether it was set; clears it. Comes before the mailboxes are emptied, so that a post in between sets it again.
    func take() -> Bool {
        flag.load(ordering: .relaxed) && flag.exchange(false, ordering: .acquiringAndReleasing)
    }
}

private final class MailQueue<Value: Sendable>: Sendable {
    private struct State {
        var values: [Value] = []
        var isClosed = false
    }

    private let state = Mutex(State())

    /// True when the queue was empty, so that the loop has to be told.
    func append(_ value: Value) -> Bool {
        state.withLock { state in
            state.values.append(value)
            return state.values.count == 1
        }
    }

    func close() {
        state.withLock { $0.isClosed = true }
    }

    /// Swaps what has been posted for `values`, which is empty, so that no burst allocates; true once nothing more can come.
    func takeAll(_ values: inout [Value]) -> Bool {
        var taken = values
        values = []
        let closed = state.withLock { state in
            swap(&state.values, &taken)
            return state.isClosed
        }
        values = taken
        return closed
    }
}

private final class Recipient<Value: Sendable>: Draining {
    private let queue: MailQueue<Value>
    private let handler: (Value) -> Void
    private var values: [Value] = []
    private(set) var isClosed = false

    init(queue: MailQueue<Value>, handler: @escaping (Value) -> Void) {
        self.queue = queue
        self.handler = handler
    }

    func drain() -> Bool {
        isClosed = queue.takeAll(&values)
        for value in values { handler(value) }
        values.removeAll(keepingCapacity: true)
        return !isClosed
    }
}
