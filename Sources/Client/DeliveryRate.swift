import EventLoop

/// How fast the network really is, by the acknowledgements: the bytes that were acknowledged while a PUBLISH was under way,
/// over that time. A sender that has little to send learns a lower bound only, so what counts is the highest of the last
/// seconds; the shortest time from sending to acknowledgement is kept beside it. (After BBR's delivery rate estimation,
/// draft-cheng-iccrg-delivery-rate-estimation.)
struct DeliveryRate {
    /// What is noted with a PUBLISH when it is sent.
    struct Mark {
        var delivered: UInt64
        var deliveredAt: Instant
        /// When it leaves, as far as our own pace is concerned.
        var sentAt: Instant
        var bytes: Int
    }

    /// How long a maximum counts.
    private static let span: Duration = .seconds(10)
    /// Samples below this say nothing about the network.
    private static let leastBytes = 4096

    private var delivered: UInt64 = 0
    private var deliveredAt = Instant(nanoseconds: 0)
    private var present = 0.0
    private var before = 0.0
    private var spanEnds = Instant(nanoseconds: 0)
    private(set) var shortest: Duration?

    /// Bytes a second; nil: not known.
    var bytesPerSecond: Double? {
        let highest = max(present, before)
        return highest > 0 ? highest : nil
    }

    /// - Parameter isIdle: nothing else is under way: the count begins here.
    mutating func mark(bytes: Int, sentAt: Instant, isIdle: Bool) -> Mark {
        if isIdle { deliveredAt = sentAt }
        return Mark(delivered: delivered, deliveredAt: deliveredAt, sentAt: sentAt, bytes: bytes)
    }

    mutating func acknowledged(_ mark: Mark, _ now: Instant) {
        delivered += UInt64(mark.bytes)
        let roundTrip = max(.zero, now - mark.sentAt)
        shortest = min(shortest ?? roundTrip, roundTrip)
        defer { deliveredAt = max(deliveredAt, now) }
        let bytes = delivered - mark.delivered
        let elapsed = Double((now - mark.deliveredAt).nanoseconds) / 1e9
        guard bytes >= Self.leastBytes, elapsed > 0 else { return }
        let rate = Double(bytes) / elapsed
        if now >= spanEnds {
            // A span without samples of worth doesn't make the one before it untrue.
            if present > 0 { before = present }
            present = 0
            spanEnds = now + Self.span
        }
        present = max(present, rate)
    }

    /// Another connection may be another network.
    mutating func reset() { self = DeliveryRate() }
}
