import EventLoop
import MQTT
import Store

/// Rights, as sessions have them and messages meet them. Without rules none has any, and a message costs one look at nil.
extension Broker {
    /// Whether a client may publish to a topic: worked out once a topic, and kept with the topic's destinations.
    @inline(__always)
    func mayPublish(_ session: Session, _ topic: UnsafeRawBufferPointer) -> Bool {
        if topic.first == UInt8(ascii: "$"), ReservedTopics.contains(topic) { return false }
        guard let rights = session.rights else { return true }
        return verdict(of: rights, session.rightsSerial, topic)
    }

    private func verdict(
        of rights: any TopicRights, _ serial: UInt64, _ topic: UnsafeRawBufferPointer
    ) -> Bool {
        // The topic of too many levels is refused by itself.
        guard let destinations = destinations(of: topic, .node) else { return rights.mayPublish(to: topic) }
        if let known = destinations.verdicts.find(serial) { return known }
        let verdict = rights.mayPublish(to: topic)
        destinations.verdicts.add(serial, verdict)
        return verdict
    }

    /// The rules have changed: everybody is looked at anew. Who may not stay is disconnected, and its session, if it is
    /// kept, gets nothing more until its client is let in again.
    ///
    /// - Returns: how many connections have ended.
    public func accessChanged() -> Int {
        var ended = 0
        for session in sessions.values.sorted(by: {
            $0.clientIdentifier.lexicographicallyPrecedes($1.clientIdentifier)
        }) {
            if let identity = access.review(session.identity) {
                // Limits were announced to who is connected, and stay until it comes again.
                session.adopt(identity)
                continue
            }
            if let connection = session.connection {
                ended += 1
                logLine(.notice, "\(connection.name): disconnected, user \(text(session.userName)) may not stay")
                connection.disconnect(with: .notAuthorized)
            }
            session.adopt(
                ClientIdentity(
                    clientIdentifier: session.clientIdentifier, userName: session.userName, rights: NoRights(),
                    proof: session.identity.proof))
        }
        return ended
    }

    func noteDeniedPublish(_ session: Session, _ topic: UnsafeRawBufferPointer) {
        figures.deniedPublishes += 1
        if session.deniedPublishes.begins(at: loop.now) {
            logLine(.notice, "\(session.described) may not publish to \(text(topic))")
        }
    }

    func noteDeniedSubscription(_ session: Session, _ filter: UnsafeRawBufferPointer) {
        figures.deniedSubscriptions += 1
        if session.deniedSubscriptions.begins(at: loop.now) {
            logLine(.notice, "\(session.described) may not subscribe to \(text(filter))")
        }
    }
}

extension Session {
    /// The client, and as whom it was let in, for a line of the log.
    var described: String {
        userName.isEmpty ? text(clientIdentifier) : "\(text(clientIdentifier)) (user \(text(userName)))"
    }

    /// Takes the client for whom it is now. What was routed to it under other rights is looked at again when it is sent.
    func adopt(_ identity: ClientIdentity) {
        let hadRules = rights != nil
        self.identity = identity
        // As before: what is known of topics stays known.
        if let rights, let same = identity.rights, rights.equal(same) { return }
        rights = identity.rights
        guard rights != nil || hadRules else { return }
        broker.lastRightsSerial += 1
        rightsSerial = broker.lastRightsSerial
        checkedFrom = rights == nil ? 0 : broker.log.takeLaneSequence()
        if !subscriptions.isEmpty { broker.tree.noteChange() }
        // What was set aside for others may be its own now.
        if !shares.isEmpty { broker.loop.onNextTickEnd { [weak self] in self?.pump() } }
    }

    /// Whether a message that has waited may still be sent: messages that were routed under these rights were looked at
    /// then, in `Broker.work(out:without:)`.
    @inline(__always)
    func mayStillReceive(_ message: Message) -> Bool {
        message.laneSequence >= checkedFrom || mayReceive(message.topic)
    }

    func mayReceive(_ topic: UnsafeRawBufferPointer) -> Bool { rights?.mayReceive(topic) ?? true }

    /// Whether this client may publish to `topic`, also by way of a batch.
    public func mayPublish(to topic: UnsafeRawBufferPointer) -> Bool { broker.mayPublish(self, topic) }
}

/// Whether clients may publish to one topic, by the number of their rights.
struct PublishVerdicts {
    private var known: [(serial: UInt64, mayPublish: Bool)] = []
    private var next = 0
    /// Few publishers share a topic; who comes beyond is asked about at each message.
    private static let maximum = 8

    func find(_ serial: UInt64) -> Bool? {
        for verdict in known where verdict.serial == serial { return verdict.mayPublish }
        return nil
    }

    mutating func add(_ serial: UInt64, _ mayPublish: Bool) {
        guard known.count == Self.maximum else { return known.append((serial, mayPublish)) }
        known[next] = (serial, mayPublish)
        next = (next + 1) % Self.maximum
    }
}
