import CLinux
import Glibc
import Testing

@testable import EventLoop

@Suite struct ConnectingTests {
    let clock = VirtualClock()
    let loop: EventLoop
    let network: SocketNetwork

    init() throws {
        loop = EventLoop(clock: clock, poller: try EpollPoller())
        network = SocketNetwork(loop: loop)
    }

    private func outcome(of endpoint: Endpoint, after duration: Duration = .zero) -> NetworkError? {
        var error: NetworkError?
        var done = false
        network.connect(to: endpoint, timeout: .seconds(5)) { result in
            done = true
            if case .failure(let failure) = result { error = failure }
            if case .success(let stream) = result { stream.close() }
        }
        #expect(!done, "never inside connect")
        if duration > .zero {
            for _ in 0..<5 { loop.tick(wait: .zero) }
            #expect(!done)
            clock.advance(by: duration)
        }
        for _ in 0..<2000 where !done { loop.tick(wait: .milliseconds(10)) }
        #expect(done)
        return error
    }

    @Test func refused() throws {
        let listener = try network.listen(.tcp(host: "127.0.0.1", port: 0)) { _ in }
        let endpoint = listener.endpoint
        listener.close()

        #expect(outcome(of: endpoint) == .refused(endpoint.description))
    }

    @Test func unixPathThatIsNotThere() {
        let path = temporaryPath("nothing")
        #expect(outcome(of: .unix(path: path)) == .badPath("unix:\(path)", reason: "No such file or directory"))
    }

    @Test func unixPathThatIsTooLong() {
        let path = "/tmp/" + String(repeating: "x", count: 120)
        guard case .badPath = outcome(of: .unix(path: path)) else {
            Issue.record("no badPath")
            return
        }
    }

    /// A listener that accepts nothing, its backlog full.
    private func fullListener(_ family: Int32, _ address: SocketAddress) throws -> (Endpoint, [SharedDescriptor]) {
        let listener = SharedDescriptor(linux_stream_socket(family))
        try #require(address.withSockaddr { bind(listener.number, $0, $1) } == 0)
        try #require(listen(listener.number, 0) == 0)
        let bound = try #require(SocketAddress(boundTo: listener.number))
        var kept = [listener]
        for _ in 0..<4 {
            let filler = SharedDescriptor(linux_stream_socket(family))
            _ = bound.withSockaddr { Glibc.connect(filler.number, $0, $1) }
            kept.append(filler)
        }
        return (try #require(bound.endpoint), kept)
    }

    @Test func tcpTimeout() throws {
        let address = try #require(SocketAddress(numericHost: "127.0.0.1", port: 0))
        let (endpoint, kept) = try fullListener(AF_INET, address)

        #expect(outcome(of: endpoint, after: .seconds(5)) == .timedOut(endpoint.description))
        withExtendedLifetime(kept) {}
    }

    @Test func unixTimeout() throws {
        let path = temporaryPath("full")
        defer { unlink(path) }
        let address = try #require(SocketAddress(unixPath: path))
        let (endpoint, kept) = try fullListener(AF_UNIX, address)

        #expect(outcome(of: endpoint, after: .seconds(5)) == .timedOut(endpoint.description))
        withExtendedLifetime(kept) {}
    }

    @Test func hostNamesAreResolvedBesideTheLoopAndEachAddressTried() throws {
        let accepted = Recorder()
        let listener = try network.listen(.tcp(host: "127.0.0.1", port: 0)) { $0.delegate = accepted }
        defer { listener.close() }
        guard case .tcp(_, let port) = listener.endpoint else { return }

        // "localhost" is ::1 first on most machines, where nobody listens.
        #expect(outcome(of: .tcp(host: "localhost", port: port)) == nil)
    }

    @Test func cancelledAttemptSaysNothing() throws {
        let listener = try network.listen(.tcp(host: "127.0.0.1", port: 0)) { $0.close() }
        defer { listener.close() }
        var called = false
        let attempt = network.connect(to: listener.endpoint, timeout: .seconds(5)) { _ in called = true }
        attempt.cancel()
        attempt.cancel()
        for _ in 0..<5 { loop.tick(wait: .zero) }
        clock.advance(by: .seconds(6))
        loop.tick(wait: .zero)
        #expect(!called)
    }
}

/// A descriptor that can lie in an array.
final class SharedDescriptor {
    let number: Int32
    init(_ number: Int32) { self.number = number }
    deinit { close(number) }
}
