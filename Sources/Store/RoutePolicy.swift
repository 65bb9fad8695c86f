/// What a route promises about its messages beyond that they wait: which goes first, which need not go, who is told.
public struct RoutePolicy: Sendable {
    /// `send = "newest"`: the newest goes first, and within a batch numbers ascend.
    public var sendsNewestFirst: Bool
    /// `keep = "latest"`: one message a topic waits.
    public var keepsLatest: Bool
    /// `ack = "upstream"`: how long a publisher waits for the far end; nil: it is told once the message is safe here.
    public var upstreamTimeout: Duration?
    /// The far end is told of gaps and ended runs, as batches do. Without, nobody would ever ask for them, and they are not kept.
    public var reportsGaps: Bool
    /// Newest first: bytes of packets that go in ascending order, a batch's worth; 0: each message by itself.
    public var blockBytes: Int

    public init(
        sendsNewestFirst: Bool = false, keepsLatest: Bool = false, upstreamTimeout: Duration? = nil,
        reportsGaps: Bool = true, blockBytes: Int = 256 << 10
    ) {
        self.sendsNewestFirst = sendsNewestFirst
        self.keepsLatest = keepsLatest
        self.upstreamTimeout = upstreamTimeout
        self.reportsGaps = reportsGaps
        self.blockBytes = blockBytes
    }
}
