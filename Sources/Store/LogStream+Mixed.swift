/// The mixed stream: where sets of sessions are many, a stream for each would cost more than its messages. Whom a message is
/// for is kept with the message, in memory and in its segment.
extension LogStream {
    struct Mixed {
        /// The stream's memberships by their session.
        var members: [SessionID: SessionQueue.Membership] = [:]
        /// What of it is on disk, or on its way there.
        var spans = SubmittedSpans()
        /// The last set that was stored without those of its members who had finished: mostly the next is the same.
        fileprivate var reduced: MessageSet?
        /// An earlier run's, until the sessions have taken them up: the numbers that they wait for, and their positions.
        fileprivate var stored: [SessionID: [UInt64]] = [:]
        fileprivate var positions: [SessionID: Position] = [:]

        init() {}

        init(_ stream: StoredState.Stream) {
            for segment in stream.mixed?.segments ?? [] {
                _ = spans.add(SubmittedSpans.Span(first: segment.lowerBound, last: segment.upperBound, open: 0))
            }
            stored = stream.mixed?.waiting ?? [:]
            positions = stream.positions
        }
    }

    // MARK: Whom a message is for

    /// Those that have a place in the stream and are to have this message.
    public func receivers(of message: Message) -> [SessionQueue.Membership] {
        guard let mixed else { return memberships }
        guard let set = message.set else { return [] }
        return set.members.compactMap { mixed.members[$0.session] }
    }

    /// All who get this message are worth waiting for.
    func canSettle(_ message: Message) -> Bool {
        mixed == nil ? unsettleable == 0 : receivers(of: message).allSatisfy { $0.queue.canSettle }
    }

    /// Messages that nobody waits for are written too, by the commit timer: a route's link is in doubt or down; a session is
    /// away, full or slow.
    func keepsUnawaited(_ message: Message) -> Bool {
        if case .route = record.kind { return isInDoubt }
        return !canSettle(message)
    }

    // MARK: On disk

    /// Whom a message is stored for: who has finished it already needs no position to say so.
    func stillWaiting(for message: Message, _ number: UInt64) -> MessageSet {
        guard let set = message.set, let mixed else { return MessageSet([]) }
        let left = set.members.filter { mixed.members[$0.session]?.own?.contains(number) ?? false }
        guard left.count < set.members.count else { return set }
        if let reduced = mixed.reduced, reduced.members == left { return reduced }
        let reduced = MessageSet(left)
        self.mixed?.reduced = reduced
        return reduced
    }

    func noteSubmitted(_ numbers: ClosedRange<UInt64>, _ sets: [MessageSet]) {
        let open = sets.reduce(0) { $0 + $1.members.count }
        let span = SubmittedSpans.Span(first: numbers.lowerBound, last: numbers.upperBound, open: open)
        if mixed?.spans.add(span) ?? false { log.spansChanged(self) }
    }

    /// One session is done with a message that was submitted.
    func closeDelivery(_ number: UInt64) { if mixed?.spans.close(number) ?? false { log.spansChanged(self) } }

    /// Tells the disk what it may forget.
    func forgetPassed() {
        guard isRecorded, let passed = mixed?.spans.takePassed(below: submittedBelow) else { return }
        forget(below: passed.below)
        if !passed.ranges.isEmpty { log.lazily(.passed(record.id, passed.ranges)) }
    }

    // MARK: After a start

    func waitsStored(for session: SessionID) -> Bool { mixed?.stored[session] != nil }

    /// A session takes up its place.
    func takeStored(for session: SessionID) -> (Position, [UInt64]) {
        let numbers = mixed?.stored.removeValue(forKey: session) ?? []
        for number in numbers { mixed?.spans.open(number) }
        return (mixed?.positions.removeValue(forKey: session) ?? Position(cursor: first - 1), numbers)
    }

    /// All sessions that there are have taken up their places: what is left was for others, that are gone.
    func closeUnclaimed() {
        mixed?.stored = [:]
        mixed?.positions = [:]
        if mixed?.spans.closeUnopened() ?? false { log.spansChanged(self) }
    }
}
