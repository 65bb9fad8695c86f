/// One end of a connection inside a `MemoryNetwork`.
public final class MemoryStream: ByteStream {
    private let wire: MemoryNetwork.Wire
    private let windowBytes: Int
    private weak var other: MemoryStream?
    private var lastArrival: Instant

    /// How long what this end sends from now on travels. Nothing overtakes what was sent before.
    public var delay: Duration

    /// Bytes this end has sent and the other has not taken.
    private var inFlight = 0

    /// What has arrived and, since reading is paused, has not been taken.
    private var arrived = ByteBuffer()
    private var peerHasShut = false

    init(loop: EventLoop, peer: String, wire: MemoryNetwork.Wire) {
        self.wire = wire
        delay = wire.delay
        windowBytes = wire.windowBytes
        lastArrival = loop.clock.now
        super.init(loop: loop, peer: peer)
    }

    func join(_ other: MemoryStream) {
        self.other = other
        other.other = self
    }

    /// Breaks the connection off; both ends hear of it in the next tick.
    public func breakOff() {
        for end in [self, other] {
            guard let end else { continue }
            end.loop.schedule(at: end.loop.clock.now) { end.edgeDidClose(.reset) }
        }
    }

    /// Has `body` happen at the other end, in the order of calls.
    private func carry(_ body: @escaping (MemoryStream) -> Void) {
        guard let other else { return }
        lastArrival = max(lastArrival, loop.clock.now + delay)
        wire.carry(to: other.loop, at: lastArrival) { body(other) }
    }

    public override func send(_ bytes: UnsafeRawBufferPointer) -> SendResult {
        guard other != nil else { return .sent(bytes.count) }
        let count = min(bytes.count, windowBytes - inFlight)
        guard count > 0 else { return .sent(0) }
        inFlight += count
        let copy = [UInt8](bytes[..<count])
        carry { $0.receive(copy) }
        return .sent(count)
    }

    public override func readingDidResume() {
        loop.revisit(self)
    }

    public override func visitEdgeAgain() {
        takeArrived()
    }

    public override func shutDownSending() {
        carry { $0.receiveEnd() }
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
            if let pacer, !pacer.mayRead(by: self) { return }
            let count = pacer?.readable(arrived.count, by: self) ?? arrived.count
            // Moved out first: the delegate may close the stream, which empties `arrived`.
            let bytes = arrived.withBytes { [UInt8]($0.prefix(count)) }
            arrived.consume(count)
            if arrived.isEmpty { arrived.settle() } else { loop.revisit(self) }
            pacer?.didRead(count, by: self)
            carry { $0.windowOpens(by: bytes.count) }
            bytes.withUnsafeBytes { edgeDidReceive($0) }
        }
        guard peerHasShut, arrived.isEmpty, !isClosed, !isPaused else { return }
        edgeDidClose(nil)
    }

    private func windowOpens(by count: Int) {
        inFlight -= count
        edgeBecameWritable()
    }
}
