import EventLoop
import MQTT

/// PUBLISH packets that can't be taken yet, in their order, while the packets between them are served.
final class HeldPublishes {
    private var bytes = ByteBuffer()
    /// Packets.
    private(set) var count = 0
    /// Since when nothing was taken.
    private(set) var since: Instant?

    private var isReplaying = false

    /// Bytes that one connection may hold; beyond it, QoS 0 is dropped, and nothing is read.
    static let maximumBytes = 1 << 20

    /// ... of one of the node's own parts, which goes on being read.
    static let mostOfOwn = 16 << 20

    var isEmpty: Bool { bytes.isEmpty }
    var byteCount: Int { bytes.count }
    var isFull: Bool { bytes.count >= Self.maximumBytes }

    func append(_ packet: UnsafeRawBufferPointer, now: Instant) {
        if since == nil { since = now }
        bytes.append(packet)
        count += 1
    }

    /// Offers the packets in order until one isn't taken. Nothing, where one is being taken just now.
    func replay(now: Instant, _ take: (UnsafeRawBufferPointer) -> Int) {
        guard !isReplaying else { return }
        isReplaying = true
        defer { isReplaying = false }
        while !bytes.isEmpty {
            let taken = bytes.withBytes(take)
            guard taken > 0 else { return }
            bytes.consume(taken)
            count -= 1
            since = now
        }
        since = nil
    }
}
