/// What a descriptor can be waited for.
public struct Interest: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let read = Interest(rawValue: 1)
    public static let write = Interest(rawValue: 2)
    /// For descriptors that count (eventfd): reported once for each change and need no reading.
    public static let edge = Interest(rawValue: 4)
}

/// What has become of a descriptor.
public struct Readiness: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let readable = Readiness(rawValue: 1)
    public static let writable = Readiness(rawValue: 2)
    /// The peer will send no more; what it sent may still be to be read.
    public static let peerClosed = Readiness(rawValue: 4)
    /// Both directions are over, or the descriptor has an error. Reported whether asked for or not.
    public static let broken = Readiness(rawValue: 8)
}

/// One thing a poller has to report: the token the descriptor was added with, and what became of it.
public struct PollEvent: Sendable {
    public var token: UInt64
    public var readiness: Readiness

    public init(token: UInt64, readiness: Readiness) {
        self.token = token
        self.readiness = readiness
    }
}

/// Where a loop waits. `EpollPoller` waits for the kernel; `VirtualPoller` never waits, so that a simulation can turn the
/// same loop on virtual time.
public protocol Poller: AnyObject {
    /// Reports `descriptor` under `token` while it is ready for `interest` (level-triggered).
    func add(_ descriptor: Int32, _ interest: Interest, token: UInt64) throws(SystemError)

    /// Changes what an added descriptor is reported for.
    func change(_ descriptor: Int32, _ interest: Interest, token: UInt64) throws(SystemError)

    /// Reports `descriptor` no more. Comes before the descriptor is closed.
    func remove(_ descriptor: Int32)

    /// Waits until something is ready, `wake()` was called, or `timeout` has passed (nil: however long), and returns how
    /// many events `event(_:)` then has.
    func wait(_ timeout: Duration?) -> Int

    /// Event `index` of those the last `wait` counted.
    func event(_ index: Int) -> PollEvent

    /// Ends the wait of this poller from any thread.
    var waker: any Waker { get }
}

/// Ends a poller's wait, from any thread.
public protocol Waker: AnyObject, Sendable {
    func wake()
}
