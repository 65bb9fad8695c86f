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
        return stream
    }

    /// The stream of this run for one set of members: it is made at the first message for the set.
    public func sessionStream(for members: [(queue: SessionQueue, member: StreamMember)]) -> LogStream {
        let key = members.map(\.member).sorted { $0.session.rawValue < $1.session.rawValue }
        if let stream = sessionStreams[key] { return stream }
        let stream = makeStream(.sessions(key), evictionClass: .session, ttl: options.ttl)
        sessionStreams[key] = stream
        for (queue, member) in members { queue.join(stream, as: member) }
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
        for stream in streams.values.sorted(by: { $0.record.id.rawValue < $1.record.id.rawValue })
        where stream.memberships.isEmpty {
            if case .sessions = stream.record.kind { retire(stream) }
        }
    }

    /// Takes a stream that nobody waits for out of the log.
    func retire(_ stream: LogStream) {
        streams[stream.record.id] = nil
        stopAppending(to: stream)
        if stream.isRecorded { lazily(.streamRemoved(stream.record.id)) }
    }
}
