/// Told what happens to a stream, on the stream's loop. Any stream may be closed inside any of these.
public protocol ByteStreamDelegate: AnyObject {
    /// `bytes` starts at the first byte not yet consumed, and is valid during the call. Returns how many were consumed;
    /// the rest is kept by the stream and is at the front of the next call.
    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int

    /// The peer closed the stream (nil) or it failed. Called once, last, and never after `close()`.
    func streamDidClose(_ stream: ByteStream, error: StreamError?)

    /// Output that the peer had not taken for a while has all been written.
    func streamDidDrain(_ stream: ByteStream)
}

extension ByteStreamDelegate {
    public func streamDidDrain(_ stream: ByteStream) {}
}

/// One two-way stream of bytes. Output is appended during a tick and written once at its end; input is parsed where it
/// was read, and only a partial packet is kept. An idle stream owns no buffer.
///
/// The class knows nothing of sockets: its edge is the methods of `ByteStream+Edge.swift`, which `SocketStream`,
/// `MemoryStream` and whatever wraps another stream override.
open class ByteStream {
    public final let loop: EventLoop

    /// A stream whose delegate is gone when bytes arrive closes itself: nobody else could.
    public final weak var delegate: (any ByteStreamDelegate)?

    /// Append encoded packets here and `loop.touch(_:)` the stream.
    public final var output = ByteBuffer()

    /// "127.0.0.1:51234", "[::1]:51234" or "unix:/path", for logs. A PROXY header names another than the socket.
    public internal(set) final var peer: String

    /// Bytes received from and handed to the edge so far.
    public final var bytesRead: UInt64 = 0
    public final var bytesWritten: UInt64 = 0

    final var input = ByteBuffer()
    final var state: State = []
    final var pacer: StreamPacer?

    /// The stream that carries this one's bytes, where there is one (TLS, WebSocket).
    final var beneath: ByteStream?
    private final var closeTimer = Timer.none

    struct State: OptionSet {
        let rawValue: UInt16
        static let touched = State(rawValue: 1)
        static let revisit = State(rawValue: 2)
        static let blocked = State(rawValue: 4)
        static let paused = State(rawValue: 8)
        /// In the delegate's hands: the input may not be freed.
        static let delivering = State(rawValue: 16)
        /// Being closed after its output: input is dropped and the delegate hears nothing more.
        static let closing = State(rawValue: 32)
        /// Our direction is shut; waiting for the peer's.
        static let shut = State(rawValue: 64)
        static let closed = State(rawValue: 128)
    }

    public init(loop: EventLoop, peer: String) {
        self.loop = loop
        self.peer = peer
    }

    // MARK: - Writing

    public final func write(_ bytes: [UInt8]) {
        output.append(bytes)
        loop.touch(self)
    }

    public final func write(_ bytes: UnsafeRawBufferPointer) {
        output.append(bytes)
        loop.touch(self)
    }

    /// Bytes in `output` that the edge has not taken, and what of earlier ones lies unsent beneath it.
    public final var unsentBytes: Int { output.count + (beneath?.unsentBytes ?? 0) }

    /// Whether the peer doesn't take what it is sent; ends with `streamDidDrain`.
    public final var isBlocked: Bool { state.contains(.blocked) || beneath?.isBlocked == true }

    /// Output stays here until the edge calls `edgeBecameWritable()`.
    final var isHoldingOutput: Bool { state.contains(.blocked) }

    /// Holds this stream to the pacer's rates. A stream that wraps another one hands the pacer down: what counts is what
    /// goes over the network.
    open func pace(by pacer: StreamPacer) {
        self.pacer = pacer
        pacer.attach(to: self)
    }

    // MARK: - Reading

    public final var isPaused: Bool { state.contains(.paused) }

    /// Stops reading and delivering. What the delegate has not consumed is kept and comes again after `resumeReading()`.
    /// While paused, a peer that leaves goes unnoticed.
    public final func pauseReading() {
        guard !state.contains(.closed) else { return }
        state.insert(.paused)
    }

    /// Delivers what was kept, in a later tick, and goes on reading.
    public final func resumeReading() {
        guard state.contains(.paused), !state.contains(.closed) else { return }
        state.remove(.paused)
        loop.revisit(self)
        readingDidResume()
    }

    // MARK: - Closing

    public final var isClosed: Bool { state.contains(.closed) }

    /// Whether the stream is closed or about to be: nothing written now arrives.
    public final var isClosing: Bool { !state.isDisjoint(with: [.closed, .closing]) }

    /// Closes at once; unsent output is lost. The delegate hears nothing more.
    public final func close() {
        guard !state.contains(.closed) else { return }
        state.insert(.closed)
        delegate = nil
        loop.cancel(closeTimer)
        output.removeAll()
        if !state.contains(.delivering) { input.removeAll() }
        closeEdge()
    }

    /// Writes what is there, shuts our direction, waits until the peer has shut its own, and closes; whatever has not
    /// happened by `deadline` is not waited for. Waiting for the peer matters: a socket closed with input unread is
    /// reset, and the reset can overtake a last packet (a CONNACK that says why). The delegate hears nothing more.
    public final func closeAfterFlush(deadline: Duration = .seconds(5)) {
        guard !isClosing else { return }
        state.insert(.closing)
        delegate = nil
        if state.contains(.paused) {
            state.remove(.paused)
            readingDidResume()
        }
        if !state.contains(.delivering) { input.removeAll() }
        closeTimer = loop.schedule(after: deadline) { [weak self] in self?.close() }
        loop.touch(self)
    }

    /// Takes the connection off this loop, with the bytes that no delegate has consumed, to go on on another; this stream is
    /// then closed. Nil when the kind of stream can't move, output is unsent, or the stream is closing. Not inside
    /// `didReceive`: what that call consumes isn't known yet.
    open func detach() -> DetachedStream? { nil }

    /// Who is at the other end, where the kernel knows: on a Unix socket.
    open var peerCredentials: PeerCredentials? { nil }

    /// Who the peer's verified certificate says it is: over TLS, once the first bytes have come.
    open var peerCertificate: PeerCertificate? { nil }

    // MARK: - For subclasses: the edge

    /// Hands bytes to the edge and returns how many it took. Fewer than given means that the stream is blocked until the
    /// edge calls `edgeBecameWritable()`.
    open func send(_ bytes: UnsafeRawBufferPointer) -> SendResult { .sent(bytes.count) }

    /// Output got stuck, or no longer is: the edge is to report when it takes more.
    open func wantsWritable(_ wanted: Bool) {}

    /// Reading goes on after a pause.
    open func readingDidResume() {}

    /// No more output will come.
    open func shutDownSending() {}

    /// `send(_:)` has failed, and the output is gone. An edge that may still hold input from before delivers that first.
    open func sendingDidFail(_ error: StreamError) { edgeDidClose(error) }

    /// Lets go of everything beneath the stream. Called once.
    open func closeEdge() {}

    /// Called at the start of the tick after `resumeReading()`.
    open func visitEdgeAgain() {}
}

/// What became of bytes handed to a stream's edge.
public enum SendResult {
    case sent(Int)
    /// The stream can't send any more; it is closed with this error, once what the peer sent before has been read.
    case failed(StreamError)
}
