import EventLoop
import MQTT

/// Messages come in, and wait for their destinations or for the writer.
extension Log {
    /// Takes a message for its durable destinations.
    ///
    /// - Parameters:
    ///   - streams: routes and session sets; each counts the message once.
    ///   - retained: the message also becomes (or, empty, removes) the retained message of its topic.
    ///   - changes: belong with the message and are committed with it.
    ///   - isHeld: no destination sees the message before its commit; `committed` is called then, before they do.
    ///   - waiter: told once when the message is safe.
    public func append(
        _ message: Message, to streams: [LogStream], retained: Bool = false, changes: [Change] = [],
        isHeld: Bool = false, waiter: (any SafetyWaiter)?, ticket: UInt64 = 0, committed: (() -> Void)? = nil
    ) {
        message.isHeld = isHeld
        message.waiter = waiter
        message.ticket = ticket
        message.isRetainedToo = retained
        for stream in streams { stream.append(message) }
        var mustCommit = isHeld || !changes.isEmpty
        if retained {
            let isAwaited = waiter != nil && !options.isRelaxed
            retain(message, isAwaited: isAwaited)
            mustCommit = mustCommit || isAwaited
        }
        if !changes.isEmpty || isHeld {
            if case .inbound(let session, let identifier) = changes.first {
                message.inbound = (session, identifier)
            }
            dueChanges.append(contentsOf: changes)
            message.addPart()
            dueParts.append(message)
        }
        if isHeld { dueHeld.append(message) }
        if let committed { dueActions.append(committed) }
        if mustCommit { askForGroup() }
        if mustCommit {
            for stream in streams { commitSoon(stream) }
        } else if options.isRelaxed {
            for stream in streams { commitLazily(stream) }
        } else if waiter != nil {
            settleOrCommit(message, streams)
        } else {
            for stream in streams where stream.keepsUnawaited(message) { commitLazily(stream) }
        }
        guard options.isRelaxed, !mustCommit, waiter != nil else { return }
        acknowledgedInMemory += 1
        message.answer(.success)
    }

    /// The retained message of a topic has expired: the disk forgets it, by the commit timer.
    public func forgetRetained(_ topic: [UInt8]) {
        dueRetained[topic] = .some(nil)
        armLazyTimer()
    }

    /// Takes one message of a batch: no destination sees it before the group that it goes with is committed. Whoever holds a
    /// batch commits what belongs with it in the same tick (`commit`).
    public func hold(_ message: Message, in streams: [LogStream], retained: Bool) {
        message.isHeld = true
        for stream in streams {
            stream.append(message)
            commitSoon(stream)
        }
        if retained {
            retain(message, isAwaited: false)
            hasDueRetained = true
        }
        if !streams.isEmpty { dueHeld.append(message) }
    }

    func settleOrCommit(_ message: Message, _ streams: [LogStream]) {
        guard streams.allSatisfy({ $0.canSettle(message) }), options.settle > .zero else {
            for stream in streams { commitSoon(stream) }
            return
        }
        settling.append((loop.now + options.settle, message, streams))
        if settleTimer == nil { armSettleTimer() }
    }

    func retain(_ message: Message, isAwaited: Bool) {
        let topic = [UInt8](message.topic)
        let record =
            message.payload.isEmpty
            ? nil
            : RetainedRecord(
                packet: [UInt8](message.packet), receivedAt: message.receivedAt, expiresAt: message.expiresAt)
        dueRetained[topic] = .some(record)
        guard isAwaited else {
            armLazyTimer()
            return
        }
        message.addPart()
        dueParts.append(message)
    }

    /// The stream's unwritten messages go to the writer at the end of this tick.
    func commitSoon(_ stream: LogStream) {
        guard !stream.isDue else { return }
        stream.isDue = true
        dueStreams.append(stream)
        askForGroup()
    }

    /// ... by the commit timer.
    func commitLazily(_ stream: LogStream) {
        guard !stream.isLazilyDue, stream.hasUnsubmitted else { return }
        stream.isLazilyDue = true
        lazyStreams.append(stream)
        armLazyTimer()
    }
}
