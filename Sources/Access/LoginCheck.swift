import Glibc

/// What is found out about a client away from the loop: hashing a password takes milliseconds, and looking up a user of the
/// system may ask the network.
struct LoginCheck: Sendable {
    enum Claim: Sendable {
        /// `name` is nil where only a token was given.
        case login(name: [UInt8]?, password: [UInt8]?)
        /// The user of the system at the other end of a Unix socket.
        case peer(user: UInt32)
    }

    enum Verdict: Sendable {
        case user([UInt8], PasswordHash)
        case token(TokenRules.Grant)
        case peer([UInt8])
        /// Why not, for the log.
        case refused(String)
    }

    let claim: Claim
    let rules: AccessRules
    /// Milliseconds since 1970 UTC; nil: not known.
    let now: Int64?

    func run() -> Verdict {
        switch claim {
        case .peer(let user): .peer(Self.systemName(of: user))
        case .login(let name, let password): verdict(name, password)
        }
    }

    private func verdict(_ name: [UInt8]?, _ password: [UInt8]?) -> Verdict {
        if let tokens = rules.tokens, let password, TokenRules.resembles(password) {
            do throws(TokenRules.Refusal) {
                return .token(try tokens.grant(password, now: now))
            } catch {
                return .refused(error.text)
            }
        }
        guard let name else { return .refused("a password that is no token, and no user name") }
        // An unknown user's password is hashed all the same: the time tells nothing.
        let hash = rules.passwords[name] ?? .unreachable(lasting: rules.work)
        // None is not the empty one.
        if hash.matches(password ?? [], lasting: rules.work), password != nil { return .user(name, hash) }
        let why = rules.passwords[name] == nil ? "unknown" : password == nil ? "no password" : "wrong password"
        return .refused("user \(text(name)): \(why)")
    }

    /// The number, if the system has no name for it.
    private static func systemName(of user: UInt32) -> [UInt8] {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16_384)
        guard getpwuid_r(user, &entry, &buffer, buffer.count, &found) == 0, found != nil, let name = entry.pw_name
        else {
            return Array("\(user)".utf8)
        }
        return Array(String(cString: name).utf8)
    }
}
