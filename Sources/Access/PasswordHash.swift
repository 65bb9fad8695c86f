import COpenSSL
import EventLoop

/// A password's hash as mosquitto_passwd writes it: `$7$iterations$salt$hash` is PBKDF2 with HMAC-SHA-512,
/// `$6$salt$hash` one SHA-512 of password and salt; salt and hash in base 64.
public struct PasswordHash: Sendable, Equatable {
    /// 0: `$6$`.
    public let iterations: Int
    let salt: [UInt8]
    let hash: [UInt8]

    private static let hashBytes = 64
    private static let saltBytes = 12
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
    }

    private init(iterations: Int, salt: [UInt8], hash: [UInt8]) {
        self.iterations = iterations
        self.salt = salt
        self.hash = hash
    }

    /// Hashes a password, with a salt of its own.
    public init(of password: [UInt8], iterations: Int = usualIterations) {
        var generator = SystemRandomNumberGenerator()
        let salt = (0..<Self.saltBytes).map { _ in UInt8.random(in: 0...255, using: &generator) }
        self.init(iterations: iterations, salt: salt, hash: Self.derive(password, salt, iterations))
    }

    /// What no password has, and takes as long to find out.
    static func unreachable(iterations: Int) -> PasswordHash {
        PasswordHash(iterations: iterations, salt: Array(repeating: 0, count: saltBytes), hash: [])
    }

    /// `$7$...` as it stands in a file.
    public var text: String {
        let end = "\(Base64.encode(salt))$\(Base64.encode(hash))"
        return iterations == 0 ? "$6$\(end)" : "$7$\(iterations)$\(end)"
    }

    /// Whether the password is this one. It takes as long as `iterations` do, whatever the hash's own are: how long an
    /// answer takes shall not tell who is a user.
    func matches(_ password: [UInt8], lasting iterations: Int) -> Bool {
        let found = Self.derive(password, salt, self.iterations)
        if iterations > self.iterations { _ = Self.derive(password, salt, iterations - self.iterations) }
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
