import CLinux
import Glibc

/// A listening TCP or Unix socket.
final class SocketListener: Listener, DescriptorHandler {
    /// Connections accepted in one tick, so that a storm of them can't keep the others waiting.
    private static let acceptsPerTick = 64

    /// How long nothing is accepted when descriptors or memory have run out. The peers wait in the backlog meanwhile;
    /// trying on would only spin, since the listener stays readable.
    private static let pause: Duration = .milliseconds(200)

    let endpoint: Endpoint
    private(set) var acceptFailures: UInt64 = 0

    private let loop: EventLoop
    private var descriptor: Int32
    private var watch = Watch.none
    private var pauseTimer = Timer.none
    private var accept: ((ByteStream) -> Void)?

    init(
        loop: EventLoop, address: SocketAddress, endpoint: Endpoint, options: ListenOptions,
        accept: @escaping (ByteStream) -> Void
    ) throws(NetworkError) {
        do throws(SystemError) {
            let socket = try SocketListener.open(address, endpoint, options)
            var bound = endpoint
            if case .tcp = endpoint, let actual = SocketAddress(boundTo: socket.number)?.endpoint { bound = actual }
            self.loop = loop
            self.endpoint = bound
            self.accept = accept
            descriptor = socket.release()
        } catch {
            throw NetworkError(error, at: endpoint.description)
        }
        do throws(SystemError) {
            watch = try loop.watch(descriptor: descriptor, .read, handler: self)
        } catch {
            close()
            throw NetworkError(error, at: endpoint.description)
        }
    }

    deinit {
        if descriptor >= 0 { Glibc.close(descriptor) }
    }

    private static func open(
        _ address: SocketAddress, _ endpoint: Endpoint, _ options: ListenOptions
    ) throws(SystemError) -> Descriptor {
        let number = linux_stream_socket(address.family)
        guard number >= 0 else { throw SystemError.last("socket") }
        let socket = Descriptor(number)
        if case .tcp = endpoint {
            setOption(number, SOL_SOCKET, SO_REUSEADDR, 1)
            if address.family == AF_INET6 { setOption(number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
        }
        guard address.withSockaddr({ bind(number, $0, $1) }) == 0 else { throw SystemError.last("bind") }
        if case .unix(let path) = endpoint, chmod(path, options.mode) != 0 { throw SystemError.last("chmod") }
        guard Glibc.listen(number, options.backlog) == 0 else { throw SystemError.last("listen") }
        return socket
    }

    func descriptorIsReady(_ readiness: Readiness) {
        for _ in 0..<SocketListener.acceptsPerTick {
            guard descriptor >= 0, let accept else { return }
            guard let (number, peer) = SocketAddress.accept(from: descriptor) else {
                acceptDidFail(errno)
                return
            }
            let socket = Descriptor(number)
            if peer.family != AF_UNIX { setOption(number, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }
            let name = peer.family == AF_UNIX ? endpoint.description : peer.endpoint?.description ?? "unknown"
            guard let stream = try? SocketStream(loop: loop, socket: socket, peer: name) else {
                acceptFailures += 1
                continue
            }
            accept(stream)
        }
    }

    private func acceptDidFail(_ error: Int32) {
        switch error {
        case EAGAIN: return
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
            acceptFailures += 1
            stopWatching()
            pauseTimer = loop.schedule(after: SocketListener.pause) { [weak self] in self?.watchAgain() }
        default:
            // That connection is gone (ECONNABORTED and its like, accept(2)); the next tick has the others.
            return
        }
    }

    private func watchAgain() {
        guard descriptor >= 0, watch == .none else { return }
        do throws(SystemError) {
            watch = try loop.watch(descriptor: descriptor, .read, handler: self)
        } catch {
            pauseTimer = loop.schedule(after: SocketListener.pause) { [weak self] in self?.watchAgain() }
        }
    }

    private func stopWatching() {
        loop.unwatch(watch)
        watch = .none
    }

    func close() {
        guard descriptor >= 0 else { return }
        stopWatching()
        loop.cancel(pauseTimer)
        Glibc.close(descriptor)
        descriptor = -1
        accept = nil
        if case .unix(let path) = endpoint { unlink(path) }
    }
}

/// Sets an option that is a number; one that the kernel refuses is a loss of comfort, never of function.
func setOption(_ socket: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
    var value = value
    setsockopt(socket, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
}
