/// A network without sockets, for tests and simulations: streams between loops that turn on one `VirtualClock`. It keeps
/// order, has a delay and a window as TCP has, and can be cut.
///
/// One network serves one loop; several loops are joined by giving the later ones the first one's `wire`.
public final class MemoryNetwork: Network {
    /// What a cut does to the connections there are.
    public enum Cut: Sendable {
        /// They break at both ends at once; new ones are refused as unreachable until `restore()`.
        case broken
        /// They stay, and nothing gets through in either direction, nor do new ones, until `restore()`; then what was
        /// sent meanwhile arrives, as TCP would resend it.
        case silent
    }

    /// What the loops of one network share.
    public final class Wire {
        /// How long bytes, and the news of a closed stream, travel; of streams made from now on.
        public var delay: Duration = .zero

        /// Bytes one direction of a stream holds before its sender is blocked; of streams made from now on.
        public var windowBytes = 256 * 1024

        fileprivate var listeners: [Endpoint: MemoryListener] = [:]
        fileprivate var cut: Cut?
        fileprivate var held: [(loop: EventLoop, body: () -> Void)] = []
        fileprivate var nextPort: UInt16 = 49152
        fileprivate var streams: [ObjectIdentifier: MemoryStream] = [:]

        public init() {}

        fileprivate func freePort() -> UInt16 {
            nextPort = nextPort == .max ? 49152 : nextPort + 1
            return nextPort
        }

        func forget(_ stream: MemoryStream) {
            streams[ObjectIdentifier(stream)] = nil
        }

        /// Runs `body` on `loop` at `arrival`; while the wire is silent, after it is restored.
        func carry(to loop: EventLoop, at arrival: Instant, _ body: @escaping () -> Void) {
            loop.schedule(at: arrival) { [self, unowned loop] in
                if cut == .silent { held.append((loop, body)) } else { body() }
            }
        }
    }

    public let wire: Wire
    private let loop: EventLoop

    public init(loop: EventLoop, wire: Wire = Wire()) {
        self.loop = loop
        self.wire = wire
    }

    // MARK: - Faults

    public func cut(_ cut: Cut) {
        wire.cut = cut
        guard cut == .broken else { return }
        wire.held = []
        for stream in wire.streams.values { stream.breakOff() }
    }

    /// Ends a cut. What a silent one held back arrives in the next tick of each loop, in order.
    public func restore() {
        wire.cut = nil
        let held = wire.held
        wire.held = []
        for (loop, body) in held { loop.schedule(at: loop.clock.now, body) }
    }

    /// The streams that are open, both ends of each connection, in no particular order.
    public var openStreams: Int { wire.streams.count }

    // MARK: - Network

    public func listen(
        _ endpoint: Endpoint, options: ListenOptions, accept: @escaping (ByteStream) -> Void
    ) throws(NetworkError) -> any Listener {
        var endpoint = endpoint
        if case .tcp(let host, 0) = endpoint { endpoint = .tcp(host: host, port: wire.freePort()) }
        guard wire.listeners[endpoint] == nil else { throw .addressInUse(endpoint.description) }
        let listener = MemoryListener(loop: loop, endpoint: endpoint, accept: accept) { [wire] in
            wire.listeners[endpoint] = nil
        }
        wire.listeners[endpoint] = listener
        return listener
    }

    @discardableResult
    public func connect(
        to endpoint: Endpoint, timeout: Duration,
        _ completion: @escaping (Result<ByteStream, NetworkError>) -> Void
    ) -> any Connecting {
        let attempt = MemoryConnecting(loop: loop, completion)
        attempt.fail(.timedOut(endpoint.description), after: timeout)
        if wire.cut == .broken {
            attempt.fail(.unreachable(endpoint.description), after: .zero)
            return attempt
        }
        // The first half of the round trip is the peer's to accept, the second ours to learn of it.
        let delay = wire.delay
        let target = wire.listeners[endpoint]?.loop ?? loop
        wire.carry(to: target, at: loop.clock.now + delay) { [wire, loop] in
            guard attempt.isWaiting else { return }
            guard let listener = wire.listeners[endpoint], wire.cut == nil else {
                wire.carry(to: loop, at: loop.clock.now + delay) {
                    attempt.finish(.failure(.refused(endpoint.description)))
                }
                return
            }
            let local = Endpoint.tcp(host: "127.0.0.1", port: wire.freePort())
            let near = MemoryStream(loop: loop, peer: endpoint.description, wire: wire)
            let far = MemoryStream(loop: listener.loop, peer: local.description, wire: wire)
            near.join(far)
            for stream in [near, far] { wire.streams[ObjectIdentifier(stream)] = stream }
            // Before the far end can send anything, so that the completion is the first the near end hears.
            wire.carry(to: loop, at: loop.clock.now + delay) {
                guard attempt.isWaiting else { return near.close() }
                attempt.finish(near.isClosed ? .failure(.refused(endpoint.description)) : .success(near))
            }
            listener.accept(far)
        }
        return attempt
    }
}

/// A listener of a `MemoryNetwork`.
final class MemoryListener: Listener {
    let endpoint: Endpoint
    let acceptFailures: UInt64 = 0
    let loop: EventLoop
    private var acceptor: ((ByteStream) -> Void)?
    private let onClose: () -> Void

    init(loop: EventLoop, endpoint: Endpoint, accept: @escaping (ByteStream) -> Void, onClose: @escaping () -> Void) {
        self.loop = loop
        self.endpoint = endpoint
        acceptor = accept
        self.onClose = onClose
    }

    func accept(_ stream: ByteStream) {
        if let acceptor { acceptor(stream) } else { stream.close() }
    }

    func close() {
        guard acceptor != nil else { return }
        acceptor = nil
        onClose()
    }
}

/// An attempt to connect over a `MemoryNetwork`.
final class MemoryConnecting: Connecting {
    private let loop: EventLoop
    private var completion: ((Result<ByteStream, NetworkError>) -> Void)?
    private var timer = Timer.none

    init(loop: EventLoop, _ completion: @escaping (Result<ByteStream, NetworkError>) -> Void) {
        self.loop = loop
        self.completion = completion
    }

    var isWaiting: Bool { completion != nil }

    func fail(_ error: NetworkError, after delay: Duration) {
        loop.cancel(timer)
        timer = loop.schedule(at: loop.clock.now + delay) { self.finish(.failure(error)) }
    }

    func finish(_ result: Result<ByteStream, NetworkError>) {
        guard let completion else { return }
        self.completion = nil
        loop.cancel(timer)
        completion(result)
    }

    func cancel() {
        completion = nil
        loop.cancel(timer)
    }
}
