import COpenSSL

/// What all connections of one kind share: OpenSSL's `SSL_CTX`, set to what this house allows. TLS 1.2 and 1.3, ephemeral
/// keys and authenticated ciphers alone, no compression, no renegotiation.
public class TLSContext {
    let context: OpaquePointer

    /// TLS 1.2's; those of 1.3 are all of this kind.
    private static let ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20"

    /// `SSL_OP_...`, which are macros with casts.
    private enum Option {
        static let noCompression: UInt64 = 1 << 17
        static let prioritizeChaCha: UInt64 = 1 << 21
        static let cipherServerPreference: UInt64 = 1 << 22
        static let noRenegotiation: UInt64 = 1 << 30
    }

    init(method: OpaquePointer?) throws(TLSError) {
        TLSLibrary.forgetErrors()
        guard let context = SSL_CTX_new(method) else { throw TLSError("", TLSLibrary.lastReason()) }
        self.context = context
        _ = tls_ctx_set_min_proto_version(context, TLS1_2_VERSION)
        SSL_CTX_set_cipher_list(context, TLSContext.ciphers)
        SSL_CTX_set_options(
            context,
            Option.noCompression | Option.noRenegotiation | Option.cipherServerPreference | Option.prioritizeChaCha)
        // An idle connection keeps no record buffers; output may have moved between two tries.
        tls_ctx_set_mode(
            context,
            Int(SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER))
    }

    deinit { SSL_CTX_free(context) }

    /// Authorities that the peer's certificate may come from.
    func trust(_ authorities: String) throws(TLSError) {
        try requireReadable(authorities)
        TLSLibrary.forgetErrors()
        guard SSL_CTX_load_verify_file(context, authorities) == 1 else {
            throw TLSError(authorities, "no certificates in PEM form (\(TLSLibrary.lastReason()))")
        }
    }

    /// Certificates that were taken back: the peer's own is looked up in them.
    func revoke(_ list: String) throws(TLSError) {
        try requireReadable(list)
        TLSLibrary.forgetErrors()
        guard let store = SSL_CTX_get_cert_store(context),
            let lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file()),
            X509_load_crl_file(lookup, list, X509_FILETYPE_PEM) > 0
        else { throw TLSError(list, "no certificate revocation list in PEM form (\(TLSLibrary.lastReason()))") }
        X509_STORE_set_flags(store, UInt(X509_V_FLAG_CRL_CHECK))
    }
}
