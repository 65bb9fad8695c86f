import EventLoop

@testable import EventLoop

/// Bytes over a connection in memory, in pieces: the first byte says how large.
enum Streams {
    private final class Sink: ByteStreamDelegate {
        var count = 0
        var isClosed = false
        /// Takes only so many at a time, so that something is always left over.
        let appetite: Int

        init(appetite: Int = .max) { self.appetite = appetite }

        func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
            let taken = min(bytes.count, appetite)
            count += taken
            return taken
        }

        func streamDidClose(_ stream: ByteStream, error: StreamError?) { isClosed = true }
    }

    private static let endpoint = Endpoint.tcp(host: "127.0.0.1", port: 80)

    /// Hands the stream that a server accepts to `serve`, and plays the client's bytes.
    private static func play(_ input: [UInt8], _ serve: (ByteStream) -> Void) {
        guard let first = input.first else { return }
        let clock = VirtualClock()
        let loop = EventLoop(clock: clock, poller: VirtualPoller())
        defer { loop.tearDown() }
        let network = MemoryNetwork(loop: loop)
        let client = Sink()
        var near: ByteStream?
        var far: ByteStream?
        guard let listener = try? network.listen(endpoint, options: ListenOptions(), accept: { far = $0 }) else {
            return
        }
        _ = network.connect(to: endpoint, timeout: .seconds(1)) { result in
            if case .success(let stream) = result {
                near = stream
                stream.delegate = client
            }
        }
        for _ in 0..<4 { loop.tick(wait: .zero) }
        guard let near, let far else { preconditionFailure("no connection in memory") }
        serve(far)
        let step = first == 0 ? Int.max : Int(first)
        var rest = input.dropFirst()
        while !rest.isEmpty {
            near.write(Array(rest.prefix(step)))
            rest = rest.dropFirst(step)
            loop.tick(wait: .zero)
        }
        for _ in 0..<4 { loop.tick(wait: .zero) }
        near.close()
        for _ in 0..<4 { loop.tick(wait: .zero) }
        listener.close()
    }

    static func webSocket(_ input: [UInt8]) {
        let server = Sink(appetite: 1000)
        var stream: WebSocketStream?
        play(input) { far in
            let made = WebSocketStream(serverOver: far, frameLimit: 1 << 16)
            made.delegate = server
            stream = made
        }
        precondition(server.count <= input.count, "more came out than went in")
        stream?.close()
    }

    static func proxy(_ input: [UInt8]) {
        guard let first = input.first else { return }
        let server = Sink()
        play(Array(input.dropFirst())) { far in
            ProxyHeader.take(
                from: far, first & 1 == 0 ? .one : .two, until: far.loop.now + .seconds(10)
            ) { stream in
                stream.delegate = server
                stream.resumeReading()
            } ended: { _ in
            }
        }
        precondition(server.count <= input.count)
    }

    static func http(_ input: [UInt8]) {
        guard let first = input.first else { return }
        var reader = HTTPHeadReader(.init(bytes: 4096, fields: 20))
        let bytes = Array(input.dropFirst())
        // Byte by byte the same is found as at once.
        let step = first == 0 ? max(1, bytes.count) : Int(first)
        var found: Int?
        var available = 0
        while available < bytes.count, found == nil {
            available = min(available + step, bytes.count)
            do {
                found = try bytes[..<available].withUnsafeBytes { try reader.read($0)?.length }
            } catch { return }
        }
        var whole = HTTPHeadReader(.init(bytes: 4096, fields: 20))
        let atOnce = try? bytes.withUnsafeBytes { try whole.read($0)?.length }
        precondition(found == nil || atOnce == found, "another head when it comes in pieces")
    }
}
