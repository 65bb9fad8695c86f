import EventLoop

/// The simulated network as one process of the real code sees it.
final class HostNetwork: Network {
    private let network: SimulatedNetwork
    private unowned let host: Host
    private let arrivals: Arrivals
    /// The way to an address.
    private let link: (Endpoint) -> SimulatedNetwork.Link

    init(
        _ network: SimulatedNetwork, host: Host, loop: EventLoop,
        link: @escaping (Endpoint) -> SimulatedNetwork.Link
    ) {
        self.network = network
        self.host = host
        self.link = link
        arrivals = Arrivals(loop)
    }

    /// The process is gone.
    func tearDown() { arrivals.tearDown() }

    func listen(
        _ endpoint: Endpoint, options: ListenOptions, accept: @escaping (ByteStream) -> Void
    ) throws(NetworkError) -> any Listener {
        let listener = SimulatedListener(endpoint, host, network, arrivals, accept)
        guard network.listen(listener, on: endpoint) else { throw .addressInUse(endpoint.description) }
        return listener
    }

    func connect(
        to endpoint: Endpoint, timeout: Duration, _ completion: @escaping (Result<ByteStream, NetworkError>) -> Void
    ) -> any Connecting {
        let attempt = SimulatedConnecting(arrivals.loop, completion)
        attempt.giveUp(after: timeout, endpoint)
        let end = StreamEnd(host: host, arrivals: arrivals)
        network.connect(from: end, to: endpoint, over: link(endpoint)) { [arrivals] isOpen in
            arrivals.add {
                guard isOpen, let connection = end.connection, !end.isOver else {
                    attempt.finish(.failure(.refused(endpoint.description)))
                    return
                }
                let stream = SimulatedStream(loop: arrivals.loop, end: end, connection: connection)
                guard attempt.isWaiting else { return stream.close() }
                attempt.finish(.success(stream))
            }
        }
        return attempt
    }
}

/// What has come for a loop, handed over inside its next tick in the order in which it came.
final class Arrivals {
    let loop: EventLoop
    private var waiting: [() -> Void] = []
    private var isOver = false
    /// A stream lives until it is closed, whoever has forgotten it.
    var streams: [ObjectIdentifier: SimulatedStream] = [:]

    init(_ loop: EventLoop) { self.loop = loop }

    /// Nobody will turn the loop any more: what is held here would hold itself for ever.
    func tearDown() {
        isOver = true
        waiting = []
        streams = [:]
    }

    func add(_ body: @escaping () -> Void) {
        guard !isOver else { return }
        waiting.append(body)
        guard waiting.count == 1 else { return }
        loop.schedule(at: loop.clock.now) { [self] in
            let bodies = waiting
            waiting = []
            for body in bodies { body() }
        }
    }
}

final class SimulatedListener: Listener {
    let endpoint: Endpoint
    let host: Host
    let acceptFailures: UInt64 = 0
    private let network: SimulatedNetwork
    private let arrivals: Arrivals
    private var acceptor: ((ByteStream) -> Void)?

    init(
        _ endpoint: Endpoint, _ host: Host, _ network: SimulatedNetwork, _ arrivals: Arrivals,
        _ acceptor: @escaping (ByteStream) -> Void
    ) {
        self.endpoint = endpoint
        self.host = host
        self.network = network
        self.arrivals = arrivals
        self.acceptor = acceptor
    }

    func makeEnd() -> StreamEnd { StreamEnd(host: host, arrivals: arrivals) }

    func accept(_ end: StreamEnd, _ connection: SimulatedConnection) {
        let stream = SimulatedStream(loop: arrivals.loop, end: end, connection: connection)
        arrivals.add { [self] in
            if let acceptor { acceptor(stream) } else { stream.close() }
        }
    }

    func close() {
        acceptor = nil
        network.forget(self)
    }
}

private final class SimulatedConnecting: Connecting {
    private let loop: EventLoop
    private var completion: ((Result<ByteStream, NetworkError>) -> Void)?
    private var timer = Timer.none

    init(_ loop: EventLoop, _ completion: @escaping (Result<ByteStream, NetworkError>) -> Void) {
        self.loop = loop
        self.completion = completion
    }

    var isWaiting: Bool { completion != nil }

    func giveUp(after timeout: Duration, _ endpoint: Endpoint) {
        timer = loop.schedule(after: timeout) { [self] in finish(.failure(.timedOut(endpoint.description))) }
    }

    func finish(_ result: Result<ByteStream, NetworkError>) {
        guard let completion else { return }
        cancel()
        completion(result)
    }

    func cancel() {
        completion = nil
        loop.cancel(timer)
    }
}

/// The end that a process of the real code has.
final class StreamEnd: SimulatedEnd {
    /// Until either side has ended.
    weak var stream: SimulatedStream?
    let arrivals: Arrivals

    init(host: Host, arrivals: Arrivals) {
        self.arrivals = arrivals
        super.init(host: host)
    }

    override func received(_ bytes: [UInt8]) { arrivals.add { [self] in stream?.receive(bytes) } }
    override func ended(reset: Bool) { arrivals.add { [self] in stream?.end(reset: reset) } }
    override func taken(_ count: Int) { arrivals.add { [self] in stream?.windowOpens(by: count) } }
}

/// A stream of the real code on a simulated connection.
final class SimulatedStream: ByteStream {
    private let end: StreamEnd
    private let connection: SimulatedConnection
    private var inFlight = 0
    /// What has come while reading is paused.
    private var arrived: [[UInt8]] = []
    private var ending: StreamError??

    init(loop: EventLoop, end: StreamEnd, connection: SimulatedConnection) {
        self.end = end
        self.connection = connection
        super.init(loop: loop, peer: "127.0.0.1:\(10_000 + connection.number)")
        end.stream = self
        end.arrivals.streams[ObjectIdentifier(self)] = self
    }

    override func send(_ bytes: UnsafeRawBufferPointer) -> SendResult {
        let count = min(bytes.count, SimulatedConnection.windowBytes - inFlight)
        guard count > 0 else { return .sent(0) }
        inFlight += count
        connection.send([UInt8](bytes[..<count]), from: end)
        return .sent(count)
    }

    override func readingDidResume() { end.arrivals.add { [self] in deliver() } }
    override func visitEdgeAgain() { deliver() }

    override func shutDownSending() { connection.close(end) }

    override func closeEdge() {
        arrived = []
        connection.close(end)
        end.arrivals.streams[ObjectIdentifier(self)] = nil
    }

    func receive(_ bytes: [UInt8]) {
        guard !isClosed else { return }
        arrived.append(bytes)
        deliver()
    }

    func end(reset: Bool) {
        guard !isClosed else { return }
        // A reset takes with it what was not read.
        if reset { arrived = [] }
        ending = .some(reset ? .reset : nil)
        if reset { edgeDidClose(.reset) } else { deliver() }
    }

    func windowOpens(by count: Int) {
        inFlight -= count
        edgeBecameWritable()
    }

    private func deliver() {
        while !isClosed, !isPaused, !arrived.isEmpty {
            let bytes = arrived.removeFirst()
            connection.took(bytes.count, by: end)
            bytes.withUnsafeBytes { edgeDidReceive($0) }
        }
        guard !isClosed, !isPaused, let ending else { return }
        edgeDidClose(ending)
    }
}
