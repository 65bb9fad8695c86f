import COpenSSL

/// What a TLS listener answers with: one certificate or several, chosen by the name that the client asks for (SNI), and whom it
/// lets in.
public final class TLSServerContext: TLSContext {
    public struct Options: Equatable, Sendable {
        /// The first is shown to clients that name nothing, or nothing that any of these is for.
        public var credentials: [TLSCredentials]

        /// Authorities of client certificates; empty: clients aren't asked for one.
        public var clientAuthorities = ""
        public var revoked = ""
        public var requiresClientCertificate = false

        public init(credentials: [TLSCredentials]) { self.credentials = credentials }
    }

    /// What a person should know before anybody connects.
    public private(set) var warnings: [TLSError] = []

    /// For the other names, in the order of the options.
    private var others: [TLSServerContext] = []

    /// Protocols that ALPN may settle on, most wanted first, each with its length before it (RFC 7301).
    private static let protocols: [UInt8] = [4] + Array("mqtt".utf8) + [8] + Array("http/1.1".utf8)

    public convenience init(_ options: Options) throws(TLSError) {
        guard let first = options.credentials.first else { throw TLSError("", "a TLS listener needs a certificate") }
        try self.init(options, first)
        for credentials in options.credentials.dropFirst() {
            let other = try TLSServerContext(options, credentials)
            others.append(other)
            warnings += other.warnings
        }
        guard !others.isEmpty else { return }
        // Not retained: every session holds the context that it was made with.
        tls_ctx_set_servername_arg(context, Unmanaged.passUnretained(self).toOpaque())
        tls_ctx_set_servername_callback(context) { ssl, _, argument in
            guard let ssl, let argument else { return SSL_TLSEXT_ERR_NOACK }
            return Unmanaged<TLSServerContext>.fromOpaque(argument).takeUnretainedValue().choose(for: ssl)
        }
    }

    private init(_ options: Options, _ credentials: TLSCredentials) throws(TLSError) {
        try super.init(method: TLS_server_method())
        try credentials.install(in: context)
        warnings = credentials.warnings(in: context)
        // Resumption is by tickets, which the client keeps: a thousand devices cost no memory here. One is enough.
        tls_ctx_set_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
        SSL_CTX_set_num_tickets(context, 1)
        let name = Array("roost".utf8)
        SSL_CTX_set_session_id_context(context, name, UInt32(name.count))
        SSL_CTX_set_alpn_select_cb(
            context,
            { _, chosen, length, offered, count, _ in
                TLSServerContext.selectProtocol(chosen, length, offered, count)
            }, nil)
        guard !options.clientAuthorities.isEmpty else { return }
        try trust(options.clientAuthorities)
        SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(options.clientAuthorities))
        if !options.revoked.isEmpty { try revoke(options.revoked) }
        let required = options.requiresClientCertificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | required, nil)
    }

    /// Clients that have a ticket of `earlier` resume here too: certificates were only read anew.
    public func takeTicketKeys(of earlier: TLSServerContext) {
        var keys = [UInt8](repeating: 0, count: 80)
        guard tls_ctx_get_ticket_keys(earlier.context, &keys, keys.count) == 1 else { return }
        _ = tls_ctx_set_ticket_keys(context, &keys, keys.count)
    }

    /// Shows the certificate that is for the name the client asks for.
    private func choose(for ssl: OpaquePointer) -> Int32 {
        guard let name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else { return SSL_TLSEXT_ERR_NOACK }
        if TLSServerContext.isFor(name, context) { return SSL_TLSEXT_ERR_OK }
        guard let other = others.first(where: { TLSServerContext.isFor(name, $0.context) }) else {
            return SSL_TLSEXT_ERR_NOACK
        }
        SSL_set_SSL_CTX(ssl, other.context)
        return SSL_TLSEXT_ERR_OK
    }

    private static func isFor(_ name: UnsafePointer<CChar>, _ context: OpaquePointer) -> Bool {
        guard let certificate = SSL_CTX_get0_certificate(context) else { return false }
        return X509_check_host(certificate, name, 0, 0, nil) == 1
    }

    /// A client that offers nothing we know is served all the same: what it speaks shows in its first packet.
    private static func selectProtocol(
        _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?, _ length: UnsafeMutablePointer<UInt8>?,
        _ offered: UnsafePointer<UInt8>?, _ offeredLength: UInt32
    ) -> Int32 {
        guard let chosen, let length, let offered else { return SSL_TLSEXT_ERR_NOACK }
        return protocols.withUnsafeBufferPointer { ours in
            var place: UnsafeMutablePointer<UInt8>?
            let result = SSL_select_next_proto(
                &place, length, ours.baseAddress, UInt32(ours.count), offered, offeredLength)
            guard result == OPENSSL_NPN_NEGOTIATED, let place else { return SSL_TLSEXT_ERR_NOACK }
            chosen.pointee = UnsafePointer(place)
            return SSL_TLSEXT_ERR_OK
        }
    }
}
