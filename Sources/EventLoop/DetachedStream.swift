import Synchronization

/// A connection between two loops: its socket, and what was received on it and not consumed. Sendable, so that it travels
/// in a `Mailbox`; closed if nobody adopts it.
public final class DetachedStream: Sendable {
    public let peer: String
    let received: [UInt8]

    /// Negative once taken.
    private let number: Atomic<Int32>

    init(_ socket: consuming Descriptor, peer: String, received: [UInt8]) {
        self.peer = peer
        self.received = received
        number = Atomic(socket.release())
    }

    deinit {
        _ = take()
    }

    /// The socket, the first time.
    func take() -> Descriptor? {
        let number = number.exchange(-1, ordering: .acquiringAndReleasing)
        return number < 0 ? nil : Descriptor(number)
    }
}
