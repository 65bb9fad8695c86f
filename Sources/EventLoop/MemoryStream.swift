/// One end of a connection inside a `MemoryNetwork`.
public final class MemoryStream: ByteStream {
    private let wire: MemoryNetwork.Wire
    private let delay: Duration
    private let windowBytes: Int
    private weak var other: MemoryStream?

    /// Bytes this end has sent and the other has not taken.
    private var inFlight = 0

    /// What has arrived and, since reading is paused, has not been taken.
    private var arrived = ByteBuffer()
    private var peerHasShut = false

    init(loop: EventLoop, peer: String, wire: MemoryNetwork.Wire) {
        self.wire = wire
        delay = wire.delay
        windowBytes = wire.windowBytes
        super.init(loop: loop, peer: peer)
    }

    func join(_ other: MemoryStream) {
        self.other = other
        other.other = self
    }

    /// The connection breaks, as both ends learn at once.
    func breakOff() {
        loop.schedule(at: loop.clock.now) { self.edgeDidClose(.reset) }
    }

    public override func send(_ bytes: UnsafeRawBufferPointer) -> SendResult {
        guard let other else { return .sent(bytes.count) }
        let count = min(bytes.count, windowBytes - inFlight)
        guard count > 0 else { return .sent(0) }
        inFlight += count
        let copy = [UInt8](bytes[..<count])
        wire.carry(to: other.loop, after: delay) { other.receive(copy) }
        return .sent(count)
    }

    public override func readingDidResume() {
        loop.revisit(self)
    }

    public override func visitEdgeAgain() {
        takeArrived()
    }

    public override func shutDownSending() {
        guard let other else { return }
        wire.carry(to: other.loop, after: delay) { other.receiveEnd() }
    }

    public override func closeEdge() {
        wire.forget(self)
        arrived.removeAll()
        shutDownSending()
    }

    private func receive(_ bytes: [UInt8]) {
        guard !isClosed else { return }
        arrived.append(bytes)
        takeArrived()
    }

    private func receiveEnd() {
        peerHasShut = true
        takeArrived()
    }

    private func takeArrived() {
        guard !isClosed, !isPaused else { return }
        if !arrived.isEmpty {
            // Moved out first: the delegate may close the stream, which empties `arrived`.
            let bytes = arrived.withBytes { [UInt8]($0) }
            arrived.removeAll()
            if let other { wire.carry(to: other.loop, after: delay) { other.windowOpens(by: bytes.count) } }
            bytes.withUnsafeBytes { edgeDidReceive($0) }
        }
        guard peerHasShut, !isClosed, !isPaused else { return }
        edgeDidClose(nil)
    }

    private func windowOpens(by count: Int) {
        inFlight -= count
        edgeBecameWritable()
    }
}
