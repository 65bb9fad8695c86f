import COpenSSL
import EventLoop

/// A password's hash as mosquitto_passwd writes it: `$7$iterations$salt$hash` is PBKDF2 with HMAC-SHA-512,
/// `$6$salt$hash` one SHA-512 of password and salt; salt and hash in base 64. Or what SCRAM-SHA-256 needs of a password, as RFC
/// 5803 §3 and PostgreSQL write it: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
public struct PasswordHash: Sendable, Equatable {
    /// 0: `$6$`.
    public let iterations: Int
    let salt: [UInt8]
    let hash: [UInt8]
    /// nil: a hash for logins by password alone.
    let scramKeys: ScramKeys?

    private static let hashBytes = 64
    private static let saltBytes = 12
    private static let scramSaltBytes = 16
    private static let scramName = "SCRAM-SHA-256"
    /// Of new hashes: some 5 ms of a PC's core, 30 ms of a small gateway's, for each login. mosquitto takes any number.
    public static let usualIterations = 10_000
    /// More would be a way to stop the broker with one line of a file.
    public static let allowedIterations = 1...5_000_000

    /// Why a text is no hash.
    public struct Problem: Error, Equatable, Sendable {
        public let text: String
    }

    public init(_ text: String) throws(Problem) { try self.init(ArraySlice(text.utf8)) }

    init(_ text: ArraySlice<UInt8>) throws(Problem) {
        let parts = text.split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false)
        guard Access.text(parts[0]) != Self.scramName else {
            self = try Self.scram(parts)
            return
        }
        guard parts.count > 1, parts[0].isEmpty else {
            throw Problem(text: "no password hash ($7$...): make one with `roost passwd` or mosquitto_passwd")
        }
        let kind = Access.text(parts[1])
        switch (kind, parts.count) {
        case ("7", 5):
            guard let number = Int(Access.text(parts[2])), Self.allowedIterations.contains(number) else {
                throw Problem(
                    text: "a $7$ hash whose iterations are no number from 1 to \(Self.allowedIterations.upperBound)")
            }
            iterations = number
        case ("6", 4):
            iterations = 0
        case ("7", _), ("6", _):
            throw Problem(text: "a $\(kind)$ hash that is cut off, or has too many parts")
        case ("argon2id", _), ("argon2i", _), ("argon2d", _):
            throw Problem(
                text: "an \(kind) hash, which OpenSSL can't check before 3.2: set the password again with "
                    + "`roost passwd`, or `mosquitto_passwd -H sha512-pbkdf2`")
        default:
            throw Problem(text: "a hash of a kind that isn't known; $7$ (sha512-pbkdf2) and $6$ (sha512) are")
        }
        guard let salt = Base64.decode(parts[parts.count - 2]), let hash = Base64.decode(parts[parts.count - 1]),
            !salt.isEmpty, hash.count == Self.hashBytes
        else {
            throw Problem(text: "a $\(kind)$ hash that is damaged: salt and hash must be base 64, the hash 64 bytes")
        }
        self.salt = salt
        self.hash = hash
        scramKeys = nil
    }

    private static func scram(_ parts: [ArraySlice<UInt8>]) throws(Problem) -> PasswordHash {
        let pairs = parts.dropFirst().map { $0.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) }
        guard pairs.count == 2, pairs.allSatisfy({ $0.count == 2 }) else {
            throw Problem(text: "a \(scramName) verifier that is cut off, or has too many parts")
        }
        guard let number = Int(Access.text(pairs[0][0])), allowedIterations.contains(number) else {
            throw Problem(
                text: "a \(scramName) verifier whose iterations are no number from 1 to "
                    + "\(allowedIterations.upperBound)")
        }
        guard let salt = Base64.decode(pairs[0][1]), let stored = Base64.decode(pairs[1][0]),
            let server = Base64.decode(pairs[1][1]), (1...longestScramSalt).contains(salt.count),
            stored.count == ScramKeys.byteCount, server.count == ScramKeys.byteCount
        else {
            throw Problem(
                text: "a \(scramName) verifier that is damaged: salt and keys must be base 64, the keys 32 bytes")
        }
        return PasswordHash(
            iterations: number, salt: salt, hash: [], scramKeys: ScramKeys(stored: stored, server: server))
    }

    /// It is told to whoever asks.
    private static let longestScramSalt = 256

    private init(iterations: Int, salt: [UInt8], hash: [UInt8], scramKeys: ScramKeys? = nil) {
        self.iterations = iterations
        self.salt = salt
        self.hash = hash
        self.scramKeys = scramKeys
    }

    /// Hashes a password, with a salt of its own.
    public init(of password: [UInt8], iterations: Int = usualIterations) {
        let salt = Self.randomSalt(Self.saltBytes)
        self.init(iterations: iterations, salt: salt, hash: Self.derive(password, salt, iterations))
    }

    /// What SCRAM-SHA-256 needs of a password. Clients prepare passwords that aren't ASCII (SASLprep, RFC 4013), each in its own
    /// way: see `isPlain(_:)`.
    public init(scramOf password: [UInt8], iterations: Int = usualIterations) {
        let salt = Self.randomSalt(Self.scramSaltBytes)
        self.init(
            iterations: iterations, salt: salt, hash: [],
            scramKeys: ScramKeys(of: password, salt: salt, iterations: iterations))
    }

    /// A password that nobody has to prepare for SCRAM: ASCII without control characters.
    public static func isPlain(_ password: [UInt8]) -> Bool { password.allSatisfy { (0x20...0x7E).contains($0) } }

    private static func randomSalt(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    /// What no password has, and takes as long to find out.
    static func unreachable(lasting work: PasswordWork) -> PasswordHash {
        PasswordHash(iterations: work.sha512, salt: Array(repeating: 0, count: saltBytes), hash: [])
    }

    /// What a SCRAM login of a user without a verifier is shown; nobody has its keys.
    static func pretended(iterations: Int, salt: [UInt8]) -> PasswordHash {
        PasswordHash(iterations: iterations, salt: salt, hash: [])
    }

    /// `$7$...` as it stands in a file.
    public var text: String {
        if let scramKeys {
            return "\(Self.scramName)$\(iterations):\(Base64.encode(salt))$\(Base64.encode(scramKeys.stored)):"
                + Base64.encode(scramKeys.server)
        }
        let end = "\(Base64.encode(salt))$\(Base64.encode(hash))"
        return iterations == 0 ? "$6$\(end)" : "$7$\(iterations)$\(end)"
    }

    /// Whether the password is this one. It takes as long as `work` does, whatever the hash's own is: how long an answer
    /// takes shall not tell who is a user.
    func matches(_ password: [UInt8], lasting work: PasswordWork) -> Bool {
        let own = PasswordWork(of: self)
        if work.sha512 > own.sha512 { _ = Self.derive(password, salt, work.sha512 - own.sha512) }
        if work.sha256 > own.sha256 { _ = ScramKeys.salted(password, salt, work.sha256 - own.sha256) }
        if let scramKeys {
            return ScramKeys(of: password, salt: salt, iterations: iterations).hasSameStoredKey(as: scramKeys)
        }
        let found = Self.derive(password, salt, iterations)
        guard found.count == hash.count else { return false }
        return CRYPTO_memcmp(found, hash, hash.count) == 0
    }

    private static func derive(_ password: [UInt8], _ salt: [UInt8], _ iterations: Int) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: hashBytes)
        guard iterations > 0 else {
            var count: UInt32 = 0
            let done = EVP_Digest(password + salt, password.count + salt.count, &result, &count, EVP_sha512(), nil)
            precondition(done == 1, "OpenSSL has no SHA-512")
            return result
        }
        let done = password.withUnsafeBytes { bytes in
            // A nil password has no length, and an empty one is a password.
            let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            return PKCS5_PBKDF2_HMAC(
                start, Int32(bytes.count), salt, Int32(salt.count), Int32(iterations), EVP_sha512(), Int32(hashBytes),
                &result)
        }
        precondition(done == 1, "OpenSSL has no PBKDF2")
        return result
    }
}

/// Iterations of either hash function: what a check of any password of a file takes at most, and so each of them.
struct PasswordWork: Sendable, Equatable {
    var sha512 = 0
    var sha256 = 0

    init(sha512: Int = 0, sha256: Int = 0) {
        self.sha512 = sha512
        self.sha256 = sha256
    }

    init(of hash: PasswordHash) {
        if hash.scramKeys == nil { sha512 = hash.iterations } else { sha256 = hash.iterations }
    }

    init(most hashes: some Sequence<PasswordHash>) {
        for hash in hashes {
            let own = PasswordWork(of: hash)
            sha512 = max(sha512, own.sha512)
            sha256 = max(sha256, own.sha256)
        }
    }
}
