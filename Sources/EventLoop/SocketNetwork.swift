import CLinux
import Glibc

/// TCP and Unix sockets.
public final class SocketNetwork: Network {
    private let loop: EventLoop
    private let resolver: Resolver

    public init(loop: EventLoop) {
        self.loop = loop
        resolver = Resolver(loop: loop)
    }

    /// A host given by name is resolved here and now, by the calling thread: listeners are opened at the start, from names
    /// like "localhost".
    public func listen(
        _ endpoint: Endpoint, options: ListenOptions, accept: @escaping (ByteStream) -> Void
    ) throws(NetworkError) -> any Listener {
        switch endpoint {
        case .unix(let path):
            guard let address = SocketAddress(unixPath: path) else {
                throw .badPath(endpoint.description, reason: "a socket's path has 1 to 107 bytes")
            }
            removeStaleSocket(path, address)
            return try SocketListener(
                loop: loop, address: address, endpoint: endpoint, options: options, accept: accept)
        case .tcp(let host, let port):
            var addresses: [SocketAddress] = []
            if let address = SocketAddress(numericHost: host, port: port) {
                addresses = [address]
            } else {
                addresses = try Resolver.lookUp(host: host, port: port).get()
            }
            // IPv4 first: "localhost:1883" has to be found by clients that know no other.
            if let ipv4 = addresses.first(where: { $0.family == AF_INET }) { addresses.insert(ipv4, at: 0) }
            guard let address = addresses.first else { throw .notResolved(host: host, reason: "no address") }
            return try SocketListener(
                loop: loop, address: address, endpoint: endpoint, options: options, accept: accept)
        }
    }

    @discardableResult
    public func connect(
        to endpoint: Endpoint, timeout: Duration,
        _ completion: @escaping (Result<ByteStream, NetworkError>) -> Void
    ) -> any Connecting {
        connect(to: endpoint, timeout: timeout, pacer: nil, completion)
    }

    public func connect(
        to endpoint: Endpoint, timeout: Duration, pacer: StreamPacer?,
        _ completion: @escaping (Result<ByteStream, NetworkError>) -> Void
    ) -> any Connecting {
        let window = pacer?.ingress.flatMap { ReceiveWindow(of: $0) }
        let attempt = SocketConnecting(
            loop: loop, endpoint: endpoint, timeout: timeout, window: window, completion)
        switch endpoint {
        case .unix(let path):
            attempt.start(
                SocketAddress(unixPath: path).map { .success([$0]) }
                    ?? .failure(.badPath(endpoint.description, reason: "a socket's path has 1 to 107 bytes")))
        case .tcp(let host, let port):
            if let address = SocketAddress(numericHost: host, port: port) {
                attempt.start(.success([address]))
            } else {
                resolver.resolve(host: host, port: port) { [weak attempt] in attempt?.start($0) }
            }
        }
        return attempt
    }

    /// A stream over a connected stream socket that came from elsewhere: half of a socketpair, or the service manager. It
    /// is made non-blocking; on an error it is closed.
    public func adopt(_ socket: consuming Descriptor, peer: String) throws(NetworkError) -> ByteStream {
        let flags = fcntl(socket.number, F_GETFL)
        _ = fcntl(socket.number, F_SETFL, flags | O_NONBLOCK)
        do throws(SystemError) {
            return try SocketStream(loop: loop, socket: socket, peer: peer)
        } catch {
            throw NetworkError(error, at: peer)
        }
    }

    /// Goes on with a stream that was detached from another loop. Set its delegate before the next tick, which delivers
    /// what that stream had received.
    public func adopt(_ detached: DetachedStream) throws(NetworkError) -> ByteStream {
        guard let socket = detached.take() else {
            throw .system(detached.peer, SystemError(number: EBADF, call: "adopt"))
        }
        do throws(SystemError) {
            let stream = try SocketStream(loop: loop, socket: socket, peer: detached.peer)
            stream.begin(with: detached.received)
            return stream
        } catch {
            throw NetworkError(error, at: detached.peer)
        }
    }

    /// A process that was killed leaves its socket's file behind, and `bind` then fails for ever. The file goes only when
    /// it is a socket and nobody listens on it.
    private func removeStaleSocket(_ path: String, _ address: SocketAddress) {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return }
        let number = linux_stream_socket(AF_UNIX)
        guard number >= 0 else { return }
        let probe = Descriptor(number)
        let result = address.withSockaddr { Glibc.connect(probe.number, $0, $1) }
        if result != 0 && errno == ECONNREFUSED { unlink(path) }
    }
}
