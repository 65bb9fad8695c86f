import EventLoop
import Glibc
import Testing

@testable import Admin

@Suite struct HTTPServerTests {
    private static let get = "GET /hello HTTP/1.1\r\nHost: 127.0.0.1:9883\r\n\r\n"

    private func router() -> HTTPRouter {
        var router = HTTPRouter()
        router.add(.get, "/hello") { $0.answer(HTTPResponse(.ok, contentType: "text/plain", body: Array("hi".utf8))) }
        router.add(.get, "/large") {
            $0.answer(HTTPResponse(.ok, contentType: "text/plain", body: Array(repeating: 0x61, count: 400_000)))
        }
        router.add(.get, "/open", isOpen: true) { $0.answer(.failure(.ok, "\($0.isTrusted)")) }
        router.add(.post, "/a/*/kick") { $0.answer(.failure(.ok, $0.name)) }
        router.add(.get, "/a/*") { $0.answer(.failure(.ok, $0.name)) }
        return router
    }

    @Test func answersAndKeepsTheConnection() throws {
        let bench = try Bench(router())
        let browser = try bench.connect()
        browser.send(Self.get)
        bench.pass()
        let answer = try #require(Answer(browser.take()))

        #expect(answer.status == 200)
        #expect(answer.body == "hi")
        #expect(answer.head.contains("Content-Length: 2"))
        #expect(answer.head.contains("Date: Thu, 01 Jan 2026 00:00:00 GMT"))
        #expect(!answer.head.contains("Connection: close"))
        browser.send(Self.get)
        bench.pass()
        #expect(Answer(browser.text)?.body == "hi")
        #expect(!browser.isClosed)
    }

    @Test func headHasNoBody() throws {
        let answer = try Bench(router()).ask("HEAD", "/hello")

        #expect(answer.status == 200)
        #expect(answer.head.contains("Content-Length: 2"))
        #expect(answer.body == "")
    }

    @Test(arguments: [
        ("GET", "/a/x", 200, "x"), ("GET", "/a/x/y", 200, "x/y"), ("POST", "/a/x%2Fy/kick", 200, "x/y"),
        ("POST", "/a/x/y/kick", 200, "x/y"), ("GET", "/a", 404, "no /a"), ("DELETE", "/hello", 405, "GET, HEAD"),
        ("POST", "/a/x", 405, "GET, HEAD"), ("GET", "/", 404, "no /"), ("PUT", "/hello", 501, "PUT"),
    ])
    func routes(_ method: String, _ target: String, _ status: Int, _ text: String) throws {
        let answer = try Bench(router()).ask(method, target)

        #expect(answer.status == status)
        #expect(answer.body.contains(text))
    }

    @Test func badRequestIsAnsweredAndTheConnectionClosed() throws {
        let bench = try Bench(router())
        let browser = try bench.connect()
        browser.send(Self.get + "nonsense\r\n\r\n" + Self.get)
        bench.pass()

        #expect(browser.text.contains("HTTP/1.1 400"))
        #expect(browser.text.hasSuffix("between them\"}\n"))
        #expect(browser.isClosed)
        #expect(bench.server.connectionCount == 0)
    }

    @Test func pipelinedRequestsAreAnsweredInOrderAlsoWhenAnAnswerTakesTime() throws {
        var router = router()
        var waiting: ((HTTPResponse) -> Void)?
        router.add(.get, "/slow") { waiting = $0.answer }
        let bench = try Bench(router)
        let browser = try bench.connect()
        browser.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n" + Self.get + Self.get)
        bench.pass()

        #expect(browser.text == "")
        waiting?(.failure(.ok, "slow"))
        waiting?(.failure(.ok, "answered twice"))
        bench.pass()

        let text = browser.text
        #expect(text.utf8.split(separator: Array("HTTP/1.1 200".utf8)).count == 3)
        #expect(text.contains("slow") && !text.contains("twice") && text.hasSuffix("hi"))
    }

    @Test func aClientThatDoesNotReadIsNotServedFurther() throws {
        let bench = try Bench(router())
        bench.network.wire.windowBytes = 64 * 1024
        let browser = try bench.connect()
        browser.stream.pauseReading()
        let request = "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"
        browser.send(String(repeating: request, count: 50))
        bench.pass(.seconds(1))
        browser.stream.resumeReading()
        bench.pass(.seconds(1))

        #expect(browser.text.utf8.count > 50 * 400_000)
        #expect(!browser.isClosed)
    }

    @Test func aClientThatNeverReadsIsClosed() throws {
        let bench = try Bench(router())
        bench.network.wire.windowBytes = 64 * 1024
        let browser = try bench.connect()
        browser.stream.pauseReading()
        browser.send(String(repeating: "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n", count: 50))
        bench.pass(.seconds(31))

        #expect(bench.server.connectionCount == 0)
    }

    @Test(arguments: ["", "GET / HT"])
    func idleConnectionsAreClosed(_ part: String) throws {
        let bench = try Bench(router())
        let browser = try bench.connect()
        browser.send(part)
        bench.pass(.seconds(29))
        #expect(!browser.isClosed)
        // A request that dribbles in is no progress.
        browser.send(part.isEmpty ? "" : "T")
        bench.pass(.seconds(2))

        #expect(browser.isClosed)
        #expect(bench.server.connectionCount == 0)
    }

    @Test func connectionsAreLimited() throws {
        let bench = try Bench(router())
        let browsers = try (0..<HTTPServer.maximumConnections).map { _ in try bench.connect() }
        let late = try bench.connect()
        bench.pass()

        #expect(late.text.hasPrefix("HTTP/1.1 503"))
        #expect(browsers.allSatisfy { !$0.isClosed })
        browsers[0].stream.close()
        bench.pass()
        #expect(try bench.ask("GET", "/hello").status == 200)
    }

    @Test func closingAnswersWhatWasAsked() throws {
        var router = router()
        var waiting: ((HTTPResponse) -> Void)?
        router.add(.get, "/slow") { waiting = $0.answer }
        let bench = try Bench(router)
        let idle = try bench.connect()
        let busy = try bench.connect()
        busy.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        bench.pass()
        bench.server.close()
        bench.pass()

        #expect(idle.isClosed && !busy.isClosed)
        waiting?(.done)
        bench.pass()
        #expect(busy.text.hasSuffix("{\"ok\":true}\n") && busy.isClosed)
    }

    // MARK: - Access

    @Test(arguments: [
        ("", 401), ("Authorization: Bearer secret\r\n", 200), ("Authorization: bearer secret\r\n", 200),
        ("Authorization: Bearer secre\r\n", 401), ("Authorization: Bearer secrets\r\n", 401),
        ("Authorization: Bearer secretsecret\r\n", 401), ("Authorization: Bearer Secret\r\n", 401),
        ("Authorization: Bearer \r\n", 401), ("Authorization: Basic secret\r\n", 401),
    ])
    func tokensAreNeeded(_ field: String, _ status: Int) throws {
        let bench = try Bench(router(), access: .token(Array("secret".utf8)))

        #expect(try bench.ask("GET", "/hello", field).status == status)
        // Whether a path exists is nobody's business either.
        #expect(try bench.ask("GET", "/nothing", field).status == (status == 200 ? 404 : 401))
        #expect(try bench.ask("GET", "/open", field).body.contains(status == 200 ? "true" : "false"))
    }

    @Test func anEmptyTokenOpensNothing() {
        #expect(!HTTPAccess.isEqual([], []))
    }

    @Test(
        arguments: [
            ("127.0.0.1:9883", nil, 200), ("localhost:9883", nil, 200), ("[::1]:9883", nil, 200),
            ("LOCALHOST", nil, 200),
            ("rebound.example:9883", nil, 403), ("127.0.0.1.example", nil, 403), ("", nil, 403),
            ("127.0.0.1:9883", "http://127.0.0.1:9883", 200), ("127.0.0.1:9883", "http://evil.example", 403),
            ("127.0.0.1:9883", "null", 403), ("127.0.0.1:9883", "http://127.0.0.1:8080", 403),
        ] as [(String, String?, Int)])
    func pagesOfOthersGetNothingOnLoopback(_ host: String, _ origin: String?, _ status: Int) throws {
        let bench = try Bench(router())
        let browser = try bench.connect()
        let field = origin.map { "Origin: \($0)\r\n" } ?? ""
        browser.send("POST /a/b/kick HTTP/1.1\r\nHost: \(host)\r\n\(field)\r\n")
        bench.pass()

        #expect(Answer(browser.text)?.status == status)
    }

    @Test(
        arguments: [
            (PeerCredentials(process: 1, user: 0, groups: [0]), true),
            (PeerCredentials(process: 1, user: 1000, groups: [5]), true),
            (PeerCredentials(process: 1, user: 7, groups: [7, 2000]), true),
            (PeerCredentials(process: 1, user: 7, groups: [7]), false), (nil, false),
        ] as [(PeerCredentials?, Bool)])
    func onlyTheDaemonsOwnPeopleUseItsSocket(_ peer: PeerCredentials?, _ isLetIn: Bool) throws {
        let loop = EventLoop(clock: VirtualClock(), poller: VirtualPoller())
        let stream = KnownStream(loop: loop, peer: peer)

        #expect((HTTPAccess.peers(user: 1000, group: 2000).refusal(of: stream) == nil) == isLetIn)
        stream.close()
    }

    @Test func theKernelSaysWhoIsThere() throws {
        let path = "/tmp/roost-admin-\(getpid()).sock"
        let loop = try EventLoop()
        let network = SocketNetwork(loop: loop)
        let server = HTTPServer(loop: loop, router: router())
        try server.listen(.unix(path: path), on: network, access: .peers(user: geteuid(), group: getegid()))
        var browser: Browser?
        network.connect(to: .unix(path: path), timeout: .seconds(5)) { result in
            browser = (try? result.get()).map(Browser.init)
            browser?.send(Self.get)
        }
        let deadline = loop.clock.now + .seconds(20)
        while Answer(browser?.text ?? "") == nil, loop.clock.now < deadline { loop.tick(wait: .milliseconds(50)) }

        #expect(Answer(browser?.text ?? "")?.body == "hi")
        #expect(browser?.stream.peerCredentials?.process == getpid())
        #expect(browser?.stream.peerCredentials?.user == geteuid())
        server.close()
        browser?.stream.close()
        loop.tearDown()
        #expect(access(path, F_OK) != 0)
    }
}

/// A stream whose peer is known beforehand.
private final class KnownStream: ByteStream {
    private let known: PeerCredentials?

    init(loop: EventLoop, peer: PeerCredentials?) {
        known = peer
        super.init(loop: loop, peer: "unix:/test")
    }

    override var peerCredentials: PeerCredentials? { known }
}
