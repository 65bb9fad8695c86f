import COpenSSL
import Glibc

/// A certificate, key or list that TLS can't use, or a library that refuses its settings.
public struct TLSError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file it is about; empty where it is about none.
    public var path: String
    public var reason: String

    public init(_ path: String, _ reason: String) {
        self.path = path
        self.reason = reason
    }

    public var description: String { path.isEmpty ? reason : "\(path): \(reason)" }
}

/// OpenSSL's words.
enum TLSLibrary {
    /// Why the last call failed: the innermost of the errors that OpenSSL has queued on this thread, which are forgotten.
    static func lastReason() -> String {
        var reason = "no reason given"
        while case let code = ERR_get_error(), code != 0 {
            // A system error (a file that can't be opened) has no text of its own.
            if code & 0x8000_0000 != 0 {
                reason = String(cString: strerror(Int32(truncatingIfNeeded: code & 0x7FFF_FFFF)))
            } else if let text = ERR_reason_error_string(code) {
                reason = String(cString: text)
            }
        }
        return reason
    }

    /// Forgets what earlier calls left behind: `SSL_get_error` looks at the queue.
    @inline(__always)
    static func forgetErrors() { ERR_clear_error() }
}
