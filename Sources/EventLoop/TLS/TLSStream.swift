/// TLS over another stream. What is written in a tick becomes records in the output of the stream beneath, and so still goes
/// out in one write at the tick's end; what comes in is decrypted from where it was read. The handshake begins with the
/// stream: output waits for its end.
public final class TLSStream: ByteStream, ByteStreamDelegate {
    private static let closedEarly =
        "TLS: the peer closed the connection during the handshake; is that its port for TLS?"

    private let lower: ByteStream
    private var session: TLSSession?
    private let client: TLSClientContext?
    private var isEstablished = false

    /// Called once, when the handshake is over and the peer's certificate accepted.
    public var onEstablished: (() -> Void)?

    /// The stream beneath goes on by itself, with our last words.
    private var hasLeftLower = false

    /// A stream lives until it is closed, whoever lets go of it: what it holds is still to be sent. A socket is held by its
    /// watch, this by itself.
    private var own: TLSStream?

    /// The server's side of a connection that was accepted.
    public convenience init(server context: TLSServerContext, over lower: ByteStream) throws(TLSError) {
        self.init(try TLSSession(server: context, output: lower), client: nil, over: lower)
    }

    /// The client's side of a connection to `host`, which has just been made.
    public convenience init(client context: TLSClientContext, host: String, over lower: ByteStream) throws(TLSError) {
        self.init(try TLSSession(client: context, host: host, output: lower), client: context, over: lower)
        handshake()
    }

    private init(_ session: TLSSession, client: TLSClientContext?, over lower: ByteStream) {
        self.session = session
        self.client = client
        self.lower = lower
        super.init(loop: lower.loop, peer: lower.peer)
        own = self
        beneath = lower
        lower.delegate = self
    }

    public override func pace(by pacer: StreamPacer) { lower.pace(by: pacer) }

    public override var peerCredentials: PeerCredentials? { lower.peerCredentials }
    public override var peerCertificate: PeerCertificate? { session.flatMap { PeerCertificate(of: $0.ssl) } }

    /// "TLSv1.3, TLS_AES_256_GCM_SHA384", for a person.
    public var protocolVersion: String { session?.protocolVersion ?? "closed" }

    // MARK: - From the stream beneath

    public func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        guard let session else { return bytes.count }
        session.incoming = bytes
        pump()
        let left = session.incoming.count
        session.incoming = UnsafeRawBufferPointer(start: nil, count: 0)
        if isPaused { lower.pauseReading() }
        return bytes.count - left
    }

    /// A peer may leave without close_notify: MQTT says itself what is complete.
    public func streamDidClose(_ stream: ByteStream, error: StreamError?) {
        guard isEstablished || error != nil else {
            return edgeDidClose(.protocolViolation(TLSStream.closedEarly))
        }
        edgeDidClose(error)
    }

    public func streamDidDrain(_ stream: ByteStream) {
        if isHoldingOutput { edgeBecameWritable() } else { delegate?.streamDidDrain(self) }
    }

    private func pump() {
        if !isEstablished { handshake() }
        guard isEstablished else { return }
        while !isPaused, !isClosed, let session {
            let place = loop.plainBuffer.bytes
            var count = 0
            var last = TLSSession.Result.needsInput
            reading: while count < place.count {
                last = session.read(into: UnsafeMutableRawBufferPointer(rebasing: place[count...]))
                guard case .bytes(let more) = last else { break reading }
                count += more
            }
            if count > 0 { edgeDidReceive(UnsafeRawBufferPointer(rebasing: place[..<count])) }
            switch last {
            case .bytes: continue
            case .needsInput: return
            case .ended: return edgeDidClose(nil)
            case .failed(let reason): return fail(reason)
            }
        }
    }

    private func handshake() {
        guard let session, !isClosed else { return }
        switch session.handshake() {
        case .bytes:
            isEstablished = true
            onEstablished?()
            onEstablished = nil
            edgeBecameWritable()
        case .needsInput: return
        case .ended: edgeDidClose(.protocolViolation(TLSStream.closedEarly))
        case .failed(let reason): fail(reason)
        }
    }

    /// The peer hears why, by an alert that OpenSSL has written.
    private func fail(_ reason: String) {
        leaveLower()
        edgeDidClose(.protocolViolation("TLS: \(reason)"))
    }

    // MARK: - The edge

    public override func send(_ bytes: UnsafeRawBufferPointer) -> SendResult {
        guard isEstablished, let session, !lower.isClosing, !lower.isBlocked else { return .sent(0) }
        var taken = 0
        while taken < bytes.count {
            switch session.write(UnsafeRawBufferPointer(rebasing: bytes[taken...])) {
            case .bytes(let count): taken += count
            case .needsInput: return .sent(taken)
            case .ended: return .failed(.reset)
            case .failed(let reason): return .failed(.protocolViolation("TLS: \(reason)"))
            }
        }
        return .sent(taken)
    }

    public override func readingDidResume() { lower.resumeReading() }

    /// OpenSSL may hold records that were read before the pause.
    public override func visitEdgeAgain() { pump() }

    public override func shutDownSending() {
        session?.shutDown()
        leaveLower()
        close()
    }

    public override func closeEdge() {
        if let session {
            if isEstablished { client?.keepSession(of: session.ssl) }
            if !hasLeftLower, lower.unsentBytes == 0 {
                session.shutDown()
                leaveLower()
            }
        }
        if !hasLeftLower { lower.close() }
        session = nil
        own = nil
    }

    /// The stream beneath writes what it has, and waits for its peer to close.
    private func leaveLower() {
        guard !hasLeftLower else { return }
        hasLeftLower = true
        lower.delegate = nil
        lower.closeAfterFlush()
    }
}
