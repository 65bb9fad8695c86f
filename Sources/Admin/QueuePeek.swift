import EventLoop
import JSON
import Store

/// One look at what waits for a route, oldest first. What isn't in memory is read from disk, a step at a time, and turned
/// into text as it comes; so the look keeps no message and pins nothing.
final class QueuePeek: StreamConsumer {
    static let maximumCount = 10_000
    /// Bytes of JSON beyond which no further message is added.
    private static let enough = 4 << 20

    private var spans: ArraySlice<RouteSpan>
    private var number: UInt64
    private var left: Int
    private let log: Log
    private let answer: (HTTPResponse) -> Void
    private var elements: [UInt8] = []
    private var isDone = false

    init(_ spans: [RouteSpan], count: Int, log: Log, answer: @escaping (HTTPResponse) -> Void) {
        self.spans = spans[...]
        number = spans.first?.first ?? 0
        left = count
        self.log = log
        self.answer = answer
    }

    func streamIsReadable(_ stream: LogStream) { goOn() }

    /// Reads as far as it can; answers at the end, or comes again when the disk has answered.
    func goOn() {
        guard !isDone else { return }
        while let span = spans.first, left > 0, elements.count < Self.enough {
            guard number < span.stream.next else {
                next()
                continue
            }
            guard !span.skipped.contains(number) else {
                number += 1
                continue
            }
            switch span.stream.read(at: number, for: self) {
            case .loading: return
            case .end: next()
            case .missing(let next): number = max(next, number + 1)
            case .message(let message):
                if !message.isExpired(at: log.clock.now) { add(message, of: span.stream) }
                number += 1
            }
        }
        isDone = true
        answer(HTTPResponse(.ok, contentType: "application/json", body: [0x5B] + elements + [0x5D, 0x0A]))
    }

    private func next() {
        spans = spans.dropFirst()
        number = spans.first?.first ?? 0
    }

    private func add(_ message: Message, of stream: LogStream) {
        left -= 1
        let text = String(validating: message.payload, as: UTF8.self)
        let time = log.wallTime(message.receivedAt, run: stream.numbering.run)
        var json = JSONWriter()
        json.object { json in
            json.member("number", number)
            json.member("topic", String(decoding: message.topic, as: UTF8.self))
            json.member("qos", message.qos.rawValue)
            json.member("payload", text ?? Base64.encode(message.payload))
            json.member("encoding", text == nil ? "base64" : "utf-8")
            json.member("received_at", time.isSet ? time.milliseconds : nil)
        }
        if !elements.isEmpty { elements.append(UInt8(ascii: ",")) }
        elements += json.bytes
    }
}
