import EventLoop

extension RouteQueue {
    /// A publisher's acknowledgement waits for a message that was not sent yet, and could settle.
    public var hasWaitingAcknowledgement: Bool {
        if waits.contains(where: { !$0.value.wasSent }) { return true }
        guard current.stream.unsettleable == 0 else { return false }
        return current.stream.hasWaiter(from: current.lowestUnsent)
    }

    public var messages: Int { lanes.reduce(0) { $0 + $1.waiting } }

    /// Estimated from the streams' average message.
    public var bytes: Int { lanes.reduce(0) { $0 + $1.waiting * $1.stream.averageBytes } }

    public var unsentMessages: Int { lanes.reduce(0) { $0 + $1.unsent } }

    public var unsentBytes: Int { lanes.reduce(0) { $0 + $1.unsent * $1.stream.averageBytes } }

    /// Where what waits is, in the order of its numbers: each stream with the first number that isn't acknowledged, and the
    /// numbers behind it that are, or will never be sent.
    public var spans: [RouteSpan] {
        lanes.map { RouteSpan(stream: $0.stream, first: $0.first, skipped: $0.finished) }
    }

    /// Store time of receipt of the oldest message that waits; nil: nothing waits, or it is on disk and was not read yet.
    public var oldest: Int64? {
        for lane in lanes where lane.waiting > 0 {
            if let time = lane.stream.receivedAt(lane.first) { return time }
        }
        return nil
    }

    /// When the message came, as a date: ms since 1970 UTC, and whether the clock was set.
    public func wallTime(_ queued: QueuedMessage) -> (milliseconds: Int64, isSet: Bool) {
        log.wallTime(queued.message.receivedAt, run: queued.numbering.run)
    }

    /// The epoch that names a run on the wire.
    public func epoch(ofRun run: Int64) -> UInt64 { log.epoch(ofRun: run) ?? 0 }

    /// A store time as a date, like `wallTime`.
    public func wallTime(_ time: Int64, run: Int64) -> (milliseconds: Int64, isSet: Bool) {
        log.wallTime(time, run: run)
    }
}
