import EventLoop
import Glibc

/// Asks the edge every half second what waits there, over its admin socket, without holding up the loop.
final class QueueWatch: ByteStreamDelegate {
    private static let interval: Duration = .milliseconds(500)
    /// An answer older than this says nothing any more.
    private static let freshness: Duration = .seconds(2)

    struct Queue: Equatable {
        var messages: Int64
        var bytes: Int64
        var oldestSeconds: Double?
    }

    private let loop: EventLoop
    private let network: any Network
    private let path: String
    private var stream: ByteStream?
    private var answer: [UInt8] = []
    private var asked = Instant(nanoseconds: 0)
    private var latest: (queue: Queue, time: Instant)?
    private var isAsking = false

    init(loop: EventLoop, network: any Network, path: String) {
        self.loop = loop
        self.network = network
        self.path = path
    }

    /// What the edge said last; nil if that is too long ago.
    var queue: Queue? {
        guard let latest, loop.now - latest.time < Self.freshness else { return nil }
        return latest.queue
    }

    /// Asks, if it is time to. An answer that stays away is given up after the same time.
    func poll() {
        guard loop.now - asked >= Self.interval else { return }
        asked = loop.now
        abandon()
        // Nothing listens there while the edge is down; connecting would only say so.
        guard access(path, F_OK) == 0, !isAsking else { return }
        isAsking = true
        network.connect(to: .unix(path: path), timeout: Self.interval) { [weak self] result in
            guard let self else { return }
            isAsking = false
            guard case .success(let stream) = result else { return }
            self.stream = stream
            answer = []
            stream.delegate = self
            stream.write(AdminSocket.head("GET", "/queue"))
        }
    }

    func close() { abandon() }

    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        answer += bytes
        return bytes.count
    }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) {
        self.stream = nil
        guard let answer = try? AdminSocket(path: path).answer(in: answer), answer.status == 200,
            let routes = try? Document.decode([QueueDocument].self, answer.body)
        else { return }
        latest = (
            Queue(
                messages: routes.reduce(0) { $0 + $1.messages }, bytes: routes.reduce(0) { $0 + $1.bytes },
                oldestSeconds: routes.filter { $0.messages > 0 }.compactMap(\.oldestSeconds).max()),
            loop.now
        )
    }

    private func abandon() {
        stream?.close()
        self.stream = nil
    }
}
