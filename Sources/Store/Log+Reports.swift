import EventLoop
import MQTT

/// The writer's answers, and what was read back or may leave memory.
extension Log {
    /// Handles one report of the writer, on the loop.
    public func handle(_ report: StoreReport) {
        switch report {
        case .committed(let number, let used, let removed):
            usedBytes = used
            didCommit(number)
            take(removed)
        case .read(let tag, let segments, let removed):
            take(removed)
            guard let (stream, from) = reads.removeValue(forKey: tag) else { return }
            lastDone = tag
            stream.didRead(tag, from: from, segments)
        case .expired(let removed, let used):
            usedBytes = used
            take(removed)
        case .failing(let error):
            failure = error
            onHealth?(error)
        case .recovered:
            failure = nil
            onHealth?(nil)
        case .withdrawn(let groups):
            takeBack(groups)
        case .salvaged(let report):
            isSalvaging = true
            take(report.removals)
            isSalvaging = false
            noteSalvage(report)
        case .closed:
            closed?()
            closed = nil
        }
    }

    func didCommit(_ number: UInt64) {
        while let group = groups.first, group.number <= number {
            groups.removeFirst()
            for message in group.held { message.isHeld = false }
            for action in group.actions { action() }
            for (stream, below) in group.streams { stream.committed(below: below) }
            for message in group.parts { message.partIsSafe() }
            if !group.held.isEmpty { for (stream, _) in group.streams { onReadable(stream, group.held) } }
        }
    }

    /// What was held may be read now.
    func onReadable(_ stream: LogStream, _ held: [Message]) {
        guard stream.mixed == nil else {
            for message in held { for one in stream.receivers(of: message) { one.queue.streamIsReadable(stream) } }
            return
        }
        for membership in stream.memberships { membership.queue.streamIsReadable(stream) }
        if case .route = stream.record.kind { routeQueues[ObjectIdentifier(stream)]?.streamIsReadable(stream) }
    }

    func take(_ removed: [Removal]) {
        for removal in removed {
            switch removal.reason {
            case .evicted: evictedMessages += removal.last - removal.first + 1
            case .expired: expiredMessages += removal.last - removal.first + 1
            case .corrupt: noteCorrupt(removal.last - removal.first + 1)
            case .unstored: break
            }
            guard let stream = streams[removal.stream] else { continue }
            onRemoval?(stream.record, removal)
            stream.removed(removal.first, through: removal.last)
            if let queue = routeQueues[ObjectIdentifier(stream)] { queue.removed(removal, from: stream) }
            for membership in stream.memberships {
                membership.removed(removal.first, through: removal.last, because: removal.reason)
            }
        }
    }

    /// Gives back the memory of messages that are on disk: readers that come for them read them there.
    func unload() {
        for stream in streams.values.sorted(by: {
            ($1.tail.count, $0.record.id.rawValue) < ($0.tail.count, $1.record.id.rawValue)
        }) {
            stream.unload()
            if meter.bytes <= options.memoryBytes * 3 / 4 { return }
        }
    }

    /// Drops the oldest reads while they take more than their share. The newest stays: its reader has yet to come for it.
    func trimReads() {
        while readMeter.bytes > options.memoryBytes / 2 {
            let oldest = streams.values.filter { $0.oldestRead != nil }.min {
                ($0.oldestRead ?? .max) < ($1.oldestRead ?? .max)
            }
            guard let oldest, oldest.oldestRead != lastDone else { return }
            oldest.dropOldestRead()
        }
    }

    /// Bytes of packets that one read brings into memory: less where many read at different places, so that what is read for
    /// one is still there when it comes for it, and nobody reads the same again and again.
    var readStep: Int {
        let readers = max(1, loadedRuns + reads.count)
        return max(Self.smallestRead, min(Self.largestRead, options.memoryBytes / 2 / readers))
    }

    private static let smallestRead = 32 << 10
    private static let largestRead = 512 << 10

    func read(_ stream: LogStream, from: UInt64, maximumBytes: Int) {
        lastRead += 1
        reads[lastRead] = (stream, from)
        engine.submit(.read(tag: lastRead, stream: stream.record.id, from: from, maximumBytes: maximumBytes))
    }

    /// Removes what is older than it may get; called now and then.
    public func expire() {
        noteDate()
        engine.submit(.expire(now: clock.now))
    }
}
