import EventLoop

/// One client's connection: its requests one after the other, answered in their order. While an answer is awaited, or more
/// waits to be sent than is good, nothing is read.
final class HTTPConnection: ByteStreamDelegate {
    /// The longest without progress: an idle connection, a request that dribbles in, an answer that isn't taken.
    static let patience: Duration = .seconds(30)
    /// Unsent bytes beyond which no further request is looked at.
    private static let enoughUnsent = 256 * 1024

    private unowned let server: HTTPServer
    private let stream: ByteStream
    private let access: HTTPAccess
    private var parser: HTTPParser
    private var timer = Timer.none
    private var lastProgress: Instant
    /// The request whose answer is awaited.
    private var awaited: UInt64?
    private var requests: UInt64 = 0
    private var isFinishing = false

    init(_ stream: ByteStream, server: HTTPServer, access: HTTPAccess) {
        self.stream = stream
        self.server = server
        self.access = access
        parser = HTTPParser(server.parserLimits)
        lastProgress = server.loop.now
        stream.delegate = self
        watch(after: Self.patience)
    }

    // MARK: - Bytes in

    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        var offset = 0
        while offset < bytes.count, awaited == nil, !stream.isClosing {
            guard stream.unsentBytes < Self.enoughUnsent else {
                waitForRoom()
                break
            }
            do throws(HTTPError) {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
                guard let (request, length) = try parser.parse(rest) else { break }
                offset += length
                serve(request)
            } catch {
                send(.failure(error.status, error.reason), closes: true, hasBody: true)
            }
        }
        return stream.isClosing ? bytes.count : offset
    }

    private func serve(_ request: HTTPRequest) {
        requests += 1
        let number = requests
        awaited = number
        lastProgress = server.loop.now
        server.serve(request, access) { [weak self] response in
            guard let self, awaited == number else { return }
            awaited = nil
            send(response, closes: !request.keepsAlive || isFinishing, hasBody: request.method != .head)
            stream.resumeReading()
        }
        if awaited != nil { stream.pauseReading() }
    }

    /// The output is written at the end of this tick; if the peer doesn't take it all, `streamDidDrain` comes.
    private func waitForRoom() {
        stream.pauseReading()
        server.loop.schedule(after: .zero) { [weak self] in self?.resumeIfThereIsRoom() }
    }

    private func resumeIfThereIsRoom() {
        guard awaited == nil, stream.unsentBytes < Self.enoughUnsent else { return }
        stream.resumeReading()
    }

    func streamDidDrain(_ stream: ByteStream) {
        lastProgress = server.loop.now
        resumeIfThereIsRoom()
    }

    // MARK: - Bytes out

    private func send(_ response: HTTPResponse, closes: Bool, hasBody: Bool) {
        guard !stream.isClosing else { return }
        lastProgress = server.loop.now
        stream.write(response.head(closes: closes, date: server.date))
        if hasBody { stream.write(response.body) }
        guard closes else { return }
        // A long answer has as long to go as any progress may take.
        let isLong = stream.unsentBytes > Self.enoughUnsent
        stream.closeAfterFlush(deadline: isLong ? Self.patience : .seconds(5))
        end()
    }

    // MARK: - The end

    /// Closes once what was asked is answered.
    func finish() {
        isFinishing = true
        guard awaited == nil else { return }
        stream.closeAfterFlush()
        end()
    }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) { end() }

    private func end() {
        awaited = nil
        server.loop.cancel(timer)
        server.forget(self)
    }

    /// One timer a connection; progress moves only the instant that it compares with.
    private func watch(after wait: Duration) {
        timer = server.loop.schedule(after: wait) { [weak self] in
            guard let self else { return }
            let idle = server.loop.now - lastProgress
            guard idle >= Self.patience else { return watch(after: Self.patience - idle) }
            stream.close()
            end()
        }
    }
}
