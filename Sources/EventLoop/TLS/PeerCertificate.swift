import COpenSSL
import Glibc

/// Who the peer's certificate says it is. Verified: a connection whose certificate isn't never gets this far.
public struct PeerCertificate: Equatable, Sendable {
    /// The subject's Common Name, the last one where there are several.
    public var commonName: String?

    /// The whole subject as RFC 2253 has it: "O=Plant,CN=sensor-7".
    public var subject: String

    /// The first alternative name that is a DNS name, an e-mail address or a URI.
    public var alternativeName: String?

    public init(subject: String) { self.subject = subject }

    init?(of ssl: OpaquePointer) {
        guard let certificate = SSL_get1_peer_certificate(ssl) else { return nil }
        defer { X509_free(certificate) }
        let name = X509_get_subject_name(certificate)
        commonName = PeerCertificate.commonName(name)
        subject = PeerCertificate.text { X509_NAME_print_ex($0, name, 0, tls_name_form()) }
        alternativeName = PeerCertificate.alternativeName(certificate)
    }

    private static func commonName(_ name: OpaquePointer?) -> String? {
        var index: Int32 = -1
        while case let next = X509_NAME_get_index_by_NID(name, NID_commonName, index), next >= 0 { index = next }
        guard index >= 0, let entry = X509_NAME_get_entry(name, index) else { return nil }
        return text(X509_NAME_ENTRY_get_data(entry))
    }

    private static func alternativeName(_ certificate: OpaquePointer) -> String? {
        guard let names = X509_get_ext_d2i(certificate, NID_subject_alt_name, nil, nil) else { return nil }
        let list = OpaquePointer(names)
        defer { GENERAL_NAMES_free(list) }
        for index in 0..<OPENSSL_sk_num(list) {
            guard let item = OPENSSL_sk_value(list, index) else { continue }
            var kind: Int32 = 0
            let value = GENERAL_NAME_get0_value(item.assumingMemoryBound(to: GENERAL_NAME.self), &kind)
            guard [GEN_DNS, GEN_EMAIL, GEN_URI].contains(kind), let value else { continue }
            if let text = text(value.assumingMemoryBound(to: ASN1_STRING.self)) { return text }
        }
        return nil
    }

    /// A string of a certificate as UTF-8. One with a zero byte inside names somebody else than it seems to: nobody.
    private static func text(_ string: UnsafePointer<ASN1_STRING>?) -> String? {
        var bytes: UnsafeMutablePointer<UInt8>?
        let count = ASN1_STRING_to_UTF8(&bytes, string)
        guard count > 0, let bytes else { return nil }
        defer { CRYPTO_free(bytes, nil, 0) }
        let value = UnsafeBufferPointer(start: bytes, count: Int(count))
        return value.contains(0) ? nil : String(decoding: value, as: UTF8.self)
    }

    private static func text(_ print: (OpaquePointer?) -> Int32) -> String {
        guard let bio = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free(bio) }
        _ = print(bio)
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = BIO_read(bio, &bytes, Int32(bytes.count))
        return String(decoding: bytes.prefix(Int(max(0, count))), as: UTF8.self)
    }
}
