import Glibc

/// Why a stream ended other than by the peer closing it in good order.
public enum StreamError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The peer, or its kernel, broke the connection off (ECONNRESET, EPIPE).
    case reset
    /// The kernel gave up on a peer that no longer answers (ETIMEDOUT).
    case timedOut
    /// The way to the peer is gone (EHOSTUNREACH, ENETUNREACH, ENETDOWN).
    case unreachable
    /// A layer above the socket (TLS, WebSocket) found the bytes to be wrong.
    case protocolViolation(String)
    /// Anything else the kernel says.
    case system(SystemError)

    init(_ error: SystemError) {
        switch error.number {
        case ECONNRESET, EPIPE: self = .reset
        case ETIMEDOUT: self = .timedOut
        case EHOSTUNREACH, ENETUNREACH, ENETDOWN: self = .unreachable
        default: self = .system(error)
        }
    }

    public var description: String {
        switch self {
        case .reset: "connection reset by peer"
        case .timedOut: "the peer no longer answers"
        case .unreachable: "network unreachable"
        case .protocolViolation(let text): text
        case .system(let error): error.description
        }
    }
}
