/// The client's side of the opening handshake: what is asked of whom, and whether the answer is the one to it.
public struct WebSocketRequest: Equatable, Sendable {
    /// Where a URL says nothing else.
    public static let usualPath = "/mqtt"

    /// A page of a web server that knows nothing of WebSocket may come with long cookies and policies.
    static let answerLimits = HTTPHeadReader.Limits(bytes: 32 * 1024, fields: 200)

    /// For the Host field.
    let authority: String
    public let path: String

    /// - Parameters:
    ///   - host: a name, or an address without brackets.
    ///   - path: with its query, as it goes over the wire. Nil comes back for one that no request line can hold.
    public init?(host: String, port: UInt16, path: String, usesTLS: Bool) {
        guard path.hasPrefix("/"), path.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") })
        else {
            return nil
        }
        let name = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        authority = port == (usesTLS ? 443 : 80) ? name : "\(name):\(port)"
        self.path = path
    }

    /// 16 random bytes (RFC 6455 §4.1).
    static func key() -> String {
        let bytes = (0..<16).map { _ in UInt8.random(in: 0...255) }
        return Base64.encode(bytes)
    }

    func encode(key: String) -> [UInt8] {
        Array(
            """
            GET \(path) HTTP/1.1\r
            Host: \(authority)\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Key: \(key)\r
            Sec-WebSocket-Version: \(WebSocketHandshake.version)\r
            Sec-WebSocket-Protocol: mqtt\r
            \r

            """.utf8)
    }

    // MARK: - The answer

    /// Why an answer opens no WebSocket (RFC 6455 §4.1); nil: it does. A server that chooses no subprotocol is taken at its
    /// word: MQTT's own packets will tell.
    func refusal(by head: HTTPHead, key: String) -> String? {
        guard let line = head.statusLine() else { return "what answers there doesn't speak HTTP" }
        guard line.status == 101 else { return refusal(line, location: head.values("location").first ?? "") }
        guard head.lists("upgrade", "websocket"), head.lists("connection", "upgrade") else {
            return "the server switches to another protocol than WebSocket"
        }
        guard head.values("sec-websocket-accept") == [WebSocketHandshake.accept(for: key)] else {
            return "the server's Sec-WebSocket-Accept is not the answer to our key; a cache or proxy may have answered"
        }
        guard head.values("sec-websocket-extensions").isEmpty else {
            return "the server uses an extension that was not offered"
        }
        let subprotocols = head.values("sec-websocket-protocol")
        guard subprotocols.isEmpty || subprotocols == ["mqtt"] else {
            let chosen = Self.shown(subprotocols.joined(separator: ", "))
            return "the server chooses the subprotocol \(chosen), and mqtt was offered"
        }
        return nil
    }

    private func refusal(_ line: HTTPHead.StatusLine, location: String) -> String {
        let status = line.phrase.isEmpty ? "\(line.status)" : "\(line.status) \(Self.shown(line.phrase))"
        switch line.status {
        case 200..<300: return "a web server answers \(status), but has no WebSocket at \(path); is it the right path?"
        case 300..<400:
            let target = location.isEmpty ? "elsewhere" : "to \(Self.shown(location))"
            return "the server redirects \(target) (\(status)), which is not followed: see the URL"
        case 401, 407: return "the server wants a login over HTTP (\(status)), which MQTT's login doesn't answer"
        case 403: return "the server doesn't let us in (\(status))"
        case 404, 410: return "the server has nothing at \(path) (\(status)); is it the right path?"
        case 500...: return "the server can't take us now (\(status))"
        default: return "the server refuses the WebSocket (\(status))"
        }
    }

    /// What a server wrote, for a log line.
    private static func shown(_ text: String) -> String {
        let scalars = text.unicodeScalars.prefix(200).filter { $0.properties.generalCategory != .control }
        return String(String.UnicodeScalarView(scalars))
    }
}
