import CLinux
import Glibc

/// epoll, level-triggered. Edge-triggering would spare the rare `EPOLL_CTL_MOD` around a blocked output or a paused input,
/// but then every bounded read needs a ready list of its own and one more `read` to see EAGAIN; level-triggered, a read
/// that came back short is the last one, and what a tick's bound left over is simply reported again.
public final class EpollPoller: Poller {
    /// Events taken in one turn; what doesn't fit comes first in the next.
    private static let batch = 256

    private let descriptor: Descriptor
    private let eventWaker: EventWaker
    private let events: UnsafeMutablePointer<epoll_event>

    public init() throws(SystemError) {
        let number = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard number >= 0 else { throw SystemError.last("epoll_create1") }
        let epoll = Descriptor(number)
        eventWaker = try EventWaker()
        events = .allocate(capacity: EpollPoller.batch)
        events.initialize(repeating: epoll_event(), count: EpollPoller.batch)
        descriptor = epoll
        try add(eventWaker.descriptor.number, [.read, .edge], token: EventLoop.wakeToken)
    }

    deinit {
        events.deallocate()
    }

    public var waker: any Waker { eventWaker }

    public func add(_ descriptor: Int32, _ interest: Interest, token: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_ADD, descriptor, interest, token)
    }

    public func change(_ descriptor: Int32, _ interest: Interest, token: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_MOD, descriptor, interest, token)
    }

    public func remove(_ descriptor: Int32) {
        var event = epoll_event()
        epoll_ctl(self.descriptor.number, EPOLL_CTL_DEL, descriptor, &event)
    }

    public func wait(_ timeout: Duration?) -> Int {
        var milliseconds: Int32 = -1
        if let timeout {
            // Rounded up: waking before the timer is due would only mean waiting again.
            let nanoseconds = max(0, timeout.nanoseconds)
            milliseconds = Int32(clamping: nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 > 0 ? 1 : 0))
        }
        let count = epoll_wait(descriptor.number, events, Int32(EpollPoller.batch), milliseconds)
        if count >= 0 { return Int(count) }
        precondition(errno == EINTR, "epoll_wait failed on a valid descriptor")
        return 0
    }

    public func event(_ index: Int) -> PollEvent {
        let event = events[index]
        let bits = event.events
        var readiness: Readiness = []
        if bits & EPOLLIN.rawValue != 0 { readiness.insert(.readable) }
        if bits & EPOLLOUT.rawValue != 0 { readiness.insert(.writable) }
        if bits & EPOLLRDHUP.rawValue != 0 { readiness.insert(.peerClosed) }
        if bits & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 { readiness.insert(.broken) }
        return PollEvent(token: event.data.u64, readiness: readiness)
    }

    private func control(_ operation: Int32, _ number: Int32, _ interest: Interest, _ token: UInt64) throws(SystemError)
    {
        var bits: UInt32 = 0
        if interest.contains(.read) { bits |= EPOLLIN.rawValue | EPOLLRDHUP.rawValue }
        if interest.contains(.write) { bits |= EPOLLOUT.rawValue }
        if interest.contains(.edge) { bits |= EPOLLET.rawValue }
        var event = epoll_event()
        event.events = bits
        event.data.u64 = token
        guard epoll_ctl(descriptor.number, operation, number, &event) == 0 else { throw SystemError.last("epoll_ctl") }
    }
}

/// An eventfd. Edge-triggered, so that waking costs one write and no read: its value only ever grows, and 2^64 wakes are
/// never reached.
private final class EventWaker: Waker {
    let descriptor: Descriptor

    init() throws(SystemError) {
        let number = linux_eventfd()
        guard number >= 0 else { throw SystemError.last("eventfd") }
        descriptor = Descriptor(number)
    }

    func wake() {
        linux_eventfd_signal(descriptor.number)
    }
}
