import EventLoop
import Testing

@testable import Admin

/// What a parser made of a connection's bytes.
private enum Outcome: Equatable {
    case requests([HTTPRequest], left: Int)
    case refused(HTTPStatus, after: Int)

    /// Feeds `bytes` in pieces as a stream does: what isn't consumed is at the front of the next call.
    static func of(_ bytes: [UInt8], pieces: [Int], limits: HTTPParser.Limits = HTTPParser.Limits()) -> Outcome {
        var parser = HTTPParser(limits)
        var kept: [UInt8] = []
        var rest = bytes[...]
        var requests: [HTTPRequest] = []
        for piece in pieces + [bytes.count] where !rest.isEmpty {
            kept += rest.prefix(piece)
            rest = rest.dropFirst(piece)
            while true {
                do {
                    let found = try kept.withUnsafeBytes { try parser.parse($0) }
                    guard let (request, length) = found else { break }
                    requests.append(request)
                    kept.removeFirst(length)
                } catch {
                    return .refused((error as? HTTPError)?.status ?? .ok, after: requests.count)
                }
            }
        }
        return .requests(requests, left: kept.count)
    }

    static func of(_ text: String) -> Outcome { of(Array(text.utf8), pieces: []) }
}

@Suite struct HTTPParserTests {
    @Test func readsARequest() throws {
        let text =
            "POST /queue/cloud%2Falarms/drop?a=b&c=%20d&e HTTP/1.1\r\nHost: x\r\nX-Empty:\r\nContent-Length: 3 \r\n\r\nabc"

        guard case .requests(let requests, 0) = Outcome.of(text) else { throw HTTPError.bad("refused") }
        let request = try #require(requests.first)

        #expect(requests.count == 1)
        #expect(request.method == .post)
        #expect(request.target.path == ["queue", "cloud/alarms", "drop"])
        #expect(request.target.query.map(\.name) == ["a", "c", "e"])
        #expect(request.target.query.map(\.value) == ["b", " d", ""])
        #expect(request["x-empty"] == "")
        #expect(request.body == Array("abc".utf8))
        #expect(request.keepsAlive)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n", false),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
    ])
    func keepsAliveAsTheVersionAndConnectionSay(_ text: String, _ keepsAlive: Bool) throws {
        guard case .requests(let requests, 0) = Outcome.of(text) else { throw HTTPError.bad("refused") }

        #expect(requests.map(\.keepsAlive) == [keepsAlive])
    }

    @Test(
        arguments: [
            ("/", []), ("/status", ["status"]), ("/status/", ["status"]), ("/a//b", ["a", "", "b"]),
            ("/clients/%C3%BC%2fb%25", ["clients", "ü/b%"]), ("http://host:1/status", ["status"]), ("HTTP://host", []),
        ] as [(String, [String])])
    func decodesTargets(_ target: String, _ path: [String]) throws {
        guard case .requests(let requests, 0) = Outcome.of("GET \(target) HTTP/1.1\r\nHost: x\r\n\r\n") else {
            throw HTTPError.bad("refused")
        }

        #expect(requests.map(\.target.path) == [path])
    }

    @Test(
        arguments: [
            ("GET / HTTP/1.1\nHost: x\n\n", .badRequest),
            ("GET / HTTP/1.1\r\nHost: x\n\r\n", .badRequest),
            ("GET / HTTP/1.1\r\n\r\n", .badRequest),
            ("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", .badRequest),
            ("GET  / HTTP/1.1\r\nHost: x\r\n\r\n", .badRequest),
            (" GET / HTTP/1.1\r\nHost: x\r\n\r\n", .badRequest),
            ("GET / HTTP/1.1 \r\nHost: x\r\n\r\n", .badRequest),
            ("GET /\r\nHost: x\r\n\r\n", .badRequest),
            ("GET / HTTQ/1.1\r\nHost: x\r\n\r\n", .badRequest),
            ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", .versionNotSupported),
            ("G\"T / HTTP/1.1\r\nHost: x\r\n\r\n", .badRequest),
            ("get / HTTP/1.1\r\nHost: x\r\n\r\n", .notImplemented),
            ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", .notImplemented),
            ("GET status HTTP/1.1\r\nHost: x\r\n\r\n", .badRequest),
            ("GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", .badRequest),
            ("GET /% HTTP/1.1\r\nHost: x\r\n\r\n", .badRequest),
            ("GET /%2 HTTP/1.1\r\nHost: x\r\n\r\n", .badRequest),
            ("GET /%g0 HTTP/1.1\r\nHost: x\r\n\r\n", .badRequest),
            ("GET /%FF HTTP/1.1\r\nHost: x\r\n\r\n", .badRequest),
            ("GET /ü HTTP/1.1\r\nHost: x\r\n\r\n", .badRequest),
            ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", .badRequest),
            ("GET / HTTP/1.1\r\n: x\r\nHost: x\r\n\r\n", .badRequest),
            ("GET / HTTP/1.1\r\nnonsense\r\nHost: x\r\n\r\n", .badRequest),
            ("GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", .badRequest),
            ("GET / HTTP/1.1\r\nHost: x\r\nA: b\u{0}c\r\n\r\n", .badRequest),
            ("GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", .badRequest),
            ("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", .badRequest),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc", .badRequest),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc", .badRequest),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\nabc", .badRequest),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", .badRequest),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n", .contentTooLarge),
            ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", .contentTooLarge),
            ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", .notImplemented),
            ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", .badRequest),
            ("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n", .expectationFailed),
            ("GET /" + String(repeating: "a", count: 9000) + " HTTP/1.1\r\nHost: x\r\n\r\n", .uriTooLong),
            ("GET / HTTP/1.1\r\nA: " + String(repeating: "a", count: 17_000), .headerFieldsTooLarge),
            ("GET / HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 65) + "\r\n", .headerFieldsTooLarge),
        ] as [(String, HTTPStatus)])
    func refusesWhatIsWrong(_ text: String, _ status: HTTPStatus) {
        #expect(Outcome.of(text) == .refused(status, after: 0))
    }

    @Test func comesByteByByteAndPipelined() {
        let first = "\r\nPOST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
        let second = "\r\nGET /b?c HTTP/1.1\r\nHost: y\r\n\r\n"
        let third = "HEAD /d HTTP/1.1\r\nHo"
        let bytes = Array((first + second + third).utf8)

        let whole = Outcome.of(bytes, pieces: [])
        let single = Outcome.of(bytes, pieces: Array(repeating: 1, count: bytes.count))

        #expect(whole == single)
        guard case .requests(let requests, let left) = whole else {
            Issue.record("refused")
            return
        }
        #expect(requests.map(\.target.path) == [["a"], ["b"]])
        #expect(requests.first?.body == Array("\r\n\r\n".utf8))
        #expect(left == third.utf8.count)
    }

    /// However the bytes are cut, and whatever is wrong with them, the outcome is the same, and nothing traps.
    @Test(arguments: 0..<400)
    func fuzz(_ seed: UInt64) {
        var random = SplitMix64(state: seed)
        let seeds = [
            "GET /clients/a%2Fb/x?count=10 HTTP/1.1\r\nHost: 127.0.0.1:9883\r\nAuthorization: Bearer abc\r\n\r\n",
            "POST /log/debug HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
            "HEAD http://h/ HTTP/1.0\r\n\r\n", "DELETE /clients/a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        ]
        var bytes = Array((0..<3).map { _ in seeds.randomElement(using: &random) ?? "" }.joined().utf8)
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: place)
            case 2: bytes.insert([13, 10, 32, 58, 37, 0].randomElement(using: &random) ?? 0, at: place)
            default: bytes.insert(contentsOf: bytes[..<place].suffix(20), at: place)
            }
        }
        let pieces = (0..<bytes.count).map { _ in Int.random(in: 1...9, using: &random) }

        let whole = Outcome.of(bytes, pieces: [])

        #expect(Outcome.of(bytes, pieces: pieces) == whole)
        #expect(Outcome.of(bytes, pieces: Array(repeating: 1, count: bytes.count)) == whole)
    }
}
