import EventLoop

/// A broker's URL, taken apart: `mqtts://user:password@host:8883/topic`, `wss://host/path`, `unix:/path`.
struct MQTTAddress {
    var endpoint: Endpoint
    var usesTLS = false
    var username: String?
    var password: String?
    /// What follows the host, for commands that publish or subscribe; over WebSocket that is the path.
    var topic: String?
    /// Nil: MQTT without WebSocket.
    var webSocket: WebSocketRequest?

    init(endpoint: Endpoint) { self.endpoint = endpoint }

    init(url: String) throws(Failure) {
        if url.hasPrefix("unix:") {
            var path = url.dropFirst(5)
            if path.hasPrefix("//") { path = path.dropFirst(2) }
            guard path.hasPrefix("/") else { throw Failure.usage("\(url): a socket's path starts with /") }
            self.init(endpoint: .unix(path: String(path)))
            return
        }
        guard let scheme = url.firstRange(of: "://") else {
            throw Failure.usage("\(url) is no URL: mqtt://host:port")
        }
        let usesTLS: Bool
        let usesWebSocket: Bool
        let usualPort: Int
        switch url[..<scheme.lowerBound].lowercased() {
        case "mqtt", "tcp": (usesTLS, usesWebSocket, usualPort) = (false, false, 1883)
        case "mqtts", "ssl", "tls": (usesTLS, usesWebSocket, usualPort) = (true, false, 8883)
        case "ws": (usesTLS, usesWebSocket, usualPort) = (false, true, 80)
        case "wss": (usesTLS, usesWebSocket, usualPort) = (true, true, 443)
        default: throw Failure.usage("\(url): the schemes are mqtt://, mqtts://, ws://, wss:// and unix:")
        }
        let rest = url[scheme.upperBound...]
        var authority = rest.prefix { $0 != "/" && (!usesWebSocket || $0 != "?") }
        let path = rest.dropFirst(authority.count)
        var username: String?
        var password: String?
        if let at = authority.lastIndex(of: "@") {
            let login = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            username = String(login[0]).percentDecoded
            password = login.count > 1 ? String(login[1]).percentDecoded : nil
            authority = authority[authority.index(after: at)...]
        }
        let hasPort = authority.last != "]" && authority.contains(":")
        guard !authority.isEmpty,
            let endpoint = Endpoint(parsing: hasPort ? String(authority) : "\(authority):\(usualPort)")
        else { throw Failure.usage("\(url): \(authority) is no host:port") }
        self.init(endpoint: endpoint)
        self.usesTLS = usesTLS
        self.username = username
        self.password = password
        guard usesWebSocket, case .tcp(let host, let port) = endpoint else {
            if path.count > 1 { topic = String(path.dropFirst()).percentDecoded }
            return
        }
        webSocket = WebSocketRequest(
            host: host, port: port, path: path.hasPrefix("/") ? String(path) : WebSocketRequest.usualPath + path,
            usesTLS: usesTLS)
        if webSocket == nil { throw Failure.usage("\(url): \(path) is no path (ASCII, without spaces or #)") }
    }
}

extension String {
    var percentDecoded: String {
        var bytes: [UInt8] = []
        var rest = Array(utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    fileprivate func firstRange(of word: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(word) { return start..<index(start, offsetBy: word.count) }
            start = index(after: start)
        }
        return nil
    }
}
