/// Holds a stream to a rate either way, in the bytes that it hands to its edge and takes from it: all of them count, whatever
/// they mean. It outlives the streams it is given to, one after the other, so that a new connection is no new burst.
///
/// Output that may not leave yet stays in the stream's buffer, and leaves by timer; the delegate hears `streamDidDrain` when
/// it is gone. Input that may not be read yet stays with the edge, where TCP makes the peer wait. That it may be read again
/// depends on time alone, so nothing can be waited for in a circle: reading is slow, it never stops.
public final class StreamPacer {
    public var egress: TokenBucket?
    public var ingress: TokenBucket?

    private weak var stream: ByteStream?
    private var egressTimer = Timer.none
    private var ingressTimer = Timer.none
    /// Output waits, or has waited and its end was not told yet.
    var holdsOutput = false

    public init(egress: TokenBucket? = nil, ingress: TokenBucket? = nil) {
        self.egress = egress
        self.ingress = ingress
    }

    /// When the last of `bytes` that are handed over now will have left, as far as the rate is concerned.
    public func departure(of bytes: Int, _ now: Instant) -> Instant { egress?.departure(of: bytes, now) ?? now }

    /// Paces this stream from now on, and no other.
    func attach(to stream: ByteStream) {
        if let before = self.stream {
            before.loop.cancel(egressTimer)
            before.loop.cancel(ingressTimer)
        }
        self.stream = stream
        holdsOutput = false
    }

    /// How many of `count` bytes of output may leave now. If it isn't all, the stream is touched again in time.
    func sendable(_ count: Int, from stream: ByteStream) -> Int {
        guard egress != nil, stream === self.stream else { return count }
        let now = stream.loop.clock.now
        let available = egress?.available(now) ?? count
        if available >= count { return count }
        holdsOutput = true
        let step = min(count, egress?.step ?? count)
        return available >= step ? available : 0
    }

    func didSend(_ bytes: Int, from stream: ByteStream) {
        guard stream === self.stream else { return }
        egress?.take(bytes, stream.loop.clock.now)
    }

    /// Output is left: the stream is touched when the next step of it may leave.
    func wakeForOutput(_ rest: Int, of stream: ByteStream) {
        guard stream === self.stream, let step = egress?.step else { return }
        let now = stream.loop.clock.now
        guard let moment = egress?.ready(for: min(rest, step), now) else { return }
        stream.loop.cancel(egressTimer)
        egressTimer = stream.loop.schedule(at: moment) { [weak stream] in
            guard let stream else { return }
            stream.loop.touch(stream)
        }
    }

    /// Whether anything may be read now; if not, the stream goes on reading in time.
    func mayRead(by stream: ByteStream) -> Bool {
        guard let step = ingress?.step, stream === self.stream else { return true }
        let now = stream.loop.clock.now
        let moment = ingress?.ready(for: step, now) ?? now
        if moment <= now { return true }
        stream.loop.cancel(ingressTimer)
        ingressTimer = stream.loop.schedule(at: moment) { [weak stream] in
            guard let stream, !stream.isClosed, !stream.isPaused else { return }
            stream.readingDidResume()
        }
        return false
    }

    /// How many of `wanted` bytes to read now.
    func readable(_ wanted: Int, by stream: ByteStream) -> Int {
        guard stream === self.stream, let available = ingress?.available(stream.loop.clock.now) else { return wanted }
        return min(wanted, max(1, available))
    }

    func didRead(_ bytes: Int, by stream: ByteStream) {
        guard stream === self.stream else { return }
        ingress?.take(bytes, stream.loop.clock.now)
    }
}
