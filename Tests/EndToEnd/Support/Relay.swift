import EventLoop

/// A link that a test holds in its hands: TCP connections through it can be cut, and can go dead without anyone's notice.
final class Relay {
    enum Mode {
        case forwarding
        /// Takes all, passes nothing on, and keeps every connection open: a dead radio link before any timeout.
        case swallowing
    }

    var mode = Mode.forwarding
    private(set) var accepted = 0
    private var listener: (any Listener)?
    private var pairs: [Pair] = []

    init(_ scenario: Scenario, to endpoint: Endpoint) throws {
        let network = scenario.network
        listener = try network.listen(.tcp(host: "127.0.0.1", port: 0)) { [weak self] near in
            guard let self else { return near.close() }
            accepted += 1
            let pair = Pair(near, relay: self)
            pairs.append(pair)
            network.connect(to: endpoint, timeout: .seconds(30)) { result in pair.join(try? result.get()) }
        }
        scenario.atEnd { [weak self] in self?.end() }
    }

    var port: UInt16 {
        if case .tcp(_, let port)? = listener?.endpoint { port } else { 0 }
    }

    /// Cuts all connections.
    func cut() {
        for pair in pairs { pair.close() }
        pairs = []
    }

    private func end() {
        cut()
        listener?.close()
    }

    /// One connection through the relay.
    private final class Pair: ByteStreamDelegate {
        private let near: ByteStream
        private var far: ByteStream?
        private var early: [UInt8] = []
        private unowned let relay: Relay

        init(_ near: ByteStream, relay: Relay) {
            self.near = near
            self.relay = relay
            near.delegate = self
        }

        func join(_ far: ByteStream?) {
            guard let far, !near.isClosed else {
                far?.close()
                return near.close()
            }
            self.far = far
            far.delegate = self
            far.write(early)
        }

        func close() {
            near.close()
            far?.close()
        }

        func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
            guard relay.mode == .forwarding else { return bytes.count }
            if stream === far {
                near.write(bytes)
            } else if let far {
                far.write(bytes)
            } else {
                early.append(contentsOf: bytes)
            }
            return bytes.count
        }

        func streamDidClose(_ stream: ByteStream, error: StreamError?) { close() }
    }
}
