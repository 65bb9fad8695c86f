import COpenSSL
import Glibc

/// A certificate, with those that lead from it to its authority, and the private key that belongs to it: two PEM files.
public struct TLSCredentials: Equatable, Sendable {
    public var certificate: String
    public var key: String

    /// - Parameter key: empty when the certificate's file holds the key too.
    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key.isEmpty ? certificate : key
    }

    /// Gives them to `context`.
    func install(in context: OpaquePointer) throws(TLSError) {
        try requireReadable(certificate)
        try requireReadable(key)
        TLSLibrary.forgetErrors()
        // A key with a pass phrase would otherwise be asked for on the terminal.
        SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in 0 }
        guard SSL_CTX_use_certificate_chain_file(context, certificate) == 1 else {
            throw TLSError(certificate, "no certificate in PEM form (\(TLSLibrary.lastReason()))")
        }
        guard SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 else {
            let reason = TLSLibrary.lastReason()
            if reason == "key values mismatch" {
                throw TLSError(key, "is not the key of the certificate \(certificate)")
            }
            throw TLSError(key, "no private key in PEM form, without a pass phrase (\(reason))")
        }
        guard SSL_CTX_check_private_key(context) == 1 else {
            _ = TLSLibrary.lastReason()
            throw TLSError(key, "is not the key of the certificate \(certificate)")
        }
    }

    /// What a person should know of them before they are used: a certificate out of date, a key that all can read.
    func warnings(in context: OpaquePointer) -> [TLSError] {
        var warnings: [TLSError] = []
        if let own = SSL_CTX_get0_certificate(context) {
            if X509_cmp_current_time(X509_get0_notAfter(own)) < 0 {
                warnings.append(TLSError(certificate, "the certificate has expired"))
            }
            if X509_cmp_current_time(X509_get0_notBefore(own)) > 0 {
                warnings.append(TLSError(certificate, "the certificate is not valid yet; is this node's clock right?"))
            }
        }
        var status = stat()
        if stat(key, &status) == 0, status.st_mode & S_IROTH != 0 {
            warnings.append(TLSError(key, "every user of this machine can read the private key; chmod o-r it"))
        }
        return warnings
    }
}

/// - Throws: why the file can't be read. OpenSSL says it less well.
func requireReadable(_ path: String) throws(TLSError) {
    guard access(path, R_OK) == 0 else { throw TLSError(path, String(cString: strerror(errno))) }
}
