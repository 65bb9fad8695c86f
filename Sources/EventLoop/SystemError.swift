import CLinux
import Glibc

/// A system call that failed.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The value of errno.
    public let number: Int32

    /// The call, as in the manual: "bind", "epoll_ctl".
    public let call: String

    public init(number: Int32, call: String) {
        self.number = number
        self.call = call
    }

    /// The failure of the call just made.
    static func last(_ call: String) -> SystemError { SystemError(number: errno, call: call) }

    /// What strerror(3) says: "Connection refused".
    public var text: String {
        guard let text = linux_error_text(number) else { return "unknown error \(number)" }
        return String(cString: text)
    }

    public var description: String { "\(call): \(text) (errno \(number))" }
}
