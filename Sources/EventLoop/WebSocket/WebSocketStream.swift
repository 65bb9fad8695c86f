/// WebSocket over another stream (RFC 6455): what is written in a tick becomes a frame in the output of the stream beneath,
/// and so still goes out in one write at the tick's end; what comes in is unmasked where it was read. Frames are no units
/// here: a payload is passed on as it comes, several of them at once, and no frame's length makes us allocate
/// [MQTT-6.0.0-2]. The opening handshake begins with the stream: output waits for its end.
public final class WebSocketStream: ByteStream {
    /// The longest payload that we send in a frame: some libraries take no more unasked.
    private static let largestPayload = 32 * 1024

    private static let closedEarly =
        "WebSocket: the server closed the connection during the handshake; is that its port for WebSocket?"

    private let lower: ByteStream
    private var inlet: Inlet?
    private let isClient: Bool
    private let frameLimit: Int

    /// Nil once the connection is open.
    private var opening: Opening?

    /// Called once, when the handshake is over.
    public var onEstablished: (() -> Void)?

    /// Of the payload that comes now: bytes still to come, the mask, and where in it the next byte is.
    private var payloadLeft = 0
    private var payloadMask: UInt32?
    private var payloadOffset = 0

    /// A fragmented message isn't over.
    private var isInsideMessage = false

    /// The latest ping that is not answered.
    private var owedPong: [UInt8]?
    private var hasSentClose = false
    private var hasReceivedClose = false

    /// What our Close frame says; nil: nothing, as the peer's did.
    private var farewell: UInt16? = WebSocketStatus.goingAway.rawValue

    /// The stream beneath goes on by itself, with our last words.
    private var hasLeftLower = false

    /// A stream lives until it is closed, whoever lets go of it: what it holds is still to be sent.
    private var own: WebSocketStream?

    /// What is needed until the connection is open.
    private final class Opening {
        var reader: HTTPHeadReader
        /// Nil: we are the server.
        let request: WebSocketRequest?
        let key: String

        init() {
            reader = HTTPHeadReader(WebSocketHandshake.headLimits)
            request = nil
            key = ""
        }

        init(_ request: WebSocketRequest) {
            reader = HTTPHeadReader(WebSocketRequest.answerLimits)
            self.request = request
            key = WebSocketRequest.key()
        }
    }

    /// What the stream beneath knows of this one, weakly: as a broker's connections do, and for the same reason, by a small
    /// object of its own.
    private final class Inlet: ByteStreamDelegate {
        private unowned let stream: WebSocketStream

        init(_ stream: WebSocketStream) { self.stream = stream }

        func stream(_ lower: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int { stream.receive(bytes) }
        func streamDidClose(_ lower: ByteStream, error: StreamError?) { stream.lowerDidClose(error) }
        func streamDidDrain(_ lower: ByteStream) { stream.lowerDidDrain() }
    }

    /// The server's side of a connection that was accepted.
    ///
    /// - Parameter frameLimit: the longest payload that a frame may have.
    public convenience init(serverOver lower: ByteStream, frameLimit: Int) {
        self.init(Opening(), frameLimit: frameLimit, over: lower)
    }

    /// The client's side of a connection that has just been made.
    public convenience init(client request: WebSocketRequest, over lower: ByteStream) {
        let opening = Opening(request)
        self.init(opening, frameLimit: .max, over: lower)
        lower.write(request.encode(key: opening.key))
    }

    private init(_ opening: Opening, frameLimit: Int, over lower: ByteStream) {
        self.lower = lower
        self.opening = opening
        self.frameLimit = frameLimit
        isClient = opening.request != nil
        super.init(loop: lower.loop, peer: lower.peer)
        own = self
        beneath = lower
        let inlet = Inlet(self)
        self.inlet = inlet
        lower.delegate = inlet
    }

    public override func pace(by pacer: StreamPacer) { lower.pace(by: pacer) }

    public override var peerCredentials: PeerCredentials? { lower.peerCredentials }
    public override var peerCertificate: PeerCertificate? { lower.peerCertificate }

    // MARK: - From the stream beneath

    private func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        var offset = 0
        if let opening {
            guard let length = open(opening, bytes) else { return isClosed ? bytes.count : 0 }
            offset = length
        }
        return offset + readFrames(UnsafeRawBufferPointer(rebasing: bytes[offset...]))
    }

    private func lowerDidClose(_ error: StreamError?) {
        guard opening?.request != nil, error == nil else { return edgeDidClose(error) }
        edgeDidClose(.protocolViolation(Self.closedEarly))
    }

    private func lowerDidDrain() {
        sendPong()
        if isHoldingOutput { edgeBecameWritable() } else { delegate?.streamDidDrain(self) }
    }

    // MARK: - Opening

    /// The length of the handshake's head, once the connection is open; nil: it isn't, or never will be.
    private func open(_ opening: Opening, _ bytes: UnsafeRawBufferPointer) -> Int? {
        if !isClient, let stranger = WebSocketHandshake.stranger(bytes) {
            leaveLower()
            edgeDidClose(.protocolViolation("WebSocket: \(stranger)"))
            return nil
        }
        var isHead = false
        do throws(HTTPError) {
            guard let (head, length) = try opening.reader.read(bytes) else { return nil }
            if let request = opening.request {
                if let refusal = request.refusal(by: head, key: opening.key) {
                    edgeDidClose(.protocolViolation("WebSocket: \(refusal)"))
                    return nil
                }
            } else {
                isHead = head.firstLine.hasPrefix("HEAD ")
                lower.write(try WebSocketHandshake.answer(to: head))
            }
            self.opening = nil
            onEstablished?()
            onEstablished = nil
            edgeBecameWritable()
            return length
        } catch {
            if isClient {
                edgeDidClose(.protocolViolation("WebSocket: what answers there doesn't speak HTTP: \(error.reason)"))
            } else {
                lower.write(WebSocketHandshake.refusal(error, isHead: isHead))
                leaveLower()
                edgeDidClose(.protocolViolation("WebSocket: \(error.reason)"))
            }
            return nil
        }
    }

    // MARK: - Frames in

    /// Takes frames, and parts of their payloads, from the front; returns how many bytes that were. Payloads are moved
    /// together over the heads between them, so that they are one piece for the delegate: the bytes are a buffer of the
    /// stream's beneath, and what is consumed of it is nobody's any more.
    private func readFrames(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let base = bytes.baseAddress else { return 0 }
        let place = UnsafeMutableRawPointer(mutating: base)
        var read = 0
        var gathered = 0..<0
        var violation: WebSocketViolation?
        do throws(WebSocketViolation) {
            while read < bytes.count, !hasReceivedClose {
                if payloadLeft == 0 {
                    let rest = UnsafeRawBufferPointer(rebasing: bytes[read...])
                    guard let length = try readHead(rest) else { break }
                    read += length
                } else {
                    let count = min(payloadLeft, bytes.count - read)
                    if gathered.isEmpty { gathered = read..<read }
                    takePayload(from: base + read, to: place + gathered.upperBound, count)
                    gathered = gathered.lowerBound..<(gathered.upperBound + count)
                    read += count
                }
            }
        } catch {
            violation = error
        }
        if !gathered.isEmpty { edgeDidReceive(UnsafeRawBufferPointer(rebasing: bytes[gathered])) }
        if isPaused { lower.pauseReading() }
        if let violation {
            fail(violation)
        } else if hasReceivedClose {
            visitEdgeAgain()
        } else {
            sendPong()
        }
        return isClosed || hasReceivedClose ? bytes.count : read
    }

    /// Takes a frame's head, or a whole control frame; returns its length, nil while it isn't whole.
    private func readHead(_ bytes: UnsafeRawBufferPointer) throws(WebSocketViolation) -> Int? {
        guard let head = try WebSocketFrameHead(bytes) else { return nil }
        guard (head.mask == nil) == isClient else {
            throw WebSocketViolation(
                .protocolError, isClient ? "a server's frame is masked" : "a client's frame is not masked")
        }
        if head.opcode.isControl {
            let length = head.length + head.payloadLength
            guard bytes.count >= length else { return nil }
            var payload = [UInt8](bytes[head.length..<length])
            if let mask = head.mask { payload.withUnsafeMutableBytes { WebSocketMask.apply(mask, to: $0) } }
            try receiveControl(head.opcode, payload)
            return length
        }
        guard head.opcode != .text else {
            throw WebSocketViolation(.unsupportedData, "[MQTT-6.0.0-1] MQTT comes in binary frames, and this is text")
        }
        guard (head.opcode == .continuation) == isInsideMessage else {
            throw WebSocketViolation(
                .protocolError, isInsideMessage ? "a message inside another" : "a continuation of nothing")
        }
        guard head.payloadLength <= frameLimit else {
            throw WebSocketViolation(
                .messageTooBig, "a frame of \(head.payloadLength) bytes, \(frameLimit) are allowed")
        }
        isInsideMessage = !head.isFinal
        payloadLeft = head.payloadLength
        payloadMask = head.mask
        payloadOffset = 0
        return head.length
    }

    private func takePayload(from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, _ count: Int) {
        if let payloadMask {
            WebSocketMask.apply(payloadMask, offset: payloadOffset, from: source, to: target, count: count)
        } else if source != UnsafeRawPointer(target) {
            target.copyMemory(from: source, byteCount: count)
        }
        payloadOffset = (payloadOffset + count) & 3
        payloadLeft -= count
    }

    private func receiveControl(_ opcode: WebSocketOpcode, _ payload: [UInt8]) throws(WebSocketViolation) {
        switch opcode {
        // Only the latest needs an answer (§5.5.3).
        case .ping: owedPong = payload
        case .close:
            if payload.isEmpty {
                farewell = nil
            } else {
                let code = payload.count > 1 ? UInt16(payload[0]) << 8 | UInt16(payload[1]) : 0
                guard WebSocketStatus.isAllowed(code) else {
                    throw WebSocketViolation(.protocolError, "a Close frame without a status code that may be sent")
                }
                guard String(validating: payload[2...], as: UTF8.self) != nil else {
                    throw WebSocketViolation(.invalidPayload, "a Close frame's reason is not UTF-8")
                }
                farewell = code
            }
            hasReceivedClose = true
        default: break
        }
    }

    // MARK: - Frames out

    public override func send(_ bytes: UnsafeRawBufferPointer) -> SendResult {
        guard opening == nil, !lower.isClosing, !lower.isBlocked else { return .sent(0) }
        guard !hasSentClose else { return .sent(bytes.count) }
        // Once for all frames: the block below would else grow with each.
        let frames = bytes.count / Self.largestPayload + 1
        _ = lower.output.reserve(bytes.count + frames * WebSocketFrameHead.maximumLength)
        var rest = bytes
        while !rest.isEmpty {
            let count = min(rest.count, Self.largestPayload)
            writeFrame(.binary, UnsafeRawBufferPointer(rebasing: rest[..<count]))
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        return .sent(bytes.count)
    }

    private func writeFrame(_ opcode: WebSocketOpcode, _ payload: UnsafeRawBufferPointer) {
        let head = WebSocketFrameHead(
            opcode, payloadLength: payload.count, mask: isClient ? UInt32.random(in: 0...UInt32.max) : nil)
        let place = lower.output.reserve(head.length + payload.count)
        head.encode(into: place)
        if let source = payload.baseAddress {
            if let mask = head.mask {
                WebSocketMask.apply(mask, offset: 0, from: source, to: place + head.length, count: payload.count)
            } else {
                (place + head.length).copyMemory(from: source, byteCount: payload.count)
            }
        }
        lower.output.commit(head.length + payload.count)
        loop.touch(lower)
    }

    /// A peer that doesn't take what it is sent gets no more of it: its ping is answered when it reads again.
    private func sendPong() {
        guard let pong = owedPong, !lower.isBlocked, !lower.isClosing, !hasSentClose else { return }
        owedPong = nil
        pong.withUnsafeBytes { writeFrame(.pong, $0) }
    }

    private func sendClose(_ status: UInt16?, _ reason: String = "") {
        guard !hasSentClose, !lower.isClosing else { return }
        hasSentClose = true
        var payload: [UInt8] = []
        if let status { payload = [UInt8(status >> 8), UInt8(status & 0xFF)] + reason.utf8.prefix(123) }
        payload.withUnsafeBytes { writeFrame(.close, $0) }
    }

    // MARK: - Closing

    /// The peer hears why, by a Close frame.
    private func fail(_ violation: WebSocketViolation) {
        guard !isClosed else { return }
        sendClose(violation.status.rawValue, violation.reason)
        leaveLower()
        edgeDidClose(.protocolViolation("WebSocket: \(violation.reason)"))
    }

    public override func readingDidResume() { lower.resumeReading() }

    /// Ends what the peer has closed, once the delegate has had all that came before it.
    public override func visitEdgeAgain() {
        if hasReceivedClose, !isPaused { edgeDidClose(nil) }
    }

    /// The peer's Close frame ends it, or the deadline.
    public override func shutDownSending() {
        guard opening == nil, !lower.isClosing, !hasReceivedClose else { return close() }
        sendClose(WebSocketStatus.normal.rawValue)
    }

    public override func closeEdge() {
        defer {
            own = nil
            inlet = nil
            opening = nil
        }
        guard !hasLeftLower else { return }
        guard opening == nil, hasReceivedClose || (!hasSentClose && lower.unsentBytes == 0) else {
            return lower.close()
        }
        sendClose(farewell)
        leaveLower()
    }

    /// The stream beneath writes what it has, and waits for its peer to close.
    private func leaveLower() {
        guard !hasLeftLower else { return }
        hasLeftLower = true
        lower.delegate = nil
        lower.closeAfterFlush()
    }
}
