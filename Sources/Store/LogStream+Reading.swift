import MQTT

/// How messages are found by their numbers: in the tail, in what was read lately, or by asking the writer to read on.
extension LogStream {
    /// The tag of the oldest read whose messages are still in memory.
    var oldestRead: UInt64? { loaded.first?.tag }

    func dropOldestRead() { if !loaded.isEmpty { loaded.removeFirst() } }

    public func read(at number: UInt64, for consumer: any StreamConsumer) -> Reading {
        lastRead = log.loop.now
        guard number < next else { return .end }
        if number >= tailFirst {
            guard let message = tail[Int(number - tailFirst)].message else { return .missing(next: number + 1) }
            return message.isHeld ? .end : .message(message)
        }
        if let run = loaded.first(where: { $0.first <= number && number <= $0.last }) {
            return run.read(at: number)
        }
        guard let firstOnDisk else { return .missing(next: tailFirst) }
        guard number >= firstOnDisk else { return .missing(next: min(firstOnDisk, tailFirst)) }
        if areWaiting.insert(ObjectIdentifier(consumer)).inserted { waiting.append(consumer) }
        if !readInFlight {
            readInFlight = true
            readLimit = tailFirst - 1
            log.read(self, from: number, maximumBytes: log.readStep)
        }
        return .loading
    }

    func didRead(_ tag: UInt64, from: UInt64, _ segments: [StoredSegment]) {
        readInFlight = false
        var run = LoadedRun(tag: tag, first: from, last: max(from, readLimit))
        for segment in segments { run.append(segment, meter: log.readMeter) }
        if loaded.count >= Self.loadedRuns { loaded.removeFirst() }
        loaded.append(run)
        log.trimReads()
        let told = waiting
        waiting = []
        areWaiting = []
        for consumer in told { consumer.streamIsReadable(self) }
    }

    /// How many reads are kept for readers at different places; `Log.trimReads` bounds their bytes over all streams.
    private static let loadedRuns = 64
}

/// Who reads a stream.
public protocol StreamConsumer: AnyObject {
    func streamIsReadable(_ stream: LogStream)
}
