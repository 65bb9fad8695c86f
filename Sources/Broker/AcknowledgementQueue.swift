import DequeModule
import EventLoop
import MQTT
import Store

/// The acknowledgements of one type that a connection owes its client, in the order in which the packets came that ask for
/// them [MQTT-4.6.0-2]: one that is ready waits for those before it.
final class AcknowledgementQueue: SafetyWaiter {
    private struct Entry {
        var identifier: UInt16
        var reason: ReasonCode?
    }

    private let type: PacketType
    /// nil once the connection is over: what is settled then is nobody's business.
    var connection: Connection?
    private var entries: Deque<Entry> = []
    private var firstTicket: UInt64 = 0

    init(_ type: PacketType, connection: Connection) {
        self.type = type
        self.connection = connection
    }

    var count: Int { entries.count }

    /// Takes a place in the order; `settle` answers it.
    func wait(_ identifier: UInt16) -> UInt64 {
        entries.append(Entry(identifier: identifier, reason: nil))
        return firstTicket + UInt64(entries.count - 1)
    }

    func acknowledge(_ identifier: UInt16, _ reason: ReasonCode) {
        guard entries.isEmpty else {
            entries.append(Entry(identifier: identifier, reason: reason))
            return
        }
        firstTicket += 1
        connection?.sendAcknowledgement(type, identifier, reason)
    }

    /// MQTT 3.1.1 has no words for it.
    var hearsRefusals: Bool { connection?.version == .v5 }

    func messageIsSettled(ticket: UInt64, reason: ReasonCode) { settle(ticket, reason) }

    func settle(_ ticket: UInt64, _ reason: ReasonCode) {
        guard ticket >= firstTicket else { return }
        let index = Int(ticket - firstTicket)
        guard index < entries.count else { return }
        entries[index].reason = reason
        // A refusal may end the connection: what is behind it has no answer then.
        while let connection, let entry = entries.first, let reason = entry.reason {
            entries.removeFirst()
            firstTicket += 1
            connection.sendAcknowledgement(type, entry.identifier, reason)
        }
    }
}

/// The three queues of a connection.
final class Acknowledgements {
    let pubacks: AcknowledgementQueue
    let pubrecs: AcknowledgementQueue
    let pubcomps: AcknowledgementQueue

    init(_ connection: Connection) {
        pubacks = AcknowledgementQueue(.puback, connection: connection)
        pubrecs = AcknowledgementQueue(.pubrec, connection: connection)
        pubcomps = AcknowledgementQueue(.pubcomp, connection: connection)
    }

    /// Acknowledgements that wait.
    var count: Int { pubacks.count + pubrecs.count + pubcomps.count }

    /// The connection is over.
    func close() { for queue in [pubacks, pubrecs, pubcomps] { queue.connection = nil } }
}
