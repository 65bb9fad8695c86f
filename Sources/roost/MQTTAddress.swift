import EventLoop

/// A broker's URL, taken apart: `mqtts://user:password@host:8883/topic`, `unix:/path`.
struct MQTTAddress {
    var endpoint: Endpoint
    var usesTLS = false
    var username: String?
    var password: String?
    /// What follows the host, for commands that publish or subscribe.
    var topic: String?

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
        switch url[..<scheme.lowerBound].lowercased() {
        case "mqtt", "tcp": usesTLS = false
        case "mqtts", "ssl", "tls": usesTLS = true
        case "ws", "wss": throw Failure.usage("\(url): this command speaks mqtt://, mqtts:// and unix: only")
        default: throw Failure.usage("\(url): the schemes are mqtt://, mqtts:// and unix:")
        }
        let parts = url[scheme.upperBound...].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        var authority = parts[0]
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
            let endpoint = Endpoint(parsing: hasPort ? String(authority) : "\(authority):\(usesTLS ? 8883 : 1883)")
        else { throw Failure.usage("\(url): \(authority) is no host:port") }
        self.init(endpoint: endpoint)
        self.usesTLS = usesTLS
        self.username = username
        self.password = password
        if parts.count > 1, !parts[1].isEmpty { topic = String(parts[1]).percentDecoded }
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
