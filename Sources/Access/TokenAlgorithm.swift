import COpenSSL

/// How a token is signed (RFC 7518 §3.1): the names of `access.jwt.algorithms`.
public struct TokenAlgorithm: Hashable, Sendable {
    enum Family: Sendable {
        /// HMAC.
        case hs
        /// RSASSA-PKCS1-v1_5, RSASSA-PSS.
        case rs, ps
        /// ECDSA on the curve of the hash's size.
        case es
    }

    let family: Family
    /// Of the hash: 256, 384 or 512.
    let bits: Int

    /// nil: no such algorithm. `none` isn't one.
    public init?(_ name: String) {
        switch name.prefix(2) {
        case "HS": family = .hs
        case "RS": family = .rs
        case "PS": family = .ps
        case "ES": family = .es
        default: return nil
        }
        guard name.count == 5, let bits = Int(name.suffix(3)), [256, 384, 512].contains(bits) else { return nil }
        self.bits = bits
    }

    var digest: OpaquePointer? {
        switch bits {
        case 256: EVP_sha256()
        case 384: EVP_sha384()
        default: EVP_sha512()
        }
    }

    /// OpenSSL's name of the curve (RFC 7518 §3.4).
    var curve: String {
        switch bits {
        case 256: "prime256v1"
        case 384: "secp384r1"
        default: "secp521r1"
        }
    }

    /// Bytes of each of the two numbers of an ECDSA signature.
    var numberBytes: Int { bits == 512 ? 66 : bits / 8 }
}
