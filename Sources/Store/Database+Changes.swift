/// Changes to the ordinary tables.
extension Database {
    func apply(_ change: Change) throws(SQLiteError) {
        guard let statements else { return }
        switch change {
        case .run(let run): try write(run)
        case .stream(let stream): try write(stream)
        case .streamRemoved(let stream): try removeStream(stream.rawValue)
        case .trim(let stream, let below): trim(stream.rawValue, below: below)
        case .passed(let stream, let ranges): try removePassed(stream.rawValue, ranges)
        case .position(let stream, let session, let position):
            try statements.tables.position.run(stream.rawValue, session.rawValue) {
                $0.bind(3, position.cursor)
                $0.bind(4, DatabaseCodec.encode(position))
            }
        case .session(let session): try write(session)
        case .share(let share): try write(share)
        case .sessionRemoved(let session):
            try statements.tables.removeSession(session.rawValue)
        case .subscription(let session, let subscription): try write(subscription, of: session.rawValue)
        case .subscriptionRemoved(let session, let filter):
            try statements.tables.subscriptionRemoved.run(session.rawValue) { $0.bind(2, filter) }
        case .inbound(let session, let identifier):
            try statements.tables.inbound.run(session.rawValue, Int64(identifier))
        case .inboundRemoved(let session, let identifier):
            try statements.tables.inboundRemoved.run(session.rawValue, Int64(identifier))
        case .outbound(let session, let record):
            try statements.tables.outbound.run(session.rawValue, Int64(record.identifier)) {
                $0.bind(3, record.stream.rawValue)
                $0.bind(4, record.number)
                $0.bind(5, (record.share?.rawValue ?? 0) << 1 | (record.released ? 1 : 0))
            }
        case .outboundRemoved(let session, let identifier):
            try statements.tables.outboundRemoved.run(session.rawValue, Int64(identifier))
        case .retained(let topic, let record): try write(record, retainedAt: topic)
        case .state(let kind, let key, let value): try write(kind, key: key, value: value)
        }
    }

    func write(_ kind: StateKind, key: [UInt8], value: [UInt8]?) throws(SQLiteError) {
        guard let tables = statements?.tables else { return }
        guard let value else { return try tables.stateRemoved.run(Int64(kind.rawValue)) { $0.bind(2, key) } }
        try tables.state.run(Int64(kind.rawValue)) {
            $0.bind(2, key)
            $0.bind(3, value)
        }
    }

    private func write(_ run: RunRecord) throws(SQLiteError) {
        try statements?.tables.run.run(run.ordinal) {
            $0.bind(2, run.epoch)
            $0.bind(3, run.bootID)
            $0.bind(4, run.bootMilliseconds)
            $0.bind(5, run.storeMilliseconds)
            $0.bind(6, run.wallOffset)
            $0.bind(7, run.clockSet)
            $0.bind(8, run.synchronised)
            $0.bind(9, run.endedCleanly)
        }
    }

    private func write(_ stream: StreamRecord) throws(SQLiteError) {
        try statements?.tables.stream.run(stream.id.rawValue) {
            switch stream.kind {
            case .route(let name):
                $0.bind(2, name)
                $0.bindNull(3)
            case .sessions(let members):
                $0.bindNull(2)
                $0.bind(3, DatabaseCodec.encode(members))
            case .mixed:
                $0.bindNull(2)
                $0.bindNull(3)
            }
            $0.bind(4, stream.run)
            $0.bind(5, Int64(stream.lane))
            $0.bind(6, stream.evictionClass.rawValue)
            $0.bind(7, stream.ttl)
            $0.bind(8, stream.budgetBytes)
        }
        counters[stream.id.rawValue, default: SegmentCounters()].record = stream
        routeBudgets.note(stream)
    }

    private func write(_ session: SessionRecord) throws(SQLiteError) {
        try statements?.tables.session.run(session.id.rawValue) {
            $0.bind(2, session.clientIdentifier)
            $0.bind(3, session.userName)
            $0.bind(4, Int64(session.expiryInterval))
            if let time = session.disconnectedAt { $0.bind(5, time) } else { $0.bindNull(5) }
        }
    }

    private func write(_ share: ShareRecord) throws(SQLiteError) {
        try statements?.tables.session.run(share.id.rawValue) {
            $0.bind(2, share.name)
            $0.bind(3, [])
            $0.bind(4, Int64(UInt32.max))
            $0.bindNull(5)
        }
    }

    private func write(_ subscription: SubscriptionRecord, of session: Int64) throws(SQLiteError) {
        try statements?.tables.subscription.run(session) {
            $0.bind(2, subscription.filter)
            $0.bind(3, Int64(subscription.qos))
            $0.bind(4, subscription.noLocal)
            $0.bind(5, subscription.retainAsPublished)
            $0.bind(6, Int64(subscription.retainHandling))
            $0.bind(7, Int64(subscription.subscriptionIdentifier))
        }
    }

    private func write(_ record: RetainedRecord?, retainedAt topic: [UInt8]) throws(SQLiteError) {
        guard let tables = statements?.tables else { return }
        guard let record else {
            tables.retainedRemoved.bind(1, topic)
            return try tables.retainedRemoved.run()
        }
        tables.retained.bind(1, topic)
        tables.retained.bind(2, record.receivedAt)
        tables.retained.bind(3, record.expiresAt)
        tables.retained.bind(4, record.packet)
        try tables.retained.run()
    }
}

extension Statement {
    /// Binds the first parameters, lets `bind` bind the others, and runs.
    fileprivate func run(
        _ keys: Int64..., bind: (borrowing Statement) -> Void = { _ in }
    ) throws(SQLiteError) {
        for (index, key) in keys.enumerated() { self.bind(Int32(index + 1), key) }
        bind(self)
        try run()
    }
}
