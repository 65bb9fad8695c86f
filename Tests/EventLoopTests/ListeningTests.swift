import CLinux
import Glibc
import Testing

@testable import EventLoop

@Suite struct ListeningTests {
    let loop: EventLoop
    let network: SocketNetwork

    init() throws {
        loop = try EventLoop()
        network = SocketNetwork(loop: loop)
    }

    @Test(arguments: Place.allCases)
    func burstOfTwoHundredIsAccepted(_ place: Place) throws {
        var accepted: [ByteStream] = []
        var connected: [ByteStream] = []
        let side = Recorder()
        let listener = try network.listen(place.endpoint("burst\(place.rawValue)")) { stream in
            stream.delegate = side
            accepted.append(stream)
        }
        for _ in 0..<200 {
            network.connect(to: listener.endpoint, timeout: .seconds(10)) { result in
                if let stream = try? result.get() { connected.append(stream) }
            }
        }

        #expect(loop.turn { accepted.count == 200 && connected.count == 200 })

        for stream in accepted + connected { stream.close() }
        listener.close()
    }

    @Test func ipv4PeerOfADualStackListenerHasItsIPv4Name() throws {
        var peer = ""
        let listener = try network.listen(.tcp(host: "::", port: 0)) { stream in
            peer = stream.peer
            stream.close()
        }
        defer { listener.close() }
        guard case .tcp(_, let port) = listener.endpoint else { return }
        network.connect(to: .tcp(host: "127.0.0.1", port: port), timeout: .seconds(5)) { result in
            if let stream = try? result.get() { stream.close() }
        }

        #expect(loop.turn { !peer.isEmpty })
        #expect(peer.hasPrefix("127.0.0.1:"))
    }

    @Test func takenPortSaysWhichAddress() throws {
        let first = try network.listen(.tcp(host: "127.0.0.1", port: 0)) { _ in }
        defer { first.close() }

        let error = #expect(throws: NetworkError.self) { try network.listen(first.endpoint) { _ in } }
        #expect(error == .addressInUse(first.endpoint.description))
        #expect(error?.description == "address in use: \(first.endpoint)")
    }

    @Test func unixSocketInUseIsLeftAlone() throws {
        let endpoint = Endpoint.unix(path: temporaryPath("inuse"))
        let first = try network.listen(endpoint) { _ in }
        defer { first.close() }

        #expect(throws: NetworkError.addressInUse(endpoint.description)) { try network.listen(endpoint) { _ in } }
        #expect(access(temporaryPath("inuse"), F_OK) == 0)
    }

    @Test func staleUnixSocketIsReplacedAndItsModeSet() throws {
        let path = temporaryPath("stale")
        let address = try #require(SocketAddress(unixPath: path))
        do {
            let stale = SharedDescriptor(linux_stream_socket(AF_UNIX))
            #expect(address.withSockaddr { bind(stale.number, $0, $1) } == 0)
        }

        let listener = try network.listen(.unix(path: path), options: ListenOptions(mode: 0o600)) { _ in }

        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        listener.close()
        #expect(access(path, F_OK) != 0)
    }

    @Test func otherFilesAreNeverUnlinked() throws {
        let path = temporaryPath("file")
        close(open(path, O_CREAT | O_WRONLY, 0o600))
        defer { unlink(path) }

        #expect(throws: NetworkError.self) { try network.listen(.unix(path: path)) { _ in } }
        #expect(access(path, F_OK) == 0)
    }

    @Test func closedListenerRefuses() throws {
        let listener = try network.listen(.tcp(host: "127.0.0.1", port: 0)) { _ in }
        listener.close()
        listener.close()
        var error: NetworkError?
        network.connect(to: listener.endpoint, timeout: .seconds(5)) { result in
            if case .failure(let failure) = result { error = failure }
        }
        #expect(loop.turn { error != nil })
    }
}
