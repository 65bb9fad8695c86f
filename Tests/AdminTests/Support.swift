import EventLoop
import Testing

@testable import Admin

/// One client's end of a connection: sends text, and keeps what comes back.
final class Browser: ByteStreamDelegate {
    private(set) var text = ""
    private(set) var isClosed = false
    let stream: ByteStream

    init(_ stream: ByteStream) {
        self.stream = stream
        stream.delegate = self
    }

    func send(_ text: String) { stream.write(Array(text.utf8)) }

    func stream(_ stream: ByteStream, didReceive bytes: UnsafeRawBufferPointer) -> Int {
        text += String(decoding: bytes, as: UTF8.self)
        return bytes.count
    }

    func streamDidClose(_ stream: ByteStream, error: StreamError?) { isClosed = true }

    /// Takes what has come so far.
    func take() -> String {
        defer { text = "" }
        return text
    }
}

/// An answer read back.
struct Answer {
    var status: Int
    var head: String
    var body: String

    /// nil: the text isn't one whole answer.
    init?(_ text: String) {
        guard let end = text.utf8.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        head = String(text[..<end.lowerBound])
        body = String(text[end.upperBound...])
        guard let status = Int(head.dropFirst("HTTP/1.1 ".count).prefix(3)) else { return nil }
        self.status = status
    }
}

/// A server over a network in memory, on virtual time.
final class Bench {
    let clock: VirtualClock
    let loop: EventLoop
    let network: MemoryNetwork
    let server: HTTPServer
    private let place = Endpoint.tcp(host: "127.0.0.1", port: 9883)

    /// Does what other threads would have done; whether there was something to do.
    var others: () -> Bool = { false }

    convenience init(_ router: HTTPRouter, access: HTTPAccess = .loopback(host: "127.0.0.1")) throws {
        let clock = VirtualClock()
        try self.init(router, access: access, on: EventLoop(clock: clock, poller: VirtualPoller()), clock)
    }

    init(
        _ router: HTTPRouter, access: HTTPAccess = .loopback(host: "127.0.0.1"), on loop: EventLoop,
        _ clock: VirtualClock
    ) throws {
        self.clock = clock
        self.loop = loop
        network = MemoryNetwork(loop: loop)
        server = HTTPServer(loop: loop, router: router)
        try server.listen(place, on: network, access: access)
    }

    deinit { loop.tearDown() }

    func pass(_ time: Duration = .zero) {
        clock.advance(by: time, turning: loop)
        while others() { clock.advance(by: .zero, turning: loop) }
    }

    func connect() throws -> Browser {
        var browser: Browser?
        network.connect(to: place, timeout: .seconds(1)) { browser = (try? $0.get()).map(Browser.init) }
        pass()
        return try #require(browser)
    }

    /// One request on a connection of its own.
    func ask(_ method: String, _ target: String, _ fields: String = "") throws -> Answer {
        let browser = try connect()
        browser.send("\(method) \(target) HTTP/1.1\r\nHost: 127.0.0.1:9883\r\nConnection: close\r\n\(fields)\r\n")
        pass()
        return try #require(Answer(browser.text))
    }
}

extension Collection where Element: Equatable {
    func firstRange(of other: some Collection<Element>) -> Range<Index>? {
        var start = startIndex
        while start != endIndex {
            if self[start...].starts(with: other) { return start..<index(start, offsetBy: other.count) }
            formIndex(after: &start)
        }
        return nil
    }
}
