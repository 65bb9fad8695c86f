import EventLoop
import MQTT

/// The streams there are: one a route, one a set of sessions, made when they are first needed.
extension Log {
    func makeStream(
        _ kind: StreamRecord.Kind, evictionClass: EvictionClass, ttl: Int64, budgetBytes: Int64 = .max
    ) -> LogStream {
        let record = StreamRecord(
            id: StreamID(rawValue: nextStreamID), kind: kind, run: run.ordinal, lane: UInt16(loop.index),
            evictionClass: evictionClass, ttl: ttl, budgetBytes: budgetBytes)
        nextStreamID += 1
        let stream = LogStream(
            record: record, numbering: Numbering(run: run.ordinal, epoch: run.epoch, lane: record.lane), log: self,
            isRecorded: false)
        streams[record.id] = stream
        if case .sessions = kind { sessionStreamCount += 1 }
        return stream
    }

    /// The stream of this run for one set of members, made at the first message for the set; or, where there are too many,
    /// the mixed stream, and the set that each message for it must have.
    public func sessionStream(
        for members: [(queue: SessionQueue, member: StreamMember)]
    ) -> (stream: LogStream, set: MessageSet?) {
        let key = members.map(\.member).sorted { $0.session.rawValue < $1.session.rawValue }
        if let stream = sessionStreams[key] { return (stream, nil) }
        let maximum = options.maximumSessionStreams * (key.count >= Self.manyMembers ? 2 : 1)
        guard sessionStreamCount < maximum else {
            return (mixedStream(with: members.map(\.queue)), messageSets.set(of: key))
        }
        let stream = makeStream(.sessions(key), evictionClass: .session, ttl: options.ttl)
        sessionStreams[key] = stream
        for (queue, member) in members { queue.join(stream, as: member) }
        return (stream, nil)
    }

    /// Storing a set of so many with each message costs more than a stream.
    private static let manyMembers = 16

    private func mixedStream(with queues: [SessionQueue]) -> LogStream {
        let stream = mixedStream ?? makeStream(.mixed, evictionClass: .session, ttl: options.ttl)
        mixedStream = stream
        for queue in queues where stream.mixed?.members[queue.session] == nil { queue.joinMixed(stream) }
        return stream
    }

    /// The set's next message goes to a new stream: a member is about to leave this one.
    func stopAppending(to stream: LogStream) {
        guard case .sessions(let key) = stream.record.kind, sessionStreams[key] === stream else { return }
        sessionStreams[key] = nil
        topology += 1
    }

    /// Streams of sessions that are all gone, as a stop between two commits leaves them; called once all are restored.
    public func retireOrphans() {
        for stream in streams.values.sorted(by: { $0.record.id.rawValue < $1.record.id.rawValue }) {
            if case .route = stream.record.kind { continue }
            if stream.memberships.isEmpty { retire(stream) } else { stream.closeUnclaimed() }
        }
    }

    /// Takes a stream that nobody waits for out of the log.
    func retire(_ stream: LogStream) {
        // This run's mixed stream takes what comes next.
        guard stream !== mixedStream, streams.removeValue(forKey: stream.record.id) != nil else { return }
        if case .sessions = stream.record.kind { sessionStreamCount -= 1 }
        earlierMixed.removeAll { $0 === stream }
        stopAppending(to: stream)
        if stream.isRecorded { lazily(.streamRemoved(stream.record.id)) }
    }
}
