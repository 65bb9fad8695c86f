import EventLoop
import MQTT
import Store

/// What happens to publishers while the store can't take their messages.
extension Broker {
    /// The store can't take this PUBLISH now: its connection holds it.
    func mustWait(_ packet: RawPacket, from connection: Connection) -> Bool {
        guard log.isRefusing else {
            if log.isFull { return true }
            guard log.options.refusesWhenFull, connection.version != .v5, (packet.flags >> 1) & 3 > 0 else {
                return false
            }
            return isOverBudget(packet, from: connection)
        }
        return connection.version != .v5 && (packet.flags >> 1) & 3 > 0 && needsStore(packet, from: connection)
    }

    /// The message can't be acknowledged without being kept. What isn't valid is found out when it is taken.
    func needsStore(_ packet: RawPacket, from connection: Connection) -> Bool {
        guard let session = connection.session, let publish = try? PublishView(packet, version: connection.version),
            let destinations = destinations(of: publish.topic, .client(session))
        else { return false }
        if publish.topic.first == UInt8(ascii: "$"), twins?.stores(publish.topic) == true { return true }
        return publish.retain || destinations.wantsLog || !destinations.routes.isEmpty
            || (publish.qos == .exactlyOnce && session.isDurable)
    }

    /// `when_full = "refuse"`: a route that has used up its own budget refuses as a full store does.
    func isOverBudget(_ destinations: Destinations, _ streams: [LogStream]) -> Bool {
        guard log.options.refusesWhenFull else { return false }
        return isOverBudget(destinations) { route in streams.contains { $0 === route.queue.stream } }
    }

    private func isOverBudget(_ packet: RawPacket, from connection: Connection) -> Bool {
        guard let session = connection.session, let publish = try? PublishView(packet, version: connection.version),
            let destinations = destinations(of: publish.topic, .client(session))
        else { return false }
        return isOverBudget(destinations) { _ in true }
    }

    /// Whether one of these routes is at its own budget, which then says so.
    private func isOverBudget(_ destinations: Destinations, where concerns: (Route) -> Bool) -> Bool {
        let full = destinations.routes.first { $0.queue.isOverBudget && concerns($0) }
        full?.queue.noteBudget()
        return full != nil
    }

    /// A PUBLISH at QoS 0 for which there is no room to wait: routes that wanted it say so to the far end.
    func drop(_ packet: RawPacket, from connection: Connection) {
        figures.dropped += 1
        guard let session = connection.session, !routes.isEmpty,
            let publish = try? PublishView(packet, version: connection.version),
            let destinations = destinations(of: publish.topic, .client(session)),
            mayPublish(session, publish.topic)
        else { return }
        for route in destinations.routes { route.queue.passOver() }
    }

    func waits(_ connection: Connection) {
        waitingConnections[ObjectIdentifier(connection)] = connection
        log.isRoomAwaited = true
        startRefusing()
    }

    func replayWaiting() {
        let waiting = waitingConnections
        waitingConnections = [:]
        for connection in waiting.inOrder {
            connection.replayHeld()
        }
    }

    /// Never silence: who has waited ten seconds for an acknowledgement that the store can't give is closed, so that it
    /// sends again when it comes back.
    func startRefusing() {
        guard refusalTimer == nil else { return }
        refusalTimer = loop.schedule(after: .seconds(1)) { [unowned self] in
            refusalTimer = nil
            if !log.isRefusing, !log.isFull { replayWaiting() }
            for connection in waitingConnections.inOrder {
                guard let since = connection.held?.since, loop.now - since >= .seconds(10) else { continue }
                logLine(.warning, "\(connection.name): closed, the store has not taken its messages for 10 s")
                connection.disconnect(with: .quotaExceeded)
            }
            if log.failure != nil { answerUnanswered() }
            if !waitingConnections.isEmpty || log.failure != nil { startRefusing() }
        }
    }

    /// The store fails, or has recovered.
    public func storeHealthChanged(_ error: StoreError?) {
        failingSince = error == nil ? nil : loop.now
        if error == nil { replayWaiting() } else { startRefusing() }
    }

    /// What was taken before the disk failed: who can be told is told that it isn't kept, when the disk has had some time to
    /// recover; who can't be, or waits for something else, is closed.
    private func answerUnanswered() {
        guard let failingSince else { return }
        if loop.now - failingSince >= .seconds(5) { log.withdraw() }
        guard loop.now - failingSince >= .seconds(10) else { return }
        for connection in connections.inOrder where connection.owesAnswers {
            connection.disconnect(with: .quotaExceeded)
        }
    }
}

extension [ObjectIdentifier: Connection] {
    /// In the order in which they came: nobody overtakes who has waited longer, and a simulation replays exactly.
    var inOrder: [Connection] { values.sorted { $0.number < $1.number } }
}
