import MQTT

/// The Will Messages of clients: for which connection each was left, and what became of it.
final class Wills {
    private struct Entry {
        let client: String
        let connection: Int
        var connectedAt: Int64?
        /// DISCONNECT was sent.
        var hasLeft = false
        var lostAt: Int64?
        var deliveries: [String: Int] = [:]
    }

    private unowned let world: World
    private var entries: [Entry] = []

    init(_ world: World) { self.world = world }

    func next(for client: SimulatedClient) -> Will {
        entries.append(Entry(client: client.name, connection: client.connection))
        return Will(
            topic: Array("wills/\(client.name)".utf8), payload: Array("will \(entries.count - 1)".utf8),
            qos: .atLeastOnce)
    }

    private func last(of client: SimulatedClient) -> Int? {
        entries.lastIndex { $0.client == client.name && $0.connection == client.connection }
    }

    func isConnected(_ client: SimulatedClient) {
        if let index = last(of: client) { entries[index].connectedAt = world.now }
    }

    func willLeave(_ client: SimulatedClient) { if let index = last(of: client) { entries[index].hasLeft = true } }

    func wasLost(_ client: SimulatedClient, wasConnected: Bool) {
        if let index = last(of: client) { entries[index].lostAt = world.now }
    }

    private func number(_ payload: String) -> Int? {
        guard payload.hasPrefix("will "), let number = Int(payload.dropFirst(5)), entries.indices.contains(number)
        else { return nil }
        return number
    }

    func isWill(_ payload: String) -> Bool { number(payload) != nil }

    /// False: it is no Will.
    func deliver(_ payload: String, to client: SimulatedClient) -> Bool {
        guard let number = number(payload) else { return false }
        world.trace.note("\(client.name) gets the Will of \(entries[number].client)")
        entries[number].deliveries[client.name, default: 0] += 1
        return true
    }
}
