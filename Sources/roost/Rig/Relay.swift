import EventLoop

/// The link between edge and cloud: a TCP relay that counts every byte it takes from either side, and that can be cut. A cut
/// link is a black hole: bytes vanish without an error, connections stay open and lead nowhere, the way a lost mobile network
/// looks from a node. Or it refuses: connections are closed, and nobody listens. When it is restored, what was open is reset,
/// and the next attempt gets through.
final class Relay {
    /// How a link is cut.
    enum Cut {
        case silent, refusing
    }

    private let loop: EventLoop
    private let network: any Network
    private let cloud: Endpoint
    private var listener: (any Listener)?
    private var pairs: [ObjectIdentifier: RelayPair] = [:]
    private(set) var isCut = false
    private var port: UInt16 = 0
    /// Bytes that the edge and the cloud have put on the link, both ways.
    fileprivate(set) var bytes: UInt64 = 0

    init(loop: EventLoop, network: any Network, cloud: Endpoint) {
        self.loop = loop
        self.network = network
        self.cloud = cloud
    }

    /// Listens on the loopback, on a free port if that is 0, and says on which.
    @discardableResult
    func listen(port: UInt16 = 0) throws(NetworkError) -> UInt16 {
        let wanted = Endpoint.tcp(host: "127.0.0.1", port: port)
        let opened = try network.listen(wanted) { [weak self] stream in self?.accept(stream) }
        listener = opened
        guard case .tcp(_, let found) = opened.endpoint else { return 0 }
        self.port = found
        return found
    }

    func cut(_ how: Cut = .silent) {
        isCut = true
        guard how == .refusing else { return }
        listener?.close()
        listener = nil
        for pair in pairs.values { pair.close() }
        pairs = [:]
    }

    /// - Throws: the port has been taken by somebody else while the link refused.
    func restore() throws(NetworkError) {
        if listener == nil { try listen(port: port) }
        isCut = false
        for pair in pairs.values where pair.isStale { pair.close() }
        pairs = pairs.filter { !$0.value.isStale }
    }

    func close() {
        listener?.close()
        for pair in pairs.values { pair.close() }
        pairs = [:]
    }

    private func accept(_ stream: ByteStream) {
        let pair = RelayPair(self, edge: stream)
        pairs[ObjectIdentifier(pair)] = pair
        guard !isCut else {
            pair.isStale = true
            return
        }
        // A node speaks first; its bytes wait until there is somebody to give them to.
        stream.pauseReading()
        pair.connecting = network.connect(to: cloud, timeout: .seconds(5)) { [weak self, weak pair] result in
            guard let self, let pair else { return }
            guard case .success(let stream) = result else {
                pair.close()
                return ended(pair)
            }
            pair.join(stream)
        }
    }

    fileprivate func ended(_ pair: RelayPair) { pairs[ObjectIdentifier(pair)] = nil }
}

/// One connection of the edge, and its continuation to the cloud.
private final class RelayPair: ByteStreamDelegate {
    private unowned let relay: Relay
    private let edge: ByteStream
    private var cloud: ByteStream?
    var connecting: (any Connecting)?
    /// Has lost bytes, or leads nowhere.
    var isStale = false

    init(_ relay: Relay, edge: ByteStream) {
        self.relay = relay
        self.edge = edge
        edge.delegate = self
    }

    func join(_ stream: ByteStream) {
        connecting = nil
        cloud = stream
        stream.delegate = self
        edge.resumeReading()
    }

    func close() {
        connecting?.cancel()
        edge.close()
        cloud?.close()
    }

    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        if relay.isCut || isStale {
            isStale = true
            relay.bytes += UInt64(bytes.count)
            return bytes.count
        }
        let other = stream === edge ? cloud : edge
        guard let other else { return 0 }
        relay.bytes += UInt64(bytes.count)
        other.write(bytes)
        return bytes.count
    }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) {
        // An end that the cut link hides from the other side.
        if relay.isCut {
            isStale = true
            return
        }
        let other = stream === edge ? cloud : edge
        connecting?.cancel()
        other?.closeAfterFlush()
        relay.ended(self)
    }
}
