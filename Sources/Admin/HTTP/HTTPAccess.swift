import EventLoop

/// Who may ask, by the way it comes in.
public enum HTTPAccess {
    /// A Unix socket: root, and whoever shares the daemon's user or group, as the kernel says (SO_PEERCRED).
    case peers(user: UInt32, group: UInt32)
    /// TCP with `Authorization: Bearer TOKEN` (RFC 6750 §2.1).
    case token([UInt8])
    /// TCP from this machine alone. Any web page may send requests there from the user's browser, so names that aren't
    /// this machine's (DNS rebinding) and origins that aren't ours (request forgery) are refused.
    case loopback(host: String)

    enum Verdict: Equatable {
        case trusted
        /// Only what probes ask.
        case unknown
        case refused(String)
    }

    /// Whether a connection may be used at all; nil: yes.
    func refusal(of stream: ByteStream) -> String? {
        guard case .peers(let user, let group) = self else { return nil }
        guard let peer = stream.peerCredentials else { return "the peer's credentials are not known" }
        if peer.user == 0 || peer.user == user || peer.groups.contains(group) { return nil }
        return "user \(peer.user) may not administer this roostd: be root, its user, or a member of its group"
    }

    func verdict(on request: HTTPRequest) -> Verdict {
        switch self {
        case .peers: .trusted
        case .token(let token): Self.verdict(request["authorization"], token)
        case .loopback(let host): Self.verdict(host: request["host"], origin: request["origin"], own: host)
        }
    }

    private static func verdict(_ authorization: String?, _ token: [UInt8]) -> Verdict {
        guard let authorization else { return .unknown }
        let words = authorization.split(separator: " ", maxSplits: 1)
        guard words.count == 2, words[0].lowercased() == "bearer" else { return .unknown }
        return isEqual(Array(words[1].utf8), token) ? .trusted : .unknown
    }

    /// Takes as long wherever the difference is, so that a token can't be found out byte by byte.
    static func isEqual(_ given: [UInt8], _ secret: [UInt8]) -> Bool {
        var difference = given.count ^ secret.count
        for index in given.indices {
            let other = secret.isEmpty ? 0 : secret[index % secret.count]
            difference |= Int(given[index] ^ other)
        }
        return difference == 0 && !secret.isEmpty
    }

    private static func verdict(host: String?, origin: String?, own: String) -> Verdict {
        let authority = host ?? own
        guard isLocal(name(of: authority), own: own) else {
            return .refused("\"\(authority)\" is not a name of this service; use its address")
        }
        guard let origin else { return .trusted }
        guard origin.lowercased() == "http://\(authority.lowercased())" else {
            return .refused("requests from \(origin) are not taken")
        }
        return .trusted
    }

    /// Without the port and an IPv6 address's brackets.
    private static func name(of authority: String) -> String {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            return String(authority[authority.index(after: authority.startIndex)..<end])
        }
        return String(authority.prefix { $0 != ":" }).lowercased()
    }

    /// An address can't be rebound as a name can.
    private static func isLocal(_ name: String, own: String) -> Bool {
        name == "localhost" || name == own.lowercased() || name.utf8.contains(UInt8(ascii: ":"))
            || (!name.isEmpty && name.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") })
    }
}
