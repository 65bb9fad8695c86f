import CLinux
import Glibc

/// Connects to the first of several addresses that answers.
final class SocketConnecting: Connecting, DescriptorHandler {
    /// How soon a Unix socket with a full backlog, which says EAGAIN and reports nothing later, is tried again.
    private static let retry: Duration = .milliseconds(20)

    private let loop: EventLoop
    private let endpoint: Endpoint
    private let deadline: Instant
    private let window: ReceiveWindow?
    private var completion: ((Result<ByteStream, NetworkError>) -> Void)?
    private var addresses: ArraySlice<SocketAddress> = []
    private var lastError: NetworkError?
    private var descriptor: Int32 = -1
    private var watch = Watch.none
    private var overallTimer = Timer.none
    private var attemptTimer = Timer.none

    init(
        loop: EventLoop, endpoint: Endpoint, timeout: Duration, window: ReceiveWindow? = nil,
        _ completion: @escaping (Result<ByteStream, NetworkError>) -> Void
    ) {
        self.loop = loop
        self.endpoint = endpoint
        self.window = window
        self.completion = completion
        deadline = loop.now + timeout
        // Holds the attempt until it has ended one way or the other.
        overallTimer = loop.schedule(at: deadline) { self.finish(.failure(.timedOut(endpoint.description))) }
    }

    func cancel() {
        completion = nil
        end()
    }

    /// The addresses are known. Begins in a later tick, so that `completion` is never called from inside `connect`.
    func start(_ resolved: Result<[SocketAddress], NetworkError>) {
        guard completion != nil else { return }
        attemptTimer = loop.schedule(after: .zero) {
            switch resolved {
            case .success(let addresses):
                self.addresses = addresses[...]
                self.tryNext()
            case .failure(let error):
                self.finish(.failure(error))
            }
        }
    }

    private func tryNext() {
        endAttempt()
        guard let address = addresses.first else {
            return finish(.failure(lastError ?? .unreachable(endpoint.description)))
        }
        let number = linux_stream_socket(address.family)
        guard number >= 0 else { return attemptDidFail(.last("socket")) }
        descriptor = number
        if address.family != AF_UNIX { setOption(number, Int32(IPPROTO_TCP), TCP_NODELAY, 1) }
        window?.prepare(number)
        if address.withSockaddr({ Glibc.connect(number, $0, $1) }) == 0 { return attemptDidSucceed() }
        switch errno {
        case EINPROGRESS, EINTR:
            // Each address gets its share of what is left, so that a dead first one leaves time for the others.
            let share = (deadline - loop.now) / addresses.count
            attemptTimer = loop.schedule(after: share) { [weak self] in
                self?.attemptDidFail(SystemError(number: ETIMEDOUT, call: "connect"))
            }
            do throws(SystemError) {
                watch = try loop.watch(descriptor: number, .write, handler: self)
            } catch {
                attemptDidFail(error)
            }
        case EAGAIN where address.family == AF_UNIX:
            attemptTimer = loop.schedule(after: SocketConnecting.retry) { [weak self] in self?.tryNext() }
        default:
            attemptDidFail(.last("connect"))
        }
    }

    func descriptorIsReady(_ readiness: Readiness) {
        var error: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length)
        if error != 0 {
            attemptDidFail(SystemError(number: error, call: "connect"))
        } else {
            attemptDidSucceed()
        }
    }

    private func attemptDidFail(_ error: SystemError) {
        lastError = NetworkError(error, at: endpoint.description)
        addresses = addresses.dropFirst()
        tryNext()
    }

    private func attemptDidSucceed() {
        loop.unwatch(watch)
        watch = .none
        let socket = Descriptor(descriptor)
        descriptor = -1
        do throws(SystemError) {
            let peer = addresses.first?.endpoint?.description ?? endpoint.description
            finish(.success(try SocketStream(loop: loop, socket: socket, peer: peer)))
        } catch {
            finish(.failure(NetworkError(error, at: endpoint.description)))
        }
    }

    private func finish(_ result: Result<ByteStream, NetworkError>) {
        let completion = completion
        self.completion = nil
        end()
        completion?(result)
    }

    private func end() {
        endAttempt()
        loop.cancel(overallTimer)
    }

    private func endAttempt() {
        loop.cancel(attemptTimer)
        loop.unwatch(watch)
        watch = .none
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }
}
