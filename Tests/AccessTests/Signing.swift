import COpenSSL
import EventLoop

@testable import Access

/// Makes keys and signs tokens, with OpenSSL's other half.
enum Signing {
    enum Key {
        case secret([UInt8])
        case pair(OpaquePointer)
    }

    static func rsa(_ bits: UInt32 = 2048) -> OpaquePointer {
        let context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, nil)
        defer { EVP_PKEY_CTX_free(context) }
        EVP_PKEY_keygen_init(context)
        EVP_PKEY_CTX_set_rsa_keygen_bits(context, Int32(bits))
        var key: OpaquePointer?
        EVP_PKEY_keygen(context, &key)
        return key!
    }

    static func curve(_ name: String) -> OpaquePointer {
        let context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil)
        defer { EVP_PKEY_CTX_free(context) }
        EVP_PKEY_keygen_init(context)
        EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, OBJ_txt2nid(name))
        var key: OpaquePointer?
        EVP_PKEY_keygen(context, &key)
        return key!
    }

    static func publicPEM(_ key: OpaquePointer) -> [UInt8] { pem { PEM_write_bio_PUBKEY($0, key) } }
    static func privatePEM(_ key: OpaquePointer) -> [UInt8] {
        pem { PEM_write_bio_PKCS8PrivateKey($0, key, nil, nil, 0, nil, nil) }
    }

    private static func pem(_ write: (OpaquePointer?) -> Int32) -> [UInt8] {
        let bio = BIO_new(BIO_s_mem())
        defer { BIO_free(bio) }
        _ = write(bio)
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = BIO_read(bio, &bytes, Int32(bytes.count))
        return Array(bytes[..<Int(count)])
    }

    static func url(_ bytes: [UInt8]) -> String {
        String(
            Base64.encode(bytes).filter { $0 != "=" }.map { $0 == "+" ? "-" : $0 == "/" ? "_" : $0 })
    }

    static func token(_ name: String, _ claims: String, _ key: Key, header: String? = nil) -> [UInt8] {
        let head = header ?? "{\"alg\":\"\(name)\",\"typ\":\"JWT\"}"
        let signed = url(Array(head.utf8)) + "." + url(Array(claims.utf8))
        return Array((signed + "." + url(signature(of: Array(signed.utf8), name, key))).utf8)
    }

    private static func signature(of message: [UInt8], _ name: String, _ key: Key) -> [UInt8] {
        guard let algorithm = TokenAlgorithm(name) else { return [] }
        switch key {
        case .secret(let secret):
            var code = [UInt8](repeating: 0, count: 64)
            var count: UInt32 = 0
            _ = HMAC(algorithm.digest, secret, Int32(secret.count), message, message.count, &code, &count)
            return Array(code[..<Int(count)])
        case .pair(let pair):
            let context = EVP_MD_CTX_new()
            defer { EVP_MD_CTX_free(context) }
            var settings: OpaquePointer?
            EVP_DigestSignInit(context, &settings, algorithm.digest, nil, pair)
            if algorithm.family == .ps {
                EVP_PKEY_CTX_set_rsa_padding(settings, RSA_PKCS1_PSS_PADDING)
                EVP_PKEY_CTX_set_rsa_pss_saltlen(settings, RSA_PSS_SALTLEN_DIGEST)
            }
            var count = 1024
            var bytes = [UInt8](repeating: 0, count: count)
            EVP_DigestSign(context, &bytes, &count, message, message.count)
            let signature = Array(bytes[..<count])
            return algorithm.family == .es ? plain(signature, algorithm.numberBytes) : signature
        }
    }

    /// SEQUENCE { INTEGER, INTEGER } as two numbers side by side.
    private static func plain(_ der: [UInt8], _ count: Int) -> [UInt8] {
        var rest = der[(der[1] & 0x80 == 0 ? 2 : 3)...]
        var result: [UInt8] = []
        for _ in 0..<2 {
            let length = Int(rest[rest.startIndex + 1])
            let number = rest[(rest.startIndex + 2)..<(rest.startIndex + 2 + length)].drop { $0 == 0 }
            result += Array(repeating: 0, count: count - number.count) + number
            rest = rest[(rest.startIndex + 2 + length)...]
        }
        return result
    }
}
