import COpenSSL

/// How a TLS client trusts servers and shows itself to them. It keeps the last session that its server gave, so that a link
/// which comes and goes pays for a short handshake: no certificates go over it again.
public final class TLSClientContext: TLSContext {
    public struct Options: Equatable, Sendable {
        /// Authorities that the server's certificate may come from: a PEM file, or "system".
        public var authorities = "system"
        public var credentials: TLSCredentials?

        /// Names of ALPN protocols to offer.
        public var protocols: [String] = []

        /// The name that the server's certificate must be for, and that SNI asks for; empty: the address's host.
        public var serverName = ""

        public init() {}
    }

    let serverName: String
    private var session: OpaquePointer?

    public init(_ options: Options) throws(TLSError) {
        serverName = options.serverName
        try super.init(method: TLS_client_method())
        if options.authorities == "system" {
            SSL_CTX_set_default_verify_paths(context)
        } else {
            try trust(options.authorities)
        }
        try options.credentials?.install(in: context)
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        let offered = options.protocols.flatMap { [UInt8(clamping: $0.utf8.count)] + Array($0.utf8) }
        // This one returns 0 for success.
        if !offered.isEmpty, SSL_CTX_set_alpn_protos(context, offered, UInt32(offered.count)) != 0 {
            throw TLSError("", "an ALPN protocol's name has 1 to 255 bytes")
        }
        tls_ctx_set_session_cache_mode(context, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE))
    }

    deinit { SSL_SESSION_free(session) }

    /// The options' warnings, for a person.
    public func warnings(_ options: Options) -> [TLSError] { options.credentials?.warnings(in: context) ?? [] }

    /// Has `ssl` begin where an earlier connection left off.
    func resume(_ ssl: OpaquePointer) {
        if let session { SSL_set_session(ssl, session) }
    }

    /// Keeps what the server gave this connection for the next. Tickets of TLS 1.3 come after the handshake.
    func keepSession(of ssl: OpaquePointer) {
        guard let latest = SSL_get1_session(ssl) else { return }
        guard SSL_SESSION_is_resumable(latest) == 1 else { return SSL_SESSION_free(latest) }
        SSL_SESSION_free(session)
        session = latest
    }
}
