import Store

/// A Server without MQTT 5 refuses a message by closing the connection. So where it closes, what was in flight goes one at a
/// time, and a message at which alone it has closed three times counts as refused.
struct Closings {
    typealias Place = (numbering: Numbering, number: UInt64)

    /// The connection was closed with these in flight: until they are through, they go one at a time.
    private(set) var suspects: [Place] = []
    /// Connections that were closed with this message alone in flight.
    private var alone: (place: Place, count: Int)?

    /// - Parameter open: what was in flight, unanswered.
    /// - Returns: the message that counts as refused now; nil: none.
    mutating func note(_ open: [Place]) -> (place: Place, count: Int)? {
        guard let first = open.first else { return nil }
        suspects = open
        guard open.count == 1 else { return nil }
        var count = 1
        if let alone, alone.place == first { count += alone.count }
        alone = (first, count)
        guard count >= BatchSender.maximumClosings else { return nil }
        clear(first)
        return (first, count)
    }

    /// The message was answered, one way or the other.
    mutating func clear(_ place: Place) {
        suspects.removeAll { $0 == place }
        if let alone, alone.place == place { self.alone = nil }
    }
}
