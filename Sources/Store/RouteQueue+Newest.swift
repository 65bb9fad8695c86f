import MQTT

/// Newest first: the highest stretch of numbers that were not sent is cut into blocks of about a batch, from its end. A block
/// goes in ascending order, so that batches hold neighbours; then comes the block before it, or what arrived meanwhile.
extension RouteQueue {
    /// The least that is read from disk for a block, so that single messages don't each cost a read.
    private static let readBytes = 128 << 10
    private static let overhead = 64

    /// Newest first or not, these are sent before any others, as far as they still wait.
    public func sendFirst(_ numbering: Numbering, _ numbers: ClosedRange<UInt64>) {
        guard policy.sendsNewestFirst, let lane = lane(numbering) else { return }
        block = (lane, numbers)
    }

    func peekNewest() -> Peek {
        while true {
            if let block {
                if let number = block.lane.firstUnsent(in: block.numbers) {
                    switch look(block.lane, at: number) {
                    case .message(let queued): return .message(queued)
                    case .loading: return .loading
                    case .again: continue
                    case .end: break
                    }
                }
                self.block = nil
            }
            switch planBlock() {
            case .planned: continue
            case .loading: return .loading
            case .nothing: return .empty
            }
        }
    }

    private enum Plan { case planned, loading, nothing }

    private func planBlock() -> Plan {
        for lane in lanes.reversed() {
            while let stretch = lane.visibleStretch {
                switch plan(stretch, of: lane) {
                case .loading: return .loading
                case .planned: return .planned
                case .nothing: continue
                }
            }
        }
        return .nothing
    }

    /// `.nothing`: what was looked at is gone; look again.
    private func plan(_ stretch: ClosedRange<UInt64>, of lane: QueueLane) -> Plan {
        let walked = walk(stretch, of: lane)
        let isAll = walked.first == stretch.lowerBound
        let isEnough = walked.bytes >= blockBytes / 2 || isAll || blockCount == 0
        if let first = walked.first, isEnough {
            blockCount = nil
            block = (lane, first...stretch.upperBound)
            return .planned
        }
        // On disk: about as many as make a block are read, fewer and fewer until the last one is among them.
        let average = max(lane.stream.averageBytes, 1)
        let wanted = UInt64(max(1, min(max(blockBytes, Self.readBytes), log.readStep / 2) / average))
        let count = max(1, min(blockCount ?? wanted, stretch.upperBound - stretch.lowerBound + 1))
        switch lane.stream.read(at: stretch.upperBound - count + 1, for: self) {
        case .loading:
            // What comes is taken as it is, unless the newest isn't in it.
            // One alone is enough where memory holds no more: reading for company would drop it again.
            blockCount = walked.first == nil && count > 1 ? count / 2 : 0
            return .loading
        case .missing(let next):
            let first = stretch.upperBound - count + 1
            finish(lane, first...max(first, min(next - 1, stretch.upperBound)))
            return .nothing
        case .message, .end:
            blockCount = walked.first == nil ? max(1, count / 2) : 0
            return .nothing
        }
    }

    /// From the end of a stretch backwards over what is in memory, until a block is full.
    private func walk(_ stretch: ClosedRange<UInt64>, of lane: QueueLane) -> (first: UInt64?, bytes: Int) {
        var first: UInt64?
        var bytes = 0
        var number = stretch.upperBound
        while let message = lane.stream.inMemory(number) {
            // What a batch adds to a packet is counted too, or each block would be a batch and a bit.
            let size = message.byteCount + Self.overhead
            guard first == nil || bytes + size <= blockBytes else { break }
            first = number
            bytes += size
            guard bytes < blockBytes, number > stretch.lowerBound else { break }
            number -= 1
        }
        return (first, bytes)
    }
}

extension QueueLane {
    /// The highest stretch that may be sent: without what waits for its commit at the end.
    fileprivate var visibleStretch: ClosedRange<UInt64>? {
        guard let stretch = highestUnsent else { return nil }
        var last = stretch.upperBound
        while stream.isHeld(last) {
            guard last > stretch.lowerBound else { return nil }
            last -= 1
        }
        return stretch.lowerBound...last
    }
}
