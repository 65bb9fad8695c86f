import EventLoop
import MQTT
import Store

extension Broker {
    /// Gives a CONNECT its session (MQTT 5 §3.1.2.4, §3.1.4): taken over from an older connection, resumed, or new. `then`
    /// runs when what that changes on disk is there, with Session Present.
    func open(
        _ connect: Connect, as identity: ClientIdentity, on connection: Connection, then: @escaping (Bool) -> Void
    ) {
        var changes: [Change] = []
        var old = sessions[connect.clientIdentifier]
        if let session = old, let other = session.connection {
            logLine(.info, "\(other.name): taken over by \(connection.peer)")
            other.disconnect(with: .sessionTakenOver)
            old = sessions[connect.clientIdentifier]
        }
        if let session = old, connect.cleanStart || !session.isDurable || hasExpired(session) {
            if let id = session.id { changes.append(.sessionRemoved(id)) }
            // The client came back in time after our stop: its session goes, and nobody was lost.
            if session.will?.isRestored == true { cancelWill(session) }
            end(session, storedAlready: true)
            old = nil
        }
        let isPresent = old != nil
        let session = old ?? Session(clientIdentifier: connect.clientIdentifier, broker: self)
        sessions[connect.clientIdentifier] = session
        session.adopt(identity)
        session.expiryInterval = Self.grantedExpiry(connect, connection.limits)
        session.disconnectedAt = nil
        if let timer = session.expiryTimer { loop.cancel(timer) }
        session.expiryTimer = nil
        cancelWill(session)
        if let will = connect.will { keepWill(will, session, keepAlive: connect.keepAlive) }
        session.connection = connection
        connection.session = session
        if isPresent {
            session.queue?.bound(by: connection.limits)
        } else if session.expiryInterval > 0 {
            session.makeDurable(log.takeSessionID(), limits: connection.limits)
        }
        if let record = session.record {
            if isPresent { log.lazily(.session(record)) } else { changes.append(.session(record)) }
        }
        guard !changes.isEmpty else {
            then(isPresent)
            return
        }
        log.commit(changes) { then(isPresent) }
    }

    /// Its time is over, and the timer that ends it is late, or comes later in this tick [MQTT-4.1.0-2].
    private func hasExpired(_ session: Session) -> Bool {
        guard session.connection == nil, session.expiryInterval != .max, let left = session.disconnectedAt else {
            return false
        }
        return left + Int64(session.expiryInterval) * 1000 <= log.clock.now
    }

    private static func grantedExpiry(_ connect: Connect, _ limits: BrokerLimits) -> UInt32 {
        if connect.version == .v5 { return min(connect.sessionExpiryInterval ?? 0, limits.sessionExpiry) }
        return connect.cleanStart ? 0 : limits.sessionExpiry
    }

    func changeExpiry(of session: Session, to interval: UInt32) {
        session.expiryInterval = interval
        if let record = session.record { log.lazily(.session(record)) }
    }

    /// The session's connection is over.
    func connectionEnded(_ connection: Connection) {
        forget(connection)
        guard let session = connection.session, session.connection === connection else { return }
        session.connection = nil
        connection.session = nil
        session.disconnectedAt = log.clock.now
        session.resends = []
        session.retainedBacklog = []
        session.isBehind = true
        session.updateSettling()
        if session.expiryInterval > 0 {
            session.queue?.commitUnwritten()
            session.offerSharedAgain()
        }
        for (identifier, known) in session.inbound where known.ticket != nil {
            session.inbound[identifier]?.ticket = nil
        }
        if isStopping {
            // It stays in the store: who doesn't come back after the next start has it published then.
            session.will = nil
        } else if connection.isDisconnectedCleanly {
            cancelWill(session)
        } else {
            connectionLost(session)
        }
        logLine(.info, "\(text(session.clientIdentifier)) disconnected")
        tellLifeCycle("disconnected", of: session)
        guard session.isDurable, session.expiryInterval > 0 else {
            end(session, storedAlready: false)
            return
        }
        if let record = session.record { log.lazily(.session(record)) }
        scheduleExpiry(session)
    }

    /// Ends the session when its interval has passed since its client left.
    func scheduleExpiry(_ session: Session) {
        guard session.expiryInterval != .max else { return }
        let left = (session.disconnectedAt ?? log.clock.now) + Int64(session.expiryInterval) * 1000 - log.clock.now
        session.expiryTimer = loop.schedule(after: .milliseconds(max(left, 0))) { [unowned self] in
            guard session.connection == nil else { return }
            logLine(.info, "session \(text(session.clientIdentifier)) expired")
            end(session, storedAlready: false)
        }
    }

    /// The session is over: its subscriptions, what waits for it and what the store has of it go.
    func end(_ session: Session, storedAlready: Bool) {
        if let timer = session.expiryTimer { loop.cancel(timer) }
        publishDelayedWill(session)
        endSubscriptions(of: session)
        session.outbound = [:]
        session.inbound = [:]
        session.waiting = []
        if let id = session.id, !storedAlready { log.lazily(.sessionRemoved(id)) }
        session.queue?.leaveAll()
        figures.lostByEndedSessions += session.lostMessages
        if sessions[session.clientIdentifier] === session { sessions[session.clientIdentifier] = nil }
    }

    /// An administrator closes a client's connection, and with `discard` ends its session.
    public func kick(_ clientIdentifier: [UInt8], discard: Bool = false) -> Bool {
        guard let session = sessions[clientIdentifier] else { return false }
        session.connection?.disconnect(with: .administrativeAction)
        if discard, sessions[clientIdentifier] === session { end(session, storedAlready: false) }
        return true
    }

    // MARK: After a start

    func restore(_ state: StoredState) {
        let places = state.places
        for stored in state.shares { restore(stored, places[stored.record.id] ?? []) }
        for stored in state.sessions { restore(stored, places[stored.record.id] ?? []) }
        for group in sharesInOrder { group.isRestored() }
        log.retireOrphans()
        for (topic, record) in state.retained { restoreRetained(topic, record) }
        restoreWills(state)
    }

    private func restore(_ stored: StoredState.Session, _ places: [StoredState.Place]) {
        let session = Session(clientIdentifier: stored.record.clientIdentifier, broker: self)
        session.adopt(
            access.restored(clientIdentifier: stored.record.clientIdentifier, userName: stored.record.userName))
        session.expiryInterval = stored.record.expiryInterval
        // Who was connected when the run before stopped has been away since this start.
        session.disconnectedAt = stored.record.disconnectedAt ?? log.clock.now
        session.makeDurable(stored.record.id, limits: limits)
        session.queue?.restore(places)
        for record in stored.subscriptions {
            let subscription = SubscriptionState(record)
            for change in enter(subscription, session) { log.lazily(change) }
        }
        for identifier in stored.inbound { session.inbound[identifier] = Session.Inbound(isSafe: true, ticket: nil) }
        for record in stored.outbound {
            let group = record.share.flatMap { share in shares.values.first { $0.queue?.session == share } }
            let queue = record.share == nil ? session.queue : group?.queue
            guard let membership = queue?.membership(of: record.stream) else {
                log.lazily(.outboundRemoved(stored.record.id, record.identifier))
                continue
            }
            membership.isInFlight(record.number)
            session.outbound[record.identifier] = Session.Outbound(
                state: record.released ? .released : .published, qos: .exactlyOnce, membership: membership,
                number: record.number, sentAt: loop.now,
                share: group?.restored(membership, record.number, for: session, record.identifier))
        }
        session.isBehind = true
        sessions[session.clientIdentifier] = session
        if stored.record.disconnectedAt == nil, let record = session.record { log.lazily(.session(record)) }
        scheduleExpiry(session)
    }
}
