/// A poller without descriptors. It never waits: with a clock of its own to move it lets `EventLoop.run()` jump from timer
/// to timer; without one whoever drives the simulation moves the clock between ticks.
public final class VirtualPoller: Poller {
    private let clock: VirtualClock?

    /// - Parameter advancing: the clock that a wait moves on by its timeout; nil where several loops share one clock.
    public init(advancing clock: VirtualClock? = nil) {
        self.clock = clock
    }

    public let waker: any Waker = NoWaker()

    public func add(_ descriptor: Int32, _ interest: Interest, token: UInt64) throws(SystemError) {
        throw SystemError(number: 38, call: "epoll_ctl")  // ENOSYS: there are no descriptors here
    }

    public func change(_ descriptor: Int32, _ interest: Interest, token: UInt64) throws(SystemError) {
        throw SystemError(number: 38, call: "epoll_ctl")
    }

    public func remove(_ descriptor: Int32) {}

    public func wait(_ timeout: Duration?) -> Int {
        if let clock, let timeout { clock.advance(by: max(.zero, timeout)) }
        return 0
    }

    public func event(_ index: Int) -> PollEvent { PollEvent(token: 0, readiness: []) }
}

/// A poller that never waits needs no waking.
private final class NoWaker: Waker {
    func wake() {}
}
