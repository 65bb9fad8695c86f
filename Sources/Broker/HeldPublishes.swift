import EventLoop
import MQTT

/// PUBLISH packets that the store can't take yet, in their order, while the packets between them are served.
final class HeldPublishes {
    private var bytes = ByteBuffer()
    /// Since when nothing was taken.
    private(set) var since: Instant?

    /// Bytes that one connection may hold; beyond it, QoS 0 is dropped, and nothing is read.
    static let maximumBytes = 1 << 20

    var isEmpty: Bool { bytes.isEmpty }
    var isFull: Bool { bytes.count >= Self.maximumBytes }

    func append(_ packet: UnsafeRawBufferPointer, now: Instant) {
        if since == nil { since = now }
        bytes.append(packet)
    }

    /// Offers the packets in order until one isn't taken.
    func replay(now: Instant, _ take: (UnsafeRawBufferPointer) -> Int) {
        while !bytes.isEmpty {
            let taken = bytes.withBytes(take)
            guard taken > 0 else { return }
            bytes.consume(taken)
            since = now
        }
        since = nil
    }
}
