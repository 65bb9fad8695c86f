import EventLoop
import MQTT

/// Our PUBLISHes with QoS above 0 that are not done, by Packet Identifier: the Client's part of the Session state
/// (MQTT 5 §4.1). It outlives connections; how many places are taken counts for the present one alone.
struct OutboundWindow {
    enum Phase: Equatable {
        /// PUBLISH sent, PUBACK awaited.
        case published1
        /// PUBLISH sent, or promised to the identifier, and PUBREC awaited.
        case published2
        /// PUBREC came, and the owner has yet to say that PUBREL may go.
        case received
        /// PUBREC came and PUBREL went, PUBCOMP awaited. `order` counts the PUBRECs, since PUBRELs are sent again in
        /// that order [MQTT-4.6.0-4].
        case released(order: UInt64)
    }

    struct Entry {
        var phase: Phase
        /// Takes a place in the present connection's window.
        var isInFlight: Bool
        /// Of its PUBLISH on the present connection.
        var mark: DeliveryRate.Mark?
    }

    /// Receive Maximum of the present connection, or our own limit if that is lower.
    var limit = 0
    private(set) var inFlight = 0
    /// Bytes of PUBLISHes sent on the present connection and not done.
    private(set) var inFlightBytes = 0
    private(set) var rate = DeliveryRate()
    private var entries: [UInt16: Entry] = [:]
    private var last: UInt16 = 0
    private var lastReserved: UInt16 = 0
    private var releases: UInt64 = 0
    /// SUBSCRIBE and UNSUBSCRIBE share the identifiers [MQTT-2.2.1-4].
    private var requests: Set<UInt16> = []

    var room: Int { max(0, limit - inFlight) }
    /// PUBLISHes not done, of earlier connections too.
    var count: Int { entries.count }

    func phase(of identifier: UInt16) -> Phase? { entries[identifier]?.phase }

    /// An identifier that nothing uses; nil when all 65,535 are taken.
    mutating func freeIdentifier() -> UInt16? {
        guard entries.count + requests.count < 65_535 else { return nil }
        repeat {
            last = last == .max ? 1 : last + 1
        } while entries[last] != nil || requests.contains(last)
        return last
    }

    /// - Parameter departure: when its last byte leaves, by our own pace.
    mutating func publish(_ identifier: UInt16, qos: QoS, bytes: Int, departure: Instant) {
        let phase: Phase = qos == .exactlyOnce ? .published2 : .published1
        let mark = rate.mark(bytes: bytes, sentAt: departure, isIdle: inFlightBytes == 0)
        let before = entries.updateValue(Entry(phase: phase, isInFlight: true, mark: mark), forKey: identifier)
        inFlightBytes += bytes - (before?.mark?.bytes ?? 0)
        if before?.isInFlight != true { inFlight += 1 }
    }

    /// Takes an identifier of `range` for a PUBLISH at QoS 2 to come; nil: none is free.
    mutating func reserve(in range: ClosedRange<UInt16>) -> UInt16? {
        var next = lastReserved
        for _ in range {
            next = next < range.upperBound && next >= range.lowerBound ? next + 1 : range.lowerBound
            if take(next) {
                lastReserved = next
                return next
            }
        }
        return nil
    }

    /// Takes this identifier for a PUBLISH at QoS 2; false: something uses it.
    mutating func take(_ identifier: UInt16) -> Bool {
        guard entries[identifier] == nil, !requests.contains(identifier) else { return false }
        entries[identifier] = Entry(phase: .published2, isInFlight: false, mark: nil)
        return true
    }

    /// Gives up an identifier whose PUBLISH was never sent.
    mutating func giveUp(_ identifier: UInt16) {
        guard let entry = entries[identifier], !entry.isInFlight else { return }
        entries[identifier] = nil
    }

    /// PUBREC came, and PUBREL waits. False where that is known, or the PUBLISH is not in flight.
    mutating func receive(_ identifier: UInt16) -> Bool {
        guard let entry = entries[identifier], entry.phase == .published2, entry.isInFlight else { return false }
        entries[identifier]?.phase = .received
        return true
    }

    /// The next step is PUBREL. False where that is known.
    ///
    /// - Parameter isConnected: PUBREL goes now; otherwise with the next connection.
    @discardableResult
    mutating func release(_ identifier: UInt16, isConnected: Bool = true) -> Bool {
        guard let entry = entries[identifier] else { return false }
        if case .released = entry.phase { return false }
        releases += 1
        entries[identifier] = Entry(
            phase: .released(order: releases), isInFlight: isConnected, mark: isConnected ? entry.mark : nil)
        if isConnected, !entry.isInFlight { inFlight += 1 }
        return true
    }

    /// Returns the bytes that its PUBLISH had on the present connection.
    @discardableResult
    mutating func finish(_ identifier: UInt16, _ now: Instant) -> Int {
        guard let entry = entries.removeValue(forKey: identifier) else { return 0 }
        if entry.isInFlight { inFlight -= 1 }
        guard let mark = entry.mark else { return 0 }
        inFlightBytes -= mark.bytes
        rate.acknowledged(mark, now)
        return mark.bytes
    }

    /// The connection is gone: nothing is in flight, and requests will not be answered.
    mutating func connectionLost() {
        for identifier in entries.keys {
            entries[identifier]?.isInFlight = false
            entries[identifier]?.mark = nil
        }
        inFlight = 0
        inFlightBytes = 0
        rate.reset()
        requests.removeAll()
    }

    /// Takes places again for what waits for PUBCOMP, and names it in the order in which PUBREL is due.
    mutating func resumeReleases() -> [UInt16] {
        let due = releasedInOrder()
        for identifier in due {
            entries[identifier]?.isInFlight = true
            inFlight += 1
        }
        return due
    }

    /// The Server has no Session: forgets all but what had come as far as PUBREC, and names that. Its identifiers stay
    /// taken until each is finished.
    ///
    /// - Parameter everything: that too.
    mutating func forgetSession(everything: Bool) -> [UInt16] {
        guard !everything else {
            entries.removeAll()
            inFlight = 0
            return []
        }
        let received = releasedInOrder()
        entries = entries.filter { if case .released = $0.value.phase { true } else { false } }
        inFlight = 0
        return received
    }

    mutating func request() -> UInt16? {
        guard let identifier = freeIdentifier() else { return nil }
        requests.insert(identifier)
        return identifier
    }

    /// False if no SUBSCRIBE or UNSUBSCRIBE waits under this identifier.
    mutating func answered(_ identifier: UInt16) -> Bool { requests.remove(identifier) != nil }

    private func releasedInOrder() -> [UInt16] {
        var due: [(identifier: UInt16, order: UInt64)] = []
        for (identifier, entry) in entries {
            if case .released(let order) = entry.phase { due.append((identifier, order)) }
        }
        return due.sorted { $0.order < $1.order }.map(\.identifier)
    }
}
