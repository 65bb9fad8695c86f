import Testing

@testable import EventLoop

/// A request as browsers send it, with parts replaced or left out.
func webSocketRequest(_ first: String = "GET /mqtt HTTP/1.1", without: String = "", _ more: String...) -> String {
    let fields = [
        "Host: broker.example:8083", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: mqtt",
        "Origin: https://dashboard.example", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
    ]
    let kept = fields.filter { without.isEmpty || !$0.hasPrefix(without + ":") }
    return ([first] + kept + more).map { $0 + "\r\n" }.joined() + "\r\n"
}

func head(_ text: String) throws -> HTTPHead {
    var reader = HTTPHeadReader(WebSocketHandshake.headLimits)
    let found = try Array(text.utf8).withUnsafeBytes { try reader.read($0) }
    return try #require(found).head
}

@Suite struct WebSocketServerHandshakeTests {
    /// RFC 6455 §1.3.
    @Test func theKeyIsAnswered() {
        #expect(WebSocketHandshake.accept(for: "dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    @Test(arguments: [
        ("", "mqtt"), ("Sec-WebSocket-Protocol: mqttv3.1", "mqttv3.1"),
        ("Sec-WebSocket-Protocol: mqttv3.1, mqtt", "mqtt"), ("Sec-WebSocket-Protocol: foo ,\tmqtt", "mqtt"),
        ("Sec-WebSocket-Protocol: foo\r\nSec-WebSocket-Protocol: mqtt", "mqtt"),
    ])
    func aBrowsersRequestIsAnswered(field: String, subprotocol: String) throws {
        let request =
            field.isEmpty ? webSocketRequest() : webSocketRequest(without: "Sec-WebSocket-Protocol", field)

        let answer = String(decoding: try WebSocketHandshake.answer(to: head(request)), as: UTF8.self)

        #expect(
            answer
                == "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: \(subprotocol)\r\n\r\n"
        )
    }

    @Test(arguments: [
        webSocketRequest("GET / HTTP/1.1"), webSocketRequest("GET /a/b?token=c HTTP/1.1"),
        webSocketRequest("GET http://broker.example/mqtt HTTP/1.1"),
        webSocketRequest(without: "Upgrade", "uPGRADE: h2c, WebSocket"),
        webSocketRequest(without: "Connection", "Connection: upgrade"),
        webSocketRequest(without: "Connection", "Connection: keep-alive", "Connection: UPGRADE"),
        webSocketRequest(without: "Origin"), webSocketRequest("GET /mqtt HTTP/1.1", "Content-Length: 0"),
    ])
    func pathsOriginsAndSpellingsAreTaken(request: String) throws {
        #expect(throws: Never.self) { try WebSocketHandshake.answer(to: head(request)) }
    }

    @Test(
        arguments: [
            (webSocketRequest("POST /mqtt HTTP/1.1"), .methodNotAllowed),
            (webSocketRequest("HEAD /mqtt HTTP/1.1"), .methodNotAllowed),
            (webSocketRequest("GET /mqtt HTTP/1.0"), .versionNotSupported),
            (webSocketRequest("GET /mqtt HTTP/2.0"), .versionNotSupported),
            (webSocketRequest("GET /mqtt"), .badRequest), (webSocketRequest(without: "Host"), .badRequest),
            (webSocketRequest("GET /mqtt HTTP/1.1", "Host: another"), .badRequest),
            (webSocketRequest(without: "Upgrade"), .upgradeRequired),
            (webSocketRequest(without: "Upgrade", "Upgrade: h2c"), .upgradeRequired),
            (webSocketRequest(without: "Connection"), .upgradeRequired),
            (webSocketRequest(without: "Connection", "Connection: close"), .upgradeRequired),
            (webSocketRequest(without: "Sec-WebSocket-Version"), .upgradeRequired),
            (webSocketRequest(without: "Sec-WebSocket-Version", "Sec-WebSocket-Version: 8"), .upgradeRequired),
            (webSocketRequest(without: "Sec-WebSocket-Key"), .badRequest),
            (webSocketRequest("GET / HTTP/1.1", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), .badRequest),
            (webSocketRequest(without: "Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="), .badRequest),
            (
                webSocketRequest(without: "Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ!=="),
                .badRequest
            ),
            (webSocketRequest(without: "Sec-WebSocket-Protocol"), .badRequest),
            (
                webSocketRequest(without: "Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: soap, MQTT5"), .badRequest
            ),
            (webSocketRequest("GET /mqtt HTTP/1.1", "Content-Length: 5"), .badRequest),
            (webSocketRequest("GET /mqtt HTTP/1.1", "Transfer-Encoding: chunked"), .badRequest),
        ] as [(String, HTTPStatus)])
    func whatIsWrongIsRefused(request: String, status: HTTPStatus) throws {
        do {
            _ = try WebSocketHandshake.answer(to: head(request))
            Issue.record("it was taken")
        } catch let error as HTTPError {
            #expect(error.status == status, "\(error.reason)")
        }
    }

    @Test func aRefusalSaysWhatWouldDo() {
        func refusal(_ status: HTTPStatus, isHead: Bool = false) -> String {
            String(decoding: WebSocketHandshake.refusal(HTTPError(status, "no"), isHead: isHead), as: UTF8.self)
        }

        #expect(refusal(.upgradeRequired).contains("\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"))
        #expect(refusal(.upgradeRequired).contains("\r\nConnection: Upgrade, close\r\n"))
        #expect(refusal(.methodNotAllowed).contains("\r\nAllow: GET\r\nConnection: close\r\n\r\nno\n"))
        #expect(refusal(.methodNotAllowed, isHead: true).hasSuffix("\r\n\r\n"))
        #expect(refusal(.badRequest).hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
    }
}

@Suite struct WebSocketClientHandshakeTests {
    private static let key = "dGhlIHNhbXBsZSBub25jZQ=="

    private static func answer(
        _ first: String = "HTTP/1.1 101 Switching Protocols", without: String = "", _ more: String...
    ) -> String {
        let fields = [
            "Upgrade: WebSocket", "Connection: Upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "Sec-WebSocket-Protocol: mqtt",
        ]
        let kept = fields.filter { without.isEmpty || !$0.hasPrefix(without + ":") }
        return ([first] + kept + more).map { $0 + "\r\n" }.joined() + "\r\n"
    }

    @Test(
        arguments: [
            (answer(), nil), (answer(without: "Sec-WebSocket-Protocol"), nil),
            (answer(without: "Upgrade"), "another protocol"), (answer(without: "Connection"), "another protocol"),
            (answer(without: "Sec-WebSocket-Accept"), "not the answer to our key"),
            (answer(without: "Sec-WebSocket-Accept", "Sec-WebSocket-Accept: AAAA"), "not the answer to our key"),
            (
                answer("HTTP/1.1 101 x", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
                "not the answer to our key"
            ),
            (answer("HTTP/1.1 101 x", "Sec-WebSocket-Extensions: permessage-deflate"), "an extension"),
            (answer(without: "Sec-WebSocket-Protocol", "Sec-WebSocket-Protocol: soap"), "the subprotocol soap"),
            (answer("HTTP/1.1 200 OK"), "a web server answers 200 OK, but has no WebSocket at /path"),
            (
                answer("HTTP/1.1 301 Moved Permanently", "Location: https://other.example/mqtt"),
                "redirects to https://other.example/mqtt (301 Moved Permanently), which is not followed"
            ),
            (answer("HTTP/1.1 302 "), "redirects elsewhere (302), which is not followed"),
            (answer("HTTP/1.1 401 Unauthorized"), "wants a login over HTTP (401 Unauthorized)"),
            (answer("HTTP/1.1 403 Forbidden"), "doesn't let us in (403 Forbidden)"),
            (answer("HTTP/1.1 404 Not Found"), "has nothing at /path (404 Not Found)"),
            (answer("HTTP/1.1 400 Bad Request"), "refuses the WebSocket (400 Bad Request)"),
            (answer("HTTP/1.1 503"), "can't take us now (503)"),
            (answer("HTTP/2 101"), "doesn't speak HTTP"), (answer("220 mail.example ESMTP"), "doesn't speak HTTP"),
        ] as [(String, String?)])
    func answersAreJudgedInWords(text: String, reason: String?) throws {
        let request = try #require(WebSocketRequest(host: "h", port: 80, path: "/path", usesTLS: false))

        let refusal = request.refusal(by: try head(text), key: Self.key)

        if let reason {
            #expect(refusal?.contains(reason) == true, "\(refusal ?? "taken")")
        } else {
            #expect(refusal == nil)
        }
    }

    @Test(
        arguments: [
            ("h", 80, "/mqtt", false, "GET /mqtt HTTP/1.1\r\nHost: h\r\n"),
            ("h", 443, "/a?b=c", true, "GET /a?b=c HTTP/1.1\r\nHost: h\r\n"),
            ("h", 8083, "/", true, "GET / HTTP/1.1\r\nHost: h:8083\r\n"),
            ("::1", 443, "/mqtt", false, "GET /mqtt HTTP/1.1\r\nHost: [::1]:443\r\n"),
        ] as [(String, UInt16, String, Bool, String)])
    func theRequestNamesHostAndPath(host: String, port: UInt16, path: String, usesTLS: Bool, beginning: String) throws {
        let request = try #require(WebSocketRequest(host: host, port: port, path: path, usesTLS: usesTLS))
        let text = String(decoding: request.encode(key: WebSocketRequest.key()), as: UTF8.self)

        #expect(text.hasPrefix(beginning))
        #expect(throws: Never.self) { try WebSocketHandshake.answer(to: head(text)) }
    }

    @Test(arguments: ["", "mqtt", "/a b", "/a\r\nX: y", "/a#b", "/ü", "/\u{7F}"])
    func pathsThatNoRequestLineCanHoldAreRefused(path: String) {
        #expect(WebSocketRequest(host: "h", port: 80, path: path, usesTLS: false) == nil)
    }

    @Test func keysDiffer() {
        #expect(Set((0..<20).map { _ in WebSocketRequest.key() }).count == 20)
    }
}
