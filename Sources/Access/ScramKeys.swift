import COpenSSL
import EventLoop

/// What a server keeps of a password for SCRAM-SHA-256 (RFC 5802 §3, RFC 7677): enough to check a client's proof and to give
/// one in turn, and not enough to log in elsewhere.
struct ScramKeys: Sendable, Equatable {
    let stored: [UInt8]
    let server: [UInt8]

    static let byteCount = 32

    init(stored: [UInt8], server: [UInt8]) {
        self.stored = stored
        self.server = server
    }

    /// Takes as long as the iterations do.
    init(of password: [UInt8], salt: [UInt8], iterations: Int) {
        let salted = Self.salted(password, salt, iterations)
        stored = Self.digest(Self.code("Client Key".utf8, key: salted))
        server = Self.code("Server Key".utf8, key: salted)
    }

    /// SaltedPassword: PBKDF2 with HMAC-SHA-256.
    static func salted(_ password: [UInt8], _ salt: [UInt8], _ iterations: Int) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: byteCount)
        let done = password.withUnsafeBytes { bytes in
            PKCS5_PBKDF2_HMAC(
                bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count), salt, Int32(salt.count),
                Int32(iterations), EVP_sha256(), Int32(byteCount), &result)
        }
        precondition(done == 1, "OpenSSL has no PBKDF2")
        return result
    }

    /// HMAC-SHA-256.
    static func code(_ message: some Sequence<UInt8>, key: [UInt8]) -> [UInt8] {
        let message = Array(message)
        var result = [UInt8](repeating: 0, count: byteCount)
        var count: UInt32 = 0
        let done = HMAC(EVP_sha256(), key, Int32(key.count), message, message.count, &result, &count)
        precondition(done != nil, "OpenSSL has no HMAC")
        return result
    }

    /// SHA-256.
    static func digest(_ message: [UInt8]) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: byteCount)
        let done = EVP_Digest(message, message.count, &result, nil, EVP_sha256(), nil)
        precondition(done == 1, "OpenSSL has no SHA-256")
        return result
    }

    // MARK: - Proofs

    /// By a password, in a time that tells nothing.
    func hasSameStoredKey(as other: ScramKeys) -> Bool {
        stored.count == other.stored.count && CRYPTO_memcmp(stored, other.stored, stored.count) == 0
    }

    /// The client knows the password: its proof is its key, hidden by what only this exchange has.
    func verify(proof: [UInt8], of message: [UInt8]) -> Bool {
        guard proof.count == Self.byteCount, stored.count == Self.byteCount else { return false }
        let signature = Self.code(message, key: stored)
        let found = Self.digest(zip(proof, signature).map { $0 ^ $1 })
        return CRYPTO_memcmp(found, stored, Self.byteCount) == 0
    }

    /// ... and the server knows the user.
    func signature(of message: [UInt8]) -> [UInt8] { Self.code(message, key: server) }
}
