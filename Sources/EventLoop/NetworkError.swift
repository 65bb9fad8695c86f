import Glibc

/// Why an address can't be listened on or connected to. Each case names the address as it was written, since that is what
/// the reader of the message has in the configuration.
public enum NetworkError: Error, Equatable, Sendable, CustomStringConvertible {
    case addressInUse(String)
    case addressNotAvailable(String)
    case permissionDenied(String)
    case refused(String)
    case unreachable(String)
    case timedOut(String)
    /// The host's name has no address; the reason is the resolver's.
    case notResolved(host: String, reason: String)
    /// A Unix socket's path that doesn't exist, or can't be one.
    case badPath(String, reason: String)
    /// No file descriptors left, in this process or the machine.
    case tooManyFiles(String)
    case system(String, SystemError)

    init(_ error: SystemError, at address: String) {
        switch error.number {
        case EADDRINUSE: self = .addressInUse(address)
        case EADDRNOTAVAIL: self = .addressNotAvailable(address)
        case EACCES, EPERM: self = .permissionDenied(address)
        case ECONNREFUSED: self = .refused(address)
        case ECONNRESET: self = .refused(address)
        case EHOSTUNREACH, ENETUNREACH, ENETDOWN, EHOSTDOWN: self = .unreachable(address)
        case ETIMEDOUT: self = .timedOut(address)
        case ENOENT, ENOTDIR, ENAMETOOLONG, ENOTSOCK, ELOOP, EROFS: self = .badPath(address, reason: error.text)
        case EMFILE, ENFILE: self = .tooManyFiles(address)
        default: self = .system(address, error)
        }
    }

    public var description: String {
        switch self {
        case .addressInUse(let address): "address in use: \(address)"
        case .addressNotAvailable(let address): "no such address on this machine: \(address)"
        case .permissionDenied(let address): "permission denied: \(address)"
        case .refused(let address): "connection refused: \(address)"
        case .unreachable(let address): "network unreachable: \(address)"
        case .timedOut(let address): "no answer in time: \(address)"
        case .notResolved(let host, let reason): "can't resolve \(host): \(reason)"
        case .badPath(let address, let reason): "\(reason): \(address)"
        case .tooManyFiles(let address): "no file descriptors left: \(address)"
        case .system(let address, let error): "\(error): \(address)"
        }
    }
}
