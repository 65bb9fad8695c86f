import Store

/// Packet Identifiers of PUBLISHes that a lost connection left unacknowledged. While the upstream keeps our Session they are
/// used again, in order, with DUP where the same messages go again [MQTT-4.4.0-1] [MQTT-3.3.1-1].
struct StaleIdentifiers {
    private var entries: [(numbering: Numbering, number: UInt64, identifier: UInt16)] = []

    mutating func add(_ identifier: UInt16, _ numbering: Numbering, _ number: UInt64) {
        entries.append((numbering, number, identifier))
    }

    mutating func removeAll() { entries.removeAll() }

    /// The upstream acknowledged it after all.
    mutating func remove(_ identifier: UInt16) { entries.removeAll { $0.identifier == identifier } }

    /// What to send the message, or the batch that begins with it, under; nil: any free identifier.
    func next(_ numbering: Numbering, _ number: UInt64) -> (identifier: UInt16, isDuplicate: Bool)? {
        entries.first.map { ($0.identifier, $0.numbering == numbering && $0.number == number) }
    }

    mutating func takeFirst() {
        if !entries.isEmpty { entries.removeFirst() }
    }
}
