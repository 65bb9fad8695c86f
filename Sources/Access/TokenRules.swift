import EventLoop
import JSON
import MQTT

/// `access.jwt`: which JSON Web Tokens (RFC 7519) let a client in, and what of them means what.
public struct TokenRules: Sendable {
    public struct Source: Sendable, Equatable {
        public var keyFile: String
        public var algorithms: [String]
        public var userClaim: String
        /// Empty: tokens say nothing about it.
        public var publishClaim: String
        public var subscribeClaim: String

        public init(
            keyFile: String, algorithms: [String] = ["RS256", "ES256"], userClaim: String = "sub",
            publishClaim: String = "publish", subscribeClaim: String = "subscribe"
        ) {
            self.keyFile = keyFile
            self.algorithms = algorithms
            self.userClaim = userClaim
            self.publishClaim = publishClaim
            self.subscribeClaim = subscribeClaim
        }
    }

    /// What a valid token says.
    struct Grant: Sendable {
        var userName: [UInt8]
        var rules: [AccessRule]
        /// Milliseconds since 1970 UTC.
        var validUntil: Int64?
        /// Of the key that it was signed with.
        var key: [UInt8]
    }

    /// Why a token lets nobody in.
    struct Refusal: Error, Equatable { let text: String }

    private let source: Source
    private let algorithms: [String: TokenAlgorithm]
    private let keys: [TokenKey]
    /// Tokens say what their bearers may do.
    var grantTopics: Bool { !source.publishClaim.isEmpty || !source.subscribeClaim.isEmpty }

    /// A clock of whoever makes the tokens may be ahead of ours by so much.
    private static let leeway: Double = 60
    private static let mostFilters = 1000

    init(_ source: Source, keys bytes: [UInt8]) throws(FileProblem) {
        self.source = source
        keys = try TokenKey.read(bytes, path: source.keyFile)
        algorithms = Dictionary(
            source.algorithms.compactMap { name in TokenAlgorithm(name).map { (name, $0) } }, uniquingKeysWith: { $1 })
        for key in keys where !algorithms.values.contains(where: key.fits) {
            let names = source.algorithms.joined(separator: ", ")
            guard let count = key.secretBytes, algorithms.values.contains(where: { $0.family == .hs }) else {
                throw FileProblem(source.keyFile, "holds a key that none of access.jwt.algorithms (\(names)) is for")
            }
            throw FileProblem(
                source.keyFile,
                "a secret of \(count) bytes: it must be as long as the hash, 32 bytes for HS256 (RFC 7518 §3.2)")
        }
    }

    /// A key is a secret, shared with whoever makes tokens.
    var hasSecret: Bool { keys.contains { $0.secretBytes != nil } }

    /// Whether a key is still one of ours.
    func trusts(key fingerprint: [UInt8]) -> Bool { keys.contains { $0.fingerprint == fingerprint } }

    /// A password that is laid out as a token: three parts with dots between, the first a JSON object in base 64.
    static func resembles(_ password: [UInt8]) -> Bool {
        let parts = password.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Base64.decode(parts[0], isURL: true).flatMap(JSON.init) else {
            return false
        }
        if case .object = header { return true }
        return false
    }

    /// - Parameter now: milliseconds since 1970 UTC; nil: the date isn't known, and so not whether a token is still valid.
    func grant(_ token: [UInt8], now: Int64?) throws(Refusal) -> Grant {
        let parts = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Base64.decode(parts[0], isURL: true).flatMap(JSON.init),
            let body = Base64.decode(parts[1], isURL: true), let signature = Base64.decode(parts[2], isURL: true)
        else { throw Refusal(text: "a password that is no token") }
        guard case .string(let name)? = header["alg"], let algorithm = algorithms[name] else {
            throw Refusal(text: "a token whose algorithm is not among access.jwt.algorithms")
        }
        guard header["crit"] == nil else { throw Refusal(text: "a token with conditions that aren't known (crit)") }
        let signed = Array(token[..<(parts[0].count + 1 + parts[1].count)])
        guard let key = keys.first(where: { $0.verifies(signature, of: signed, algorithm) }) else {
            throw Refusal(text: "a token that none of the keys in \(source.keyFile) has signed")
        }
        guard let claims = JSON(body), case .object = claims else { throw Refusal(text: "a token without claims") }
        guard case .string(let user)? = claims[source.userClaim], !user.isEmpty, !user.utf8.contains(0) else {
            throw Refusal(text: "a token without a user, claim \(source.userClaim)")
        }
        return Grant(
            userName: Array(user.utf8), rules: try rules(claims, user), validUntil: try validity(claims, user, now),
            key: key.fingerprint)
    }

    /// Nothing before `nbf`, nothing from `exp` on (RFC 7519 §4.1.4, §4.1.5).
    private func validity(_ claims: JSON, _ user: String, _ now: Int64?) throws(Refusal) -> Int64? {
        func date(_ name: String) throws(Refusal) -> Double? {
            switch claims[name] {
            case nil: return nil
            case .number(let seconds) where abs(seconds.double) < 1e12: return seconds.double
            default: throw Refusal(text: "a token of \(user) whose \(name) is no date")
            }
        }
        let end = try date("exp")
        let start = try date("nbf")
        if end == nil, start == nil { return nil }
        guard let now else { throw Refusal(text: "a token of \(user), and the clock is not set: is it still valid?") }
        if let start, Double(now) / 1000 < start - Self.leeway {
            throw Refusal(text: "a token of \(user) that is not valid yet")
        }
        guard let end else { return nil }
        guard Double(now) < end * 1000 else { throw Refusal(text: "a token of \(user) that has expired") }
        return Int64(end * 1000)
    }

    private func rules(_ claims: JSON, _ user: String) throws(Refusal) -> [AccessRule] {
        try rules(.write, claims, source.publishClaim, user) + rules(.read, claims, source.subscribeClaim, user)
    }

    /// A filter, or a list of them.
    private func rules(
        _ kind: AccessRule.Kind, _ claims: JSON, _ name: String, _ user: String
    ) throws(Refusal) -> [AccessRule] {
        guard !name.isEmpty, let claim = claims[name] else { return [] }
        let items: [JSON]
        if case .array(let list) = claim { items = list } else { items = [claim] }
        guard items.count <= Self.mostFilters else {
            throw Refusal(text: "a token of \(user) with more than \(Self.mostFilters) topics, claim \(name)")
        }
        var rules: [AccessRule] = []
        for item in items {
            guard case .string(let filter) = item,
                Array(filter.utf8).withUnsafeBytes({ (try? TopicFilter($0))?.isShared == false })
            else { throw Refusal(text: "a token of \(user) with what is no topic filter, claim \(name)") }
            rules.append(AccessRule(kind, filter.utf8))
        }
        return rules
    }
}
