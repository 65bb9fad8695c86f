import Broker
import EventLoop
import MQTT

/// A client that shows who it is by SCRAM-SHA-256, which costs the broker no more than four hashes: on the loop, in two steps.
/// A user that isn't known gets a salt too, always the same one, and is refused at the end like a wrong password.
final class ScramLogin: Authentication {
    static let method = "SCRAM-SHA-256"

    private weak var access: RuledAccess?
    private let candidate: Candidate
    private let address: PeerAddress
    private let rules: AccessRules
    private var exchange: ScramExchange?
    private var hash: PasswordHash?
    private var isOpen = false

    init(_ candidate: Candidate, _ rules: AccessRules, _ access: RuledAccess) {
        self.candidate = candidate
        self.rules = rules
        self.access = access
        address = PeerAddress(candidate.peer)
    }

    deinit { if isOpen { access?.endExchange(address, candidate.byteCount) } }

    func take(_ data: [UInt8]?, then: @escaping (AuthenticationStep) -> Void) {
        guard let access else { return then(.refused(.serverUnavailable, why: nil)) }
        do throws(ScramExchange.Refusal) {
            if exchange == nil {
                if let refusal = access.beginExchange(address, candidate.byteCount) { return then(refusal) }
                isOpen = true
                then(.goOn(try begin(data ?? [], access)))
            } else {
                then(try finish(data ?? [], access))
            }
        } catch {
            let who = exchange.map { "user \(text($0.userName)): " } ?? ""
            isOpen = false
            access.fail(exchange: candidate, address, who + error.text, then)
        }
    }

    private func begin(_ data: [UInt8], _ access: RuledAccess) throws(ScramExchange.Refusal) -> [UInt8] {
        var exchange = try ScramExchange(data)
        // Worked out for everybody: how long it takes tells nothing.
        let pretended = rules.pretendedHash(of: exchange.userName, secret: access.secret)
        if let known = rules.passwords[exchange.userName], known.scramKeys != nil { hash = known }
        let challenge = exchange.challenge(hash ?? pretended, Self.nonce())
        self.exchange = exchange
        if let given = candidate.userName, given != exchange.userName {
            throw ScramExchange.Refusal(text: "CONNECT names user \(text(given))")
        }
        return challenge
    }

    private func finish(_ data: [UInt8], _ access: RuledAccess) throws(ScramExchange.Refusal) -> AuthenticationStep {
        guard let exchange else { throw ScramExchange.Refusal(text: "no exchange") }
        do throws(ScramExchange.Refusal) {
            let proof = try exchange.verify(data)
            guard let hash, let identity = access.identity(candidate, exchange.userName, hash) else {
                throw ScramExchange.Refusal(text: "no longer known")
            }
            isOpen = false
            access.endExchange(address, candidate.byteCount)
            return .admitted(identity, proof)
        } catch {
            guard hash == nil else { throw error }
            let isKnown = rules.passwords[exchange.userName] != nil
            throw ScramExchange.Refusal(text: isKnown ? "its password isn't kept for SCRAM" : "unknown")
        }
    }

    /// 144 random bits.
    private static func nonce() -> String {
        var generator = SystemRandomNumberGenerator()
        return Base64.encode((0..<18).map { _ in UInt8.random(in: 0...255, using: &generator) })
    }
}

extension AccessRules {
    /// What a user without a verifier is shown: a salt that is its own for as long as the secret lasts, and the iterations that
    /// most users have.
    func pretendedHash(of userName: [UInt8], secret: [UInt8]) -> PasswordHash {
        let salt = ScramKeys.code(userName, key: secret)
        let shape = scramShape ?? ScramShape(iterations: PasswordHash.usualIterations, saltBytes: salt.count)
        return PasswordHash.pretended(
            iterations: shape.iterations, salt: Array(salt.prefix(max(1, min(shape.saltBytes, salt.count)))))
    }
}

/// What most users' verifiers look like from outside.
struct ScramShape: Hashable, Sendable {
    let iterations: Int
    let saltBytes: Int

    /// nil: nobody has one.
    init?(most hashes: some Sequence<PasswordHash>) {
        var counts: [ScramShape: Int] = [:]
        for hash in hashes where hash.scramKeys != nil {
            counts[ScramShape(iterations: hash.iterations, saltBytes: hash.salt.count), default: 0] += 1
        }
        let most = counts.max {
            ($0.value, $0.key.iterations, $0.key.saltBytes) < ($1.value, $1.key.iterations, $1.key.saltBytes)
        }
        guard let most else { return nil }
        self = most.key
    }

    init(iterations: Int, saltBytes: Int) {
        self.iterations = iterations
        self.saltBytes = saltBytes
    }
}
