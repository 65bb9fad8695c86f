/// One thread's turn after turn: wait, serve what is ready, run due timers, drain mailboxes, call the tick-end hooks, and
/// write every touched stream's output once. Everything on a loop belongs to it and is not Sendable; other threads reach
/// it through a `Mailbox` alone.
public final class EventLoop {
    /// The token of the poller's own waker.
    static let wakeToken = UInt64.max

    /// The longest wait. epoll counts it on a clock that stands still in suspend; so at most this long after waking up
    /// the boot clock's timers are looked at again.
    private static let longestWait: Duration = .seconds(30)

    /// How many layers of streams (WebSocket on TLS on a socket) a tick flushes, each touching the one below; what is
    /// touched beyond it waits for the next tick, which then doesn't wait.
    private static let flushPasses = 8

    public let clock: any Clock

    /// Which of the process's loops this is.
    public let index: Int

    /// The clock, read once a tick; between ticks the clock as it is.
    public var now: Instant { isTicking ? tickStart : clock.now }
    private var tickStart: Instant

    /// Ticks so far.
    public private(set) var ticks: UInt64 = 0

    /// What other threads may know of this loop.
    public let rest = LoopRest()

    let poller: any Poller
    let mail: MailFlag
    var wheel: TimingWheel
    var watches = WatchTable()
    var mailboxes: [any Draining] = []
    private(set) lazy var readBuffer = ReadBuffer()

    /// What TLS streams decrypt into, while the read buffer holds what they decrypt.
    private(set) lazy var plainBuffer = ReadBuffer()

    private var tickEndHooks: [() -> Void] = []
    private var onceHooks: [() -> Void] = []
    private var touched: [ByteStream] = []
    private var flushing: [ByteStream] = []
    private var revisits: [ByteStream] = []
    private var revisiting: [ByteStream] = []
    private var wantsAnotherTick = false
    private var isStopping = false
    private var isTicking = false

    public init(clock: any Clock, poller: any Poller, index: Int = 0) {
        self.clock = clock
        self.poller = poller
        self.index = index
        tickStart = clock.now
        wheel = TimingWheel(now: clock.now)
        mail = MailFlag(waker: poller.waker)
    }

    /// A loop on the machine's clocks and epoll.
    public convenience init(index: Int = 0) throws(SystemError) {
        try self.init(clock: SystemClock(), poller: EpollPoller(), index: index)
    }

    // MARK: - Turning

    /// Turns until `stop()`.
    public func run() {
        while !isStopping { tick(wait: nil) }
        isStopping = false
    }

    /// Ends `run()` after this tick, or at once when it is called next. On the loop's own thread only.
    public func stop() {
        isStopping = true
    }

    /// One turn.
    /// - Parameter wait: the longest time to wait for something to happen; nil: until the next timer is due.
    public func tick(wait: Duration? = nil) {
        precondition(!isTicking, "a tick inside a tick")
        let timeout = timeout(wait)
        let mayRest = timeout != .zero
        if mayRest { rest.set(true) }
        let events = poller.wait(timeout)
        if mayRest { rest.set(false) }
        wantsAnotherTick = false
        tickStart = clock.now
        isTicking = true
        defer { isTicking = false }
        ticks &+= 1
        visitAgain()
        for index in 0..<events { serve(poller.event(index)) }
        runTimers()
        if mail.take() { drainMailboxes() }
        endTick()
    }

    /// Lets go of everything the loop holds (timers, hooks, watches, mailboxes, touched streams), so that what refers to
    /// the loop and is referred to by it can be freed. The last call on a loop; it closes no stream.
    public func tearDown() {
        // Let go of at the end, outside of any access: what goes may cancel timers and close streams as it does.
        let held = (wheel, watches, mailboxes, tickEndHooks, onceHooks, touched, revisits)
        defer { withExtendedLifetime(held) {} }
        wheel = TimingWheel(now: now)
        for descriptor in watches.removeAll() { poller.remove(descriptor) }
        mailboxes = []
        tickEndHooks = []
        onceHooks = []
        touched = []
        revisits = []
    }

    private func timeout(_ wait: Duration?) -> Duration? {
        if hasImmediateWork || isStopping { return .zero }
        if let wait, wait <= .zero { return .zero }
        var timeout = min(wait ?? EventLoop.longestWait, EventLoop.longestWait)
        if let next = wheel.nextDeadline() { timeout = min(timeout, max(.zero, next - clock.now)) }
        return timeout
    }

    private var hasImmediateWork: Bool {
        wantsAnotherTick || !touched.isEmpty || !revisits.isEmpty || !onceHooks.isEmpty || mail.isSet
    }

    private func serve(_ event: PollEvent) {
        watches.handler(for: event.token)?.descriptorIsReady(event.readiness)
    }

    private func runTimers() {
        wheel.advance(to: tickStart)
        while let body = wheel.popDue() { body() }
    }

    private func drainMailboxes() {
        var closed = false
        for mailbox in mailboxes where !mailbox.drain() { closed = true }
        if closed { mailboxes.removeAll { $0.isClosed } }
    }

    private func visitAgain() {
        guard !revisits.isEmpty else { return }
        swap(&revisits, &revisiting)
        for index in revisiting.indices { revisiting[index].visitAgain() }
        revisiting.removeAll(keepingCapacity: true)
    }

    private func endTick() {
        for hook in tickEndHooks { hook() }
        if !onceHooks.isEmpty {
            let hooks = onceHooks
            onceHooks = []
            for hook in hooks { hook() }
        }
        for _ in 0..<EventLoop.flushPasses {
            guard !touched.isEmpty else { return }
            swap(&touched, &flushing)
            for index in flushing.indices { flushing[index].flush() }
            flushing.removeAll(keepingCapacity: true)
        }
    }

    // MARK: - Timers

    /// Calls `body` once, in the first tick at whose start `after` has passed. Constant time; microseconds to years.
    @discardableResult
    public func schedule(after delay: Duration, _ body: @escaping () -> Void) -> Timer {
        wheel.schedule(at: now + max(.zero, delay), body)
    }

    /// Calls `body` once, in the first tick that begins at `deadline` or later.
    @discardableResult
    public func schedule(at deadline: Instant, _ body: @escaping () -> Void) -> Timer {
        wheel.schedule(at: deadline, body)
    }

    /// Takes back a scheduled call; harmless when it has run or been cancelled.
    public func cancel(_ timer: Timer) {
        // As in tearDown(): the body outlives the access to the wheel.
        let body = wheel.body(of: timer)
        wheel.cancel(timer)
        withExtendedLifetime(body) {}
    }

    /// When the next timer is due, exactly; what a simulation moves its clock to.
    public var nextDeadline: Instant? { wheel.nextDeadline() }

    /// Whether something waits that the next tick would do without any time passing or descriptor getting ready.
    public var hasWork: Bool {
        if hasImmediateWork { return true }
        guard let next = wheel.nextDeadline() else { return false }
        return next <= clock.now
    }

    // MARK: - The tick's end

    /// Calls `body` at the end of every tick, once, before outputs are flushed; hooks run in the order they were added. A
    /// hook may touch streams and schedule timers. When a flush closes a stream, the hooks run again without delay, in the
    /// next tick.
    public func atTickEnd(_ body: @escaping () -> Void) {
        tickEndHooks.append(body)
    }

    /// Calls `body` once, at the end of this tick (or of the next, when called between ticks), after the permanent hooks.
    public func onNextTickEnd(_ body: @escaping () -> Void) {
        onceHooks.append(body)
    }

    /// Has the next tick follow at once: something is left for it that the loop can't know of.
    public func tickAgain() {
        wantsAnotherTick = true
    }

    /// Has the stream's output written once, at the tick's end.
    public func touch(_ stream: ByteStream) {
        guard stream.markTouched() else { return }
        touched.append(stream)
    }

    /// Has the stream looked at again at the start of the next tick: it holds bytes that its delegate has not had.
    func revisit(_ stream: ByteStream) {
        guard stream.markForRevisit() else { return }
        revisits.append(stream)
    }
}
