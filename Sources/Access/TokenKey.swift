import COpenSSL

/// One key that tokens may be signed with: a public key, or a secret shared with whoever makes the tokens.
final class TokenKey: @unchecked Sendable {
    private enum Kind {
        case secret([UInt8])
        /// OpenSSL's keys are counted, and only read here: any thread may.
        case rsa(OpaquePointer)
        case curve(OpaquePointer, name: String)
    }

    private let kind: Kind
    /// SHA-256 of the key: two that are the same are the same key.
    let fingerprint: [UInt8]

    private static let fewestRSABits = 2048

    struct Problem: Error { let text: String }

    init(secret: [UInt8]) {
        kind = .secret(secret)
        fingerprint = Self.fingerprint(secret)
    }

    /// Takes a key over, whatever comes of it.
    fileprivate init(_ key: OpaquePointer) throws(Problem) {
        do throws(Problem) {
            kind = try Self.kind(of: key)
        } catch {
            EVP_PKEY_free(key)
            throw error
        }
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = i2d_PUBKEY(key, &bytes)
        fingerprint = Self.fingerprint(Array(UnsafeBufferPointer(start: bytes, count: max(0, Int(count)))))
        CRYPTO_free(bytes, nil, 0)
    }

    deinit {
        switch kind {
        case .secret: break
        case .rsa(let key), .curve(let key, _): EVP_PKEY_free(key)
        }
    }

    private static func kind(of key: OpaquePointer) throws(Problem) -> Kind {
        switch EVP_PKEY_get_base_id(key) {
        case EVP_PKEY_RSA, EVP_PKEY_RSA_PSS:
            let bits = EVP_PKEY_get_bits(key)
            guard bits >= fewestRSABits else {
                throw Problem(text: "an RSA key of \(bits) bits; \(fewestRSABits) are the fewest (RFC 7518 §3.3)")
            }
            return .rsa(key)
        case EVP_PKEY_EC:
            var name = [CChar](repeating: 0, count: 64)
            var length = 0
            guard EVP_PKEY_get_group_name(key, &name, name.count, &length) == 1 else {
                throw Problem(text: "a key on a curve without a name")
            }
            return .curve(key, name: text(name.prefix(length).map { UInt8(bitPattern: $0) }))
        default:
            throw Problem(text: "a key that is neither RSA nor on an elliptic curve")
        }
    }

    private static func fingerprint(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil)
        return digest
    }

    /// A secret must be as long as the hash (RFC 7518 §3.2); nil: it is no secret.
    var secretBytes: Int? {
        guard case .secret(let bytes) = kind else { return nil }
        return bytes.count
    }

    /// The key is one for the algorithm: a public key never serves as a secret.
    func fits(_ algorithm: TokenAlgorithm) -> Bool {
        switch (kind, algorithm.family) {
        case (.secret(let bytes), .hs): bytes.count * 8 >= algorithm.bits
        case (.rsa, .rs), (.rsa, .ps): true
        case (.curve(_, let name), .es): name == algorithm.curve
        default: false
        }
    }

    // MARK: - Verifying

    func verifies(_ signature: [UInt8], of message: [UInt8], _ algorithm: TokenAlgorithm) -> Bool {
        guard fits(algorithm) else { return false }
        defer { ERR_clear_error() }
        switch kind {
        case .secret(let secret): return Self.authenticates(signature, message, secret, algorithm)
        case .rsa(let key): return Self.verifies(signature, message, key, algorithm)
        case .curve(let key, _):
            guard let encoded = Self.encoded(signature, algorithm) else { return false }
            return Self.verifies(encoded, message, key, algorithm)
        }
    }

    private static func authenticates(
        _ signature: [UInt8], _ message: [UInt8], _ secret: [UInt8], _ algorithm: TokenAlgorithm
    ) -> Bool {
        var code = [UInt8](repeating: 0, count: 64)
        var count: UInt32 = 0
        guard HMAC(algorithm.digest, secret, Int32(secret.count), message, message.count, &code, &count) != nil,
            signature.count == Int(count)
        else { return false }
        return CRYPTO_memcmp(code, signature, signature.count) == 0
    }

    private static func verifies(
        _ signature: [UInt8], _ message: [UInt8], _ key: OpaquePointer, _ algorithm: TokenAlgorithm
    ) -> Bool {
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        var settings: OpaquePointer?
        guard EVP_DigestVerifyInit(context, &settings, algorithm.digest, nil, key) == 1 else { return false }
        if algorithm.family == .ps {
            // The salt is as long as the hash (RFC 7518 §3.5).
            guard EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING) == 1,
                EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST) == 1
            else { return false }
        }
        return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    /// Two numbers side by side (RFC 7518 §3.4) as OpenSSL wants them: SEQUENCE { INTEGER, INTEGER }.
    private static func encoded(_ signature: [UInt8], _ algorithm: TokenAlgorithm) -> [UInt8]? {
        let count = algorithm.numberBytes
        guard signature.count == 2 * count else { return nil }
        func integer(_ number: ArraySlice<UInt8>) -> [UInt8] {
            var digits = Array(number.drop { $0 == 0 })
            if digits.isEmpty || digits[0] & 0x80 != 0 { digits.insert(0, at: 0) }
            return [0x02, UInt8(digits.count)] + digits
        }
        let body = integer(signature[..<count]) + integer(signature[count...])
        return (body.count < 0x80 ? [0x30, UInt8(body.count)] : [0x30, 0x81, UInt8(body.count)]) + body
    }
}

extension TokenKey {
    private static let mostKeys = 16

    /// The keys of a file: public keys and certificates in PEM form, several for a change from one to the next; or else a
    /// secret, the whole file without the line's end.
    static func read(_ bytes: [UInt8], path: String) throws(FileProblem) -> [TokenKey] {
        guard text(bytes).contains("-----BEGIN ") else {
            let secret = bytes.last == 0x0A ? Array(bytes.dropLast()) : bytes
            guard !secret.isEmpty else { throw FileProblem(path, "is empty") }
            return [TokenKey(secret: secret)]
        }
        guard let bio = BIO_new_mem_buf(bytes, Int32(clamping: bytes.count)) else {
            throw FileProblem(path, "OpenSSL has no memory")
        }
        defer {
            BIO_free(bio)
            ERR_clear_error()
        }
        var keys: [TokenKey] = []
        var name: UnsafeMutablePointer<CChar>?
        var header: UnsafeMutablePointer<CChar>?
        var body: UnsafeMutablePointer<UInt8>?
        var count = 0
        while PEM_read_bio(bio, &name, &header, &body, &count) == 1 {
            defer {
                CRYPTO_free(name, nil, 0)
                CRYPTO_free(header, nil, 0)
                CRYPTO_free(body, nil, 0)
            }
            let kind = name.map { String(cString: $0) } ?? ""
            guard let key = try publicKey(kind, body, count, path) else {
                throw FileProblem(path, "the \(kind.lowercased()) in it can't be read")
            }
            do throws(Problem) {
                keys.append(try TokenKey(key))
            } catch {
                throw FileProblem(path, error.text)
            }
        }
        guard !keys.isEmpty else { throw FileProblem(path, "holds no key that can be read") }
        guard keys.count <= mostKeys else { throw FileProblem(path, "holds more than \(mostKeys) keys") }
        return keys
    }

    private static func publicKey(
        _ kind: String, _ body: UnsafeMutablePointer<UInt8>?, _ count: Int, _ path: String
    ) throws(FileProblem) -> OpaquePointer? {
        var start = UnsafePointer(body)
        switch kind {
        case "PUBLIC KEY": return d2i_PUBKEY(nil, &start, count)
        case "RSA PUBLIC KEY": return d2i_PublicKey(EVP_PKEY_RSA, nil, &start, count)
        case "CERTIFICATE":
            guard let certificate = d2i_X509(nil, &start, count) else { return nil }
            defer { X509_free(certificate) }
            return X509_get_pubkey(certificate)
        case _ where kind.hasSuffix("PRIVATE KEY"):
            throw FileProblem(
                path, "holds a private key, which only those who make tokens should have: `openssl pkey -pubout`")
        default:
            throw FileProblem(path, "holds a \(kind.lowercased()), which is no key")
        }
    }
}
