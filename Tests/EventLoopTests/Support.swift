import Glibc

@testable import EventLoop

/// Remembers what a stream told it; consumes as the closure says (by default everything).
final class Recorder: ByteStreamDelegate {
    var received: [UInt8] = []
    var receivedCount = 0
    var calls = 0
    var drains = 0
    var closes = 0
    var error: StreamError?
    var keepsBytes = true
    var onReceive: ((ByteStream, UnsafeRawBufferPointer) -> Int)?
    var onClose: (() -> Void)?

    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        calls += 1
        let consumed = onReceive?(stream, bytes) ?? bytes.count
        receivedCount += consumed
        if keepsBytes { received.append(contentsOf: bytes[..<consumed]) }
        return consumed
    }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) {
        closes += 1
        self.error = error
        onClose?()
    }

    func streamDidDrain(_ stream: ByteStream) { drains += 1 }
}

/// Sends everything back.
final class Echo: ByteStreamDelegate {
    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        stream.write(bytes)
        return bytes.count
    }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) {}
}

extension EventLoop {
    /// Turns until `condition` holds; false when that takes longer than anything here should.
    func turn(for limit: Duration = .seconds(120), until condition: () -> Bool) -> Bool {
        let deadline = clock.now + limit
        while !condition() {
            if clock.now > deadline { return false }
            tick(wait: .milliseconds(50))
        }
        return true
    }

    /// Turns a loop on virtual time until nothing is left to do at the present moment.
    func settle() {
        repeat { tick(wait: .zero) } while hasWork
    }
}

/// The kinds of place the socket tests run over.
enum Place: String, CaseIterable, Sendable {
    case tcp, tcp6, unix

    func endpoint(_ name: String) -> Endpoint {
        switch self {
        case .tcp: .tcp(host: "127.0.0.1", port: 0)
        case .tcp6: .tcp(host: "::1", port: 0)
        case .unix: .unix(path: temporaryPath(name))
        }
    }
}

func temporaryPath(_ name: String) -> String { "/tmp/roost-test-\(getpid())-\(name).sock" }

/// A loop with a listener, and both ends of one connection over it.
struct Connection {
    let loop: EventLoop
    let network: any Network
    let listener: any Listener
    let near: ByteStream
    let far: ByteStream
    let nearSide = Recorder()
    let farSide = Recorder()

    init(_ place: Place = .tcp, name: String = #function) throws {
        let loop = try EventLoop()
        try self.init(loop, SocketNetwork(loop: loop), place.endpoint(name.filter { $0.isLetter }))
    }

    init(_ loop: EventLoop, _ network: any Network, _ endpoint: Endpoint) throws {
        var accepted: ByteStream?
        var connected: ByteStream?
        let (near, far) = (nearSide, farSide)
        let listener = try network.listen(endpoint) { stream in
            stream.delegate = far
            accepted = stream
        }
        network.connect(to: listener.endpoint, timeout: .seconds(10)) { result in
            connected = try? result.get()
            connected?.delegate = near
        }
        if loop.clock is VirtualClock { loop.settle() }
        guard loop.turn(until: { accepted != nil && connected != nil }), let accepted, let connected else {
            throw NetworkError.timedOut(endpoint.description)
        }
        self.loop = loop
        self.network = network
        self.listener = listener
        self.near = connected
        self.far = accepted
    }

    func finish() {
        listener.close()
        near.close()
        far.close()
        loop.tearDown()
    }
}
