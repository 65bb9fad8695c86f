import COpenSSL
import Glibc

/// One connection's side of TLS: OpenSSL's `SSL`, with bytes in place of a socket. What came from the peer is read where it
/// lies; what goes to it is written where the stream beneath sends it from.
final class TLSSession {
    enum Result {
        /// Bytes of plain text, read or written.
        case bytes(Int)
        /// More must come from the peer first.
        case needsInput
        /// The peer has said that it sends no more.
        case ended
        case failed(String)
    }

    /// Ciphertext that has come and is not yet read.
    var incoming = UnsafeRawBufferPointer(start: nil, count: 0)

    let ssl: OpaquePointer

    /// Held: OpenSSL's part of it would live on by itself, and call back into what is gone.
    private let context: TLSContext
    private unowned let output: ByteStream

    /// - Parameter output: the stream that takes what goes to the peer; it outlives the session.
    private init(_ context: TLSContext, output: ByteStream) throws(TLSError) {
        TLSLibrary.forgetErrors()
        guard let method = TLSSession.method, let ssl = SSL_new(context.context) else {
            throw TLSError("", TLSLibrary.lastReason())
        }
        self.ssl = ssl
        self.context = context
        self.output = output
        guard let bio = BIO_new(method) else { throw TLSError("", TLSLibrary.lastReason()) }
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        BIO_set_init(bio, 1)
        SSL_set_bio(ssl, bio, bio)
    }

    convenience init(server context: TLSServerContext, output: ByteStream) throws(TLSError) {
        try self.init(context, output: output)
        SSL_set_accept_state(ssl)
    }

    /// - Parameter host: what the address says, a name or a numeric address.
    convenience init(client context: TLSClientContext, host: String, output: ByteStream) throws(TLSError) {
        try self.init(context, output: output)
        SSL_set_connect_state(ssl)
        let name = context.serverName.isEmpty ? host : context.serverName
        // The certificate of an address is for the address; SNI has names alone (RFC 6066 §3).
        if X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) != 1 {
            SSL_set1_host(ssl, name)
            _ = tls_set_host_name(ssl, name)
        }
        context.resume(ssl)
    }

    deinit { SSL_free(ssl) }

    var protocolVersion: String {
        let cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)).map { String(cString: $0) } ?? ""
        return "\(String(cString: SSL_get_version(ssl))), \(cipher)"
    }

    // MARK: - Steps

    func handshake() -> Result {
        TLSLibrary.forgetErrors()
        let result = SSL_do_handshake(ssl)
        return result == 1 ? .bytes(0) : outcome(of: result)
    }

    func read(into place: UnsafeMutableRawBufferPointer) -> Result {
        TLSLibrary.forgetErrors()
        let count = SSL_read(ssl, place.baseAddress, Int32(clamping: place.count))
        return count > 0 ? .bytes(Int(count)) : outcome(of: count)
    }

    func write(_ bytes: UnsafeRawBufferPointer) -> Result {
        TLSLibrary.forgetErrors()
        let count = SSL_write(ssl, bytes.baseAddress, Int32(clamping: bytes.count))
        return count > 0 ? .bytes(Int(count)) : outcome(of: count)
    }

    /// Tells the peer that no more comes (close_notify).
    func shutDown() {
        TLSLibrary.forgetErrors()
        SSL_shutdown(ssl)
    }

    private func outcome(of result: Int32) -> Result {
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .needsInput
        case SSL_ERROR_ZERO_RETURN: return .ended
        default:
            let reason = TLSLibrary.lastReason()
            let verified = SSL_get_verify_result(ssl)
            guard verified != X509_V_OK, let text = X509_verify_cert_error_string(verified) else {
                return .failed(TLSSession.explain(reason))
            }
            return .failed("the peer's certificate is refused: \(String(cString: text))")
        }
    }

    /// OpenSSL's reason, and what it usually means.
    private static func explain(_ reason: String) -> String {
        switch reason {
        case "wrong version number", "http request", "packet length too long", "unexpected message":
            "\(reason): the peer doesn't speak TLS"
        case "tlsv1 alert unknown ca", "sslv3 alert bad certificate", "sslv3 alert certificate unknown",
            "sslv3 alert certificate expired", "sslv3 alert certificate revoked":
            "the peer refuses our certificate (\(reason))"
        case "tlsv13 alert certificate required": "the peer wants a certificate of ours (\(reason))"
        case "peer did not return a certificate": "the client showed no certificate"
        case "no shared cipher", "unsupported protocol", "tlsv1 alert protocol version":
            "\(reason): only TLS 1.2 and 1.3 with ephemeral keys are spoken"
        default: reason
        }
    }

    // MARK: - The BIO: OpenSSL's idea of a transport

    /// Made once and never changed: OpenSSL's pointers can't say that they are Sendable.
    private nonisolated(unsafe) static let method: OpaquePointer? = {
        guard let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "roost") else { return nil }
        BIO_meth_set_read(method) { bio, place, room in TLSSession.of(bio).take(bio, place, room) }
        BIO_meth_set_write(method) { bio, bytes, count in TLSSession.of(bio).give(bytes, count) }
        BIO_meth_set_ctrl(method) { _, command, _, _ in command == BIO_CTRL_FLUSH ? 1 : 0 }
        return method
    }()

    private static func of(_ bio: OpaquePointer?) -> TLSSession {
        Unmanaged<TLSSession>.fromOpaque(BIO_get_data(bio)).takeUnretainedValue()
    }

    private func take(_ bio: OpaquePointer?, _ place: UnsafeMutablePointer<CChar>?, _ room: Int32) -> Int32 {
        tls_bio_clear_retry_flags(bio)
        guard let place, room > 0, let start = incoming.baseAddress, !incoming.isEmpty else {
            tls_bio_set_retry_read(bio)
            return -1
        }
        let count = min(Int(room), incoming.count)
        memcpy(place, start, count)
        incoming = UnsafeRawBufferPointer(rebasing: incoming[count...])
        return Int32(count)
    }

    private func give(_ bytes: UnsafePointer<CChar>?, _ count: Int32) -> Int32 {
        guard let bytes, count > 0 else { return 0 }
        if !output.isClosed { output.write(UnsafeRawBufferPointer(start: bytes, count: Int(count))) }
        return count
    }
}
