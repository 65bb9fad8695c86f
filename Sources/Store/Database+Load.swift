/// What the database holds, at its opening.
extension Database {
    public func load() throws(StoreError) -> StoredState {
        do throws(SQLiteError) {
            var state = StoredState()
            state.runs = try runs()
            state.streams = try streams()
            state.highestRemovedStream = counters.filter { $0.value.isRemoved }.map(\.key).max() ?? 0
            (state.sessions, state.shares) = try sessions()
            try rows("SELECT topic, packet, received, expires FROM retained") {
                state.retained.append(
                    (
                        $0.bytes(0),
                        RetainedRecord(packet: $0.bytes(1), receivedAt: $0.integer(2), expiresAt: $0.integer(3))
                    ))
            }
            try rows("SELECT kind, key, value FROM state ORDER BY kind, key") {
                guard let kind = StateKind(rawValue: $0.int(0)) else { return }
                state.states.append((kind, $0.bytes(1), $0.bytes(2)))
            }
            state.usedBytes = usedBytes
            return state
        } catch { throw Self.storeError(error, path: filePath) }
    }

    /// Learns every stream's counters: the stored ones, and the segments that came after these were written.
    func countAll() throws(SQLiteError) {
        counters = [:]
        touched = []
        routeBudgets = RouteBudgets()
        uncounted = 0
        countersStale = false
        unswept = []
        var countedTo: [Int64: Int64] = [:]
        try rows(
            """
            SELECT id, route, members, run, lane, class, ttl, budget, trimmed_below, counted_to, messages, bytes
            FROM stream
            """
        ) {
            let id = $0.integer(0)
            let kind: StreamRecord.Kind =
                !$0.isNull(1)
                ? .route($0.text(1)) : $0.isNull(2) ? .mixed : .sessions(DatabaseCodec.members($0.bytes(2)) ?? [])
            var counter = SegmentCounters()
            counter.record = StreamRecord(
                id: StreamID(rawValue: id), kind: kind, run: $0.integer(3), lane: UInt16(truncatingIfNeeded: $0.int(4)),
                evictionClass: EvictionClass(rawValue: $0.int(5)) ?? .normal, ttl: $0.integer(6),
                budgetBytes: $0.integer(7))
            counter.trimmedBelow = UInt64(bitPattern: $0.integer(8))
            counter.messages = $0.int(10)
            counter.bytes = $0.int(11)
            if counter.trimmedBelow > 0 { unswept.insert(id) }
            if let record = counter.record { routeBudgets.note(record) }
            counters[id] = counter
            countedTo[id] = $0.integer(9)
        }
        for (stream, key) in countedTo {
            let keys = SegmentRow.keys(of: stream)
            let rows = try headers(in: max(keys.lowerBound, min(key + 1, keys.upperBound))...keys.upperBound)
            for row in rows { counters[stream]?.add(row) }
            counters[stream]?.oldest = nil
            let last = try header(below: keys.upperBound, of: stream)
            counters[stream]?.lastKey = last?.key
            counters[stream]?.lastNumber = last?.last ?? 0
            uncounted += rows.count
        }
    }

    private func streams() throws(SQLiteError) -> [StoredState.Stream] {
        var positions: [Int64: [SessionID: Position]] = [:]
        try rows("SELECT stream, session, cursor, finished FROM position") {
            let cursor = UInt64(bitPattern: $0.integer(2))
            positions[$0.integer(0), default: [:]][SessionID(rawValue: $0.integer(1))] =
                DatabaseCodec.position(cursor: cursor, finished: $0.bytes(3)) ?? Position(cursor: cursor)
        }
        var streams: [StoredState.Stream] = []
        for (stream, counter) in counters.sorted(by: { $0.key < $1.key }) where !counter.isRemoved {
            guard let record = counter.record else { continue }
            let oldest = try firstUnpassed(of: stream)
            var numbers: ClosedRange<UInt64>?
            let newest = try counter.lastKey.flatMap { (key) throws(SQLiteError) in try header(below: key, of: stream) }
            if let oldest, let newest { numbers = oldest.first...max(oldest.first, newest.last) }
            var found = StoredState.Stream(
                record: record, trimmedBelow: counter.trimmedBelow, numbers: numbers, messages: counter.messages,
                bytes: counter.bytes, oldest: oldest?.receivedAt ?? 0, newest: newest?.receivedAt ?? 0,
                positions: positions[stream] ?? [:])
            // Who reads a damaged database beside its daemon has no use for them.
            if record.kind == .mixed, !isReadOnly { found.mixed = try mixed(found) }
            streams.append(found)
        }
        return streams
    }

    /// The first segment that isn't wholly passed: those before wait to be deleted.
    private func firstUnpassed(of stream: Int64) throws(SQLiteError) -> SegmentRow? {
        guard let counter = counters[stream], unswept.contains(stream) else { return try oldest(of: stream) }
        if let holding = try header(below: SegmentRow.key(stream, counter.trimmedBelow), of: stream),
            holding.last >= counter.trimmedBelow
        {
            return holding
        }
        let keys = SegmentRow.key(stream, counter.trimmedBelow)...SegmentRow.keys(of: stream).upperBound
        return try headers(in: keys, limit: 1).first
    }

    private func sessions() throws(SQLiteError) -> ([StoredState.Session], [StoredState.Share]) {
        var sessions: [StoredState.Session] = []
        var places: [Int64: Int] = [:]
        try rows("SELECT id, client, user, expiry, disconnected FROM session ORDER BY id") {
            places[$0.integer(0)] = sessions.count
            let record = SessionRecord(
                id: SessionID(rawValue: $0.integer(0)), clientIdentifier: $0.bytes(1), userName: $0.bytes(2),
                expiryInterval: UInt32(truncatingIfNeeded: $0.integer(3)),
                disconnectedAt: $0.isNull(4) ? nil : $0.integer(4))
            sessions.append(StoredState.Session(record: record, subscriptions: [], inbound: [], outbound: []))
        }
        try rows(
            """
            SELECT session, filter, qos, no_local, retain_as_published, retain_handling, identifier FROM subscription
            """
        ) {
            guard let place = places[$0.integer(0)] else { return }
            sessions[place].subscriptions.append(
                SubscriptionRecord(
                    filter: $0.bytes(1), qos: UInt8(truncatingIfNeeded: $0.int(2)), noLocal: $0.bool(3),
                    retainAsPublished: $0.bool(4), retainHandling: UInt8(truncatingIfNeeded: $0.int(5)),
                    subscriptionIdentifier: UInt32(truncatingIfNeeded: $0.integer(6))))
        }
        try rows("SELECT session, identifier FROM inbound") {
            guard let place = places[$0.integer(0)] else { return }
            sessions[place].inbound.append(UInt16(truncatingIfNeeded: $0.int(1)))
        }
        try rows("SELECT session, identifier, stream, number, released FROM outbound") {
            guard let place = places[$0.integer(0)] else { return }
            sessions[place].outbound.append(
                OutboundRecord(
                    identifier: UInt16(truncatingIfNeeded: $0.int(1)), stream: StreamID(rawValue: $0.integer(2)),
                    number: UInt64(bitPattern: $0.integer(3)), released: $0.integer(4) & 1 == 1,
                    share: $0.integer(4) > 1 ? SessionID(rawValue: $0.integer(4) >> 1) : nil))
        }
        let shares = sessions.compactMap { session in
            ShareRecord.filter(ofName: session.record.clientIdentifier).map { filter in
                StoredState.Share(
                    record: ShareRecord(id: session.record.id, filter: filter), outbound: session.outbound)
            }
        }
        sessions.removeAll { ShareRecord.filter(ofName: $0.record.clientIdentifier) != nil }
        return (sessions, shares)
    }

    private func runs() throws(SQLiteError) -> [RunRecord] {
        var runs: [RunRecord] = []
        try rows(
            """
            SELECT ordinal, epoch, boot_id, boot, store, wall_offset, clock_set, synchronised, clean FROM run
            ORDER BY ordinal
            """
        ) {
            runs.append(
                RunRecord(
                    ordinal: $0.integer(0), epoch: UInt64(bitPattern: $0.integer(1)), bootID: $0.text(2),
                    bootMilliseconds: $0.integer(3), storeMilliseconds: $0.integer(4), wallOffset: $0.integer(5),
                    clockSet: $0.bool(6), synchronised: $0.bool(7), endedCleanly: $0.bool(8)))
        }
        return runs
    }

    func rows(_ sql: String, _ body: (borrowing Statement) -> Void) throws(SQLiteError) {
        let statement = try connection.prepare(sql, persistent: false)
        while try statement.step() { body(statement) }
    }
}
