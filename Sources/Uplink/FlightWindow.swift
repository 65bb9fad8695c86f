import EventLoop

/// How much an uplink leaves unacknowledged: a connection begins with little and doubles it with every round trip, as TCP
/// does, so that a reconnect with a large backlog is no tidal wave; and where the network's pace shows in the
/// acknowledgements, it stops at what keeps the link busy, so that what matters doesn't queue behind what doesn't, in a
/// buffer on the way.
///
/// A part of the upstream's Receive Maximum is kept for the routes of the uplink's highest class.
struct FlightWindow {
    /// With which a connection begins.
    static let initialBytes = 32 << 10
    static let initialPublishes = 10
    static let maximumBytes = 16 << 20
    /// However slow the network.
    private static let leastBytes = 16 << 10
    /// What may queue on the way, besides what a round trip holds.
    private static let queue: Duration = .milliseconds(250)

    private(set) var bytes = initialBytes
    private(set) var publishes = initialPublishes

    /// A connection begins.
    mutating func reset() { self = FlightWindow() }

    /// A PUBLISH of so many bytes was acknowledged.
    mutating func acknowledged(_ count: Int, rate: Double?, roundTrip: Duration?) {
        publishes = min(publishes + 1, 65_535)
        bytes = min(bytes + count, Self.limit(rate, roundTrip))
    }

    /// Twice what a round trip holds at the rate that was seen, since a rate can only be seen to grow by sending more.
    private static func limit(_ rate: Double?, _ roundTrip: Duration?) -> Int {
        guard let rate, let roundTrip else { return maximumBytes }
        let seconds = Double((roundTrip * 2 + queue).nanoseconds) / 1e9
        return min(max(Int(clamping: Int64(rate * seconds)), leastBytes), maximumBytes)
    }

    /// Places of a Receive Maximum that classes below the highest leave free: a fifth, at least one of two or more, ten at
    /// most. Of a single place nothing can be kept.
    static func reserve(of receiveMaximum: Int) -> Int {
        receiveMaximum < 2 ? 0 : min(max(1, receiveMaximum / 5), 10)
    }
}
