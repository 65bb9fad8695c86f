/// What both sides of a WebSocket's opening handshake know (RFC 6455 §4).
enum WebSocketHandshake {
    /// A browser's request has some hundred bytes, with large cookies a few thousand.
    static let headLimits = HTTPHeadReader.Limits(bytes: 8 * 1024, fields: 64)

    /// The only version there is (§4.1).
    static let version = "13"

    /// What the server answers to a key (§4.2.2).
    static func accept(for key: String) -> String {
        let digest = SHA1.digest(Array("\(key)258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8))
        return Base64.encode(digest)
    }
}

/// The server's side: one request, and the answer to it.
///
/// Any path will do, since proxies rewrite it, and any Origin: who may come is for the MQTT login to say. A client has to
/// offer `mqtt` or `mqttv3.1` [MQTT-6.0.0-3]: one that offers neither is told so, where mosquitto would let it in and then
/// say nothing (EMQX refuses it, too).
extension WebSocketHandshake {
    /// The first one wins, wherever the client names it [MQTT-6.0.0-4].
    private static let subprotocols = ["mqtt", "mqttv3.1"]

    /// The answer that opens the connection.
    static func answer(to head: HTTPHead) throws(HTTPError) -> [UInt8] {
        let line = try head.requestLine()
        guard line.method == "GET" else {
            throw HTTPError(.methodNotAllowed, "a WebSocket begins with GET, not \(line.method)")
        }
        guard !line.isHTTP10 else {
            throw HTTPError(.versionNotSupported, "a WebSocket begins with HTTP/1.1; a proxy on the way may speak 1.0")
        }
        guard head.values("host").count == 1 else { throw .bad("one Host field is needed") }
        guard head.values("transfer-encoding").isEmpty, head.values("content-length").allSatisfy({ $0 == "0" }) else {
            throw .bad("a WebSocket's request has no body")
        }
        guard head.lists("upgrade", "websocket"), head.lists("connection", "upgrade") else {
            throw HTTPError(
                .upgradeRequired, "this port speaks MQTT over WebSocket, and the request asks for no upgrade to it")
        }
        let version = head.values("sec-websocket-version")
        guard version == [Self.version] else {
            let asked = version.isEmpty ? "none" : version.joined(separator: ", ")
            throw HTTPError(.upgradeRequired, "Sec-WebSocket-Version is \(asked): 13 is spoken here")
        }
        let keys = head.values("sec-websocket-key")
        guard keys.count == 1, Base64.decode(keys[0].utf8)?.count == 16 else {
            throw .bad("Sec-WebSocket-Key is missing, or not 16 bytes in Base64")
        }
        let offered = head.members("sec-websocket-protocol")
        guard let subprotocol = subprotocols.first(where: { offered.contains(Substring($0)) }) else {
            let what = offered.isEmpty ? "no subprotocol" : "of the subprotocols none that is known"
            throw .bad("\(what) is offered: Sec-WebSocket-Protocol: mqtt is needed")
        }
        return Array(
            """
            HTTP/1.1 101 Switching Protocols\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Accept: \(accept(for: keys[0]))\r
            Sec-WebSocket-Protocol: \(subprotocol)\r
            \r

            """.utf8)
    }

    /// The answer that refuses.
    static func refusal(_ error: HTTPError, isHead: Bool = false) -> [UInt8] {
        let body = "\(error.reason)\n"
        var fields = ""
        switch error.status {
        case .methodNotAllowed: fields = "Allow: GET\r\n"
        case .upgradeRequired: fields = "Upgrade: websocket\r\nSec-WebSocket-Version: \(version)\r\n"
        default: break
        }
        let connection = error.status == .upgradeRequired ? "Upgrade, close" : "close"
        return Array(
            """
            HTTP/1.1 \(error.status.rawValue) \(error.status.phrase)\r
            Content-Type: text/plain; charset=utf-8\r
            Content-Length: \(body.utf8.count)\r
            X-Content-Type-Options: nosniff\r
            \(fields)Connection: \(connection)\r
            \r
            \(isHead ? "" : body)
            """.utf8)
    }

    /// What comes first on a listener for WebSocket and is no HTTP, in words for whoever reads the log; nil: it may be.
    static func stranger(_ bytes: UnsafeRawBufferPointer) -> String? {
        guard let first = bytes.first else { return nil }
        switch first {
        case 0x10: return "this is MQTT, and the listener speaks WebSocket (transport = \"auto\" takes both)"
        case 0x16: return "this is TLS, which the listener doesn't speak"
        case UInt8(ascii: "P") where bytes.starts(with: Array("PROXY ".utf8)):
            return "this is a PROXY header, which the listener doesn't take (proxy_protocol = 1)"
        case 0x0D where bytes.starts(with: ProxyHeader.signature):
            return "this is a PROXY header, which the listener doesn't take (proxy_protocol = 2)"
        default: return HTTPHead.isTokenByte(first) || first == 0x0D ? nil : "this is not HTTP"
        }
    }
}
