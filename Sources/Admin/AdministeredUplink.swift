import EventLoop
import Uplink

/// What is looked at and steered of an uplink.
public protocol AdministeredUplink: AnyObject {
    var report: UplinkReport { get }
    /// Sends nothing until `resume`; messages are stored.
    func pause()
    func resume()
    /// Sends what waits for its batch to fill, now.
    func flush()
    /// Why the route of this name sends nothing; nil: nothing holds it back.
    func holding(route name: String) -> String?
    /// Tries every address, and tells what came of each step.
    func test(_ completion: @escaping ([TrialStep]) -> Void)
}

extension AdministeredUplink {
    public func holding(route name: String) -> String? { nil }
    public func test(_ completion: @escaping ([TrialStep]) -> Void) { completion([]) }
}

/// An uplink as it is now.
public struct UplinkReport: Sendable, Equatable {
    /// In the words of `roost uplink`.
    public enum State: String, Sendable, CaseIterable {
        case connected, connecting, waiting, paused
        /// Connected, but nobody subscribes to batches.
        case noReceiver = "no receiver"
    }

    public var name: String
    public var state: State
    /// When the state became what it is.
    public var since: Instant
    /// The address that is connected, or tried.
    public var url: String
    /// Why it isn't connected, or holds back; nil: nothing is wrong.
    public var error: String?
    /// Smoothed, from sending to acknowledgement; 0: not known yet.
    public var roundTripMilliseconds = 0.0
    public var sentMessages: UInt64 = 0
    /// All bytes on the link, upwards and downwards.
    public var sentBytes: UInt64 = 0
    public var receivedBytes: UInt64 = 0
    public var acknowledgedMessages: UInt64 = 0
    /// Messages of QoS 2 that went at QoS 1.
    public var downgradedMessages: UInt64 = 0
    /// Since when nothing of what is on its way was acknowledged; nil: nothing is on its way.
    public var unansweredSince: Instant?
    /// Connections after the first.
    public var reconnects: UInt64 = 0

    public init(name: String, state: State, since: Instant, url: String, error: String? = nil) {
        self.name = name
        self.state = state
        self.since = since
        self.url = url
        self.error = error
    }

    /// Messages reach the far end's broker.
    public var isUp: Bool { state == .connected || state == .noReceiver }
}
