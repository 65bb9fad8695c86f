import EventLoop
import MQTT
import Store

/// A Will Message that would be published if its client were lost.
final class PendingWill {
    let will: Will
    /// Seconds.
    let keepAlive: UInt16
    /// The run before left it: its client has lost us, and not we our client.
    let isRestored: Bool
    /// Runs once the connection is gone, while the Will Delay Interval does.
    var timer: Timer?

    init(_ will: Will, keepAlive: UInt16, isRestored: Bool = false) {
        self.will = will
        self.keepAlive = keepAlive
        self.isRestored = isRestored
    }
}

extension Broker {
    /// Wills are stored with CONNECT, by commit time: a client that never comes back after a power failure still has its
    /// Will published.
    func keepWill(_ will: Will, _ session: Session, keepAlive: UInt16) {
        session.will = PendingWill(will, keepAlive: keepAlive)
        log.lazily(.state(.will, key: session.clientIdentifier, value: encode(will, session, keepAlive: keepAlive)))
    }

    func cancelWill(_ session: Session) {
        guard let pending = session.will else { return }
        if let timer = pending.timer { loop.cancel(timer) }
        session.will = nil
        log.lazily(.state(.will, key: session.clientIdentifier, value: nil))
    }

    /// The connection ended without DISCONNECT: the Will goes out after its delay, or when the session ends [MQTT-3.1.3-9].
    func connectionLost(_ session: Session) {
        guard let pending = session.will else { return }
        schedule(pending, session, after: .seconds(Int64(pending.will.delay)))
    }

    private func schedule(_ pending: PendingWill, _ session: Session, after delay: Duration) {
        guard delay > .zero else {
            publishWill(session)
            return
        }
        pending.timer = loop.schedule(after: delay) { [unowned self] in
            guard session.will === pending else { return }
            publishWill(session)
        }
    }

    /// A session that ends takes the rest of the delay with it.
    func publishDelayedWill(_ session: Session) { if session.will != nil { publishWill(session) } }

    private func publishWill(_ session: Session) {
        guard let will = session.will?.will else { return }
        cancelWill(session)
        will.topic.withUnsafeBytes { topic in
            guard mayPublish(session, topic) else { return noteDeniedPublish(session, topic) }
            will.payload.withUnsafeBytes { payload in
                will.properties.withUnsafeBytes { properties in
                    let view = PublishView(
                        topic: topic, payload: payload, qos: will.qos, retain: will.retain, properties: properties,
                        messageExpiryInterval: will.messageExpiryInterval)
                    _ = route(view, from: .node, waiter: nil, ticket: 0)
                }
            }
        }
    }

    /// After a stop, who was connected has as long as a client needs to notice and come back.
    func restoreWills(_ state: StoredState) {
        for entry in state.states where entry.kind == .will {
            guard let (will, userName, keepAlive) = decodeWill(entry.value) else { continue }
            let session = sessions[entry.key] ?? Session(clientIdentifier: entry.key, broker: self)
            if !session.isDurable {
                session.adopt(access.restored(clientIdentifier: entry.key, userName: userName))
            }
            sessions[entry.key] = session
            let pending = PendingWill(will, keepAlive: keepAlive, isRestored: true)
            session.will = pending
            let wait = max(Double(will.delay), 1.5 * Double(keepAlive), 30)
            pending.timer = loop.schedule(after: .milliseconds(Int64(wait * 1000))) { [unowned self] in
                guard session.will === pending else { return }
                publishWill(session)
                if !session.isDurable, session.connection == nil { end(session, storedAlready: true) }
            }
        }
    }

    // The stored form: Keep Alive, delay, QoS, flags (1: retain, 2: a user name), expiry (0: none), then topic, properties
    // and the user name, if there is one, with their lengths, and the payload.

    private func encode(_ will: Will, _ session: Session, keepAlive: UInt16) -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ value: UInt32) {
            for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift))) }
        }
        append(UInt32(keepAlive))
        append(will.delay)
        bytes.append(will.qos.rawValue)
        bytes.append((will.retain ? 1 : 0) | (session.userName.isEmpty ? 0 : 2))
        append(will.messageExpiryInterval ?? 0)
        append(UInt32(will.topic.count))
        bytes += will.topic
        append(UInt32(will.properties.count))
        bytes += will.properties
        if !session.userName.isEmpty {
            append(UInt32(session.userName.count))
            bytes += session.userName
        }
        bytes += will.payload
        return bytes
    }

    private func decodeWill(_ bytes: [UInt8]) -> (Will, userName: [UInt8], keepAlive: UInt16)? {
        var offset = 0
        func number() -> UInt32? {
            guard offset + 4 <= bytes.count else { return nil }
            defer { offset += 4 }
            return bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
        }
        func take(_ count: UInt32?) -> [UInt8]? {
            guard let count, offset + Int(count) <= bytes.count else { return nil }
            defer { offset += Int(count) }
            return Array(bytes[offset..<offset + Int(count)])
        }
        guard let keepAlive = number(), let delay = number(), let flags = take(2), let qos = QoS(rawValue: flags[0]),
            let expiry = number(), let topic = take(number()), let properties = take(number()),
            let userName = flags[1] & 2 == 0 ? [] : take(number())
        else { return nil }
        let will = Will(
            topic: topic, payload: Array(bytes[offset...]), qos: qos, retain: flags[1] & 1 == 1, delay: delay,
            messageExpiryInterval: expiry == 0 ? nil : expiry, properties: properties)
        return (will, userName, UInt16(truncatingIfNeeded: keepAlive))
    }
}
