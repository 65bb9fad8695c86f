import EventLoop

/// Something that happens again and again, and is logged once: it is over when it hasn't happened for a minute.
public struct Episode {
    public init() {}

    private var last: Instant?
    private static let silence = Duration.seconds(60)

    /// True at the first time.
    public mutating func begins(at now: Instant) -> Bool {
        defer { last = now }
        guard let last else { return true }
        return now - last >= Self.silence
    }
}
