import EventLoop
import MQTT

/// What goes to the writer, and when: with this tick, by the commit timer, or once the settle window is over.
extension Log {
    /// Commits changes to the ordinary tables with this tick's group; `then` runs when they are on disk.
    public func commit(_ changes: [Change], then action: (() -> Void)? = nil) {
        dueChanges.append(contentsOf: changes)
        if let action { dueActions.append(action) }
        askForGroup()
    }

    /// Commits with this tick's group what was put off; `then` runs when it is on disk.
    func commitLazyChanges(then action: @escaping () -> Void) {
        takeLazyChanges()
        commit([], then: action)
    }

    /// What the stream holds unwritten goes to the writer with this tick's group.
    public func commitStream(_ stream: LogStream) { if stream.hasUnsubmitted { commitSoon(stream) } }

    /// A change nobody waits for: it is written with the next group that has changes, or by the commit timer.
    ///
    /// Where a group goes with this tick anyway, the change goes with it: put off, it would overtake the changes before it,
    /// and a session that was removed would leave rows behind.
    public func lazily(_ change: Change) {
        guard dueChanges.isEmpty else {
            dueChanges.append(change)
            return
        }
        lazyChanges.append(change)
        armLazyTimer()
    }

    func positionChanged(_ membership: SessionQueue.Membership) {
        guard !membership.isDirty else { return }
        membership.isDirty = true
        lazyPositions.append(membership)
        armLazyTimer()
    }

    /// A mixed stream has something that the disk may forget.
    func spansChanged(_ stream: LogStream) {
        guard !lazyMixed.contains(where: { $0 === stream }) else { return }
        lazyMixed.append(stream)
        armLazyTimer()
    }

    /// The route's positions or news have changed: they are written with the next group, or by the commit timer.
    func routeChanged(_ route: RouteQueue) {
        guard !route.isDirty else { return }
        route.isDirty = true
        lazyRoutes.append(route)
        armLazyTimer()
    }

    /// Commits everything that waits, notes a clean end, and closes the store.
    public func close(_ lastChanges: [Change], then action: @escaping () -> Void) {
        var ended = runAsOfNow
        ended.endedCleanly = true
        commitEverything()
        flushLazily()
        dueChanges.append(contentsOf: lastChanges)
        dueChanges.append(.run(ended))
        closed = action
        submitGroup()
        engine.submit(.close)
    }

    /// Something became due, perhaps after this tick's hook has run or between two ticks: a group goes in any case.
    func askForGroup() {
        guard !isGroupAsked else { return }
        isGroupAsked = true
        loop.onNextTickEnd { [unowned self] in
            isGroupAsked = false
            submitGroup()
        }
    }

    func armLazyTimer() {
        guard lazyTimer == nil else { return }
        lazyTimer = loop.schedule(after: options.commit) { [unowned self] in
            lazyTimer = nil
            flushLazily()
        }
    }

    func flushLazily() {
        for stream in lazyStreams {
            stream.isLazilyDue = false
            if stream.hasUnsubmitted { commitSoon(stream) }
        }
        lazyStreams = []
        takeLazyChanges()
        if !dueRetained.isEmpty { hasDueRetained = true }
    }

    /// Makes due what was put off. It goes before what is due already, which is newer: of two rows with one key the last stays.
    func takeLazyChanges() {
        let newer = dueChanges
        dueChanges = lazyChanges
        lazyChanges = []
        defer { dueChanges.append(contentsOf: newer) }
        // The disk may forget what every member has passed: worked out once a stream, since members are many.
        var moved: [ObjectIdentifier: LogStream] = [:]
        for membership in lazyPositions where membership.own == nil {
            moved[ObjectIdentifier(membership.stream)] = membership.stream
        }
        let ordered = moved.values.sorted { $0.record.id.rawValue < $1.record.id.rawValue }
        for stream in ordered where stream.isRecorded {
            if let lowest = stream.memberships.lazy.map(\.cursor).min() { stream.forget(below: lowest + 1) }
        }
        for stream in lazyMixed { stream.forgetPassed() }
        lazyMixed = []
        for membership in lazyPositions {
            membership.isDirty = false
            guard membership.isJoined, membership.stream.isRecorded else { continue }
            dueChanges.append(
                .position(membership.stream.record.id, membership.member.session, membership.position))
        }
        lazyPositions = []
        for route in lazyRoutes { dueChanges.append(contentsOf: route.takeChanges()) }
        lazyRoutes = []
    }

    func armSettleTimer() {
        guard let first = settling.first else { return }
        let wait = first.deadline - loop.now
        settleTimer = loop.schedule(after: max(wait, .milliseconds(1))) { [unowned self] in
            settleTimer = nil
            endSettling()
        }
    }

    func endSettling() {
        while let first = settling.first, first.message.isSafe || first.deadline <= loop.now {
            if !first.message.isSafe { for stream in first.streams { commitSoon(stream) } }
            settling.removeFirst()
        }
        if settleTimer == nil { armSettleTimer() }
    }

    func tickEnd() {
        while let first = settling.first, first.message.isSafe { settling.removeFirst() }
        if meter.bytes > options.memoryBytes / 2 { commitEverything() }
        submitGroup()
        if meter.bytes > options.memoryBytes { unload() }
        guard isRoomAwaited, !isFull else { return }
        isRoomAwaited = false
        onRoom?()
        // What came in by that may have filled it again, and must not wait for the commit timer.
        if meter.bytes > options.memoryBytes / 2 { commitEverything() }
    }

    /// Memory is getting short: what is on disk can leave it, so nothing waits for its destinations any longer.
    func commitEverything() {
        let unsubmitted = streams.values.filter(\.hasUnsubmitted)
        for stream in unsubmitted.sorted(by: { $0.record.id.rawValue < $1.record.id.rawValue }) { commitSoon(stream) }
    }

    /// The stream's unwritten messages take the place of what is on disk: that goes from there with no group that doesn't
    /// have them.
    func tie(_ stream: LogStream) {
        if !tiedStreams.contains(where: { $0 === stream }) { tiedStreams.append(stream) }
    }

    private func takeTiedStreams() {
        for stream in tiedStreams where stream.hasUnsubmitted && !stream.isDue {
            stream.isDue = true
            dueStreams.append(stream)
        }
        tiedStreams = []
    }

    func submitGroup() {
        let hasRetained = hasDueRetained || !dueParts.isEmpty
        guard !isWithdrawing else { return }
        guard !dueStreams.isEmpty || !dueChanges.isEmpty || !dueActions.isEmpty || hasRetained else { return }
        takeTiedStreams()
        noteTime()
        // A change never overtakes one that was put off; and what a route has let go of is on disk with what it kept.
        if !dueChanges.isEmpty || dueStreams.contains(where: { routeQueues[ObjectIdentifier($0)]?.isDirty == true }) {
            takeLazyChanges()
        }
        lastGroup += 1
        var group = Group(number: lastGroup, streams: [], parts: dueParts, held: dueHeld, actions: dueActions)
        var records: [Change] = []
        var segments: [SegmentWrite] = []
        for stream in dueStreams {
            stream.isDue = false
            let taken = stream.takeUnsubmitted()
            group.streams.append((stream, stream.submittedBelow))
            guard let first = taken.first?.first else { continue }
            // In a mixed stream it is stored with each message who is yet to have it.
            if stream.mixed == nil {
                for membership in stream.memberships where membership.hasPassed(beyond: first) {
                    positionChanged(membership)
                }
            }
            if !stream.isRecorded {
                stream.isRecorded = true
                records.append(.stream(stream.record))
            }
            if let queue = routeQueues[ObjectIdentifier(stream)], queue.stream === stream {
                records.append(contentsOf: queue.takeUnwrittenGaps() + queue.takeUnreportedChanges())
            }
            segments.append(contentsOf: taken)
            for segment in taken { submittedBytes += UInt64(segment.packets.count) }
        }
        var changes = records
        changes.append(contentsOf: dueChanges)
        for (topic, record) in dueRetained.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            changes.append(.retained(topic: topic, record))
        }
        hasDueRetained = false
        dueRetained = [:]
        dueStreams = []
        dueChanges = []
        dueParts = []
        dueHeld = []
        dueActions = []
        submittedGroups += 1
        groups.append(group)
        engine.submit(.commit(CommitGroup(number: lastGroup, segments: segments, changes: changes)))
    }
}
