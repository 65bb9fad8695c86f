import EventLoop

/// A TCP peer that says what it is told to, MQTT or not.
final class RawPeer: ByteStreamDelegate {
    private var stream: ByteStream?
    private(set) var isClosed = false
    private(set) var received: [UInt8] = []

    init(_ scenario: Scenario, to endpoint: Endpoint) {
        scenario.network.connect(to: endpoint, timeout: .seconds(30)) { [weak self] result in
            guard case .success(let stream) = result else { return }
            stream.delegate = self
            self?.stream = stream
        }
    }

    deinit { stream?.close() }

    var isConnected: Bool { stream != nil }

    func send(_ bytes: [UInt8]) { stream?.write(bytes) }

    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        received.append(contentsOf: bytes)
        return bytes.count
    }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) { isClosed = true }
}
