import Glibc

/// Owns one file descriptor and closes it once.
public struct Descriptor: ~Copyable, Sendable {
    public let number: Int32

    public init(_ number: Int32) {
        self.number = number
    }

    deinit {
        // Never retried: after EINTR Linux has closed it, and the number may already be somebody else's.
        close(number)
    }

    /// Gives the descriptor away, open.
    public consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }
}
