/// Looks at what comes first on a stream that nobody owns yet, and then hands the stream on, with all that was not meant for
/// the look: whoever owns it after that finds nothing in between. A stream that doesn't say enough by a deadline is closed.
public final class FirstBytes: ByteStreamDelegate {
    /// What is made of the bytes that have come so far.
    public enum Verdict {
        case needsMore
        /// The first `dropping` bytes were for us; the closure sets the stream's next delegate, or closes it.
        case handOver(dropping: Int, to: (ByteStream) -> Void)
        /// The stream is closed; the text says why.
        case refuse(String)
    }

    /// How a stream ended that was handed to nobody. It is closed.
    public enum Ending: Equatable {
        case refused(String)
        case timedOut
        /// The peer went, before it had said enough.
        case closed(StreamError?)
    }

    private let stream: ByteStream
    private let judge: (UnsafeRawBufferPointer) -> Verdict
    private let ended: (Ending) -> Void
    private var timer = Timer.none

    /// Lives by itself until the stream is handed on or closed.
    @discardableResult
    public init(
        of stream: ByteStream, until deadline: Instant, judge: @escaping (UnsafeRawBufferPointer) -> Verdict,
        ended: @escaping (Ending) -> Void
    ) {
        self.stream = stream
        self.judge = judge
        self.ended = ended
        stream.delegate = self
        timer = stream.loop.schedule(at: deadline) { self.end(.timedOut) }
    }

    public func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        switch judge(bytes) {
        case .needsMore: return 0
        case .handOver(let dropped, let next):
            stream.loop.cancel(timer)
            stream.delegate = nil
            next(stream)
            if dropped < bytes.count { stream.loop.revisit(stream) }
            return stream.isClosed ? bytes.count : dropped
        case .refuse(let reason):
            end(.refused(reason))
            return bytes.count
        }
    }

    public func streamDidClose(_ stream: ByteStream, error: StreamError?) { end(.closed(error)) }

    private func end(_ ending: Ending) {
        stream.loop.cancel(timer)
        stream.close()
        ended(ending)
    }
}
