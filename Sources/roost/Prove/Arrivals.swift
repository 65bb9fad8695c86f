import MQTT
import Store

/// What came out of one topic at one place: the cloud, or the session on the node. Its memory grows with what is missing,
/// not with what has passed.
struct Arrivals {
    /// What an arrival is.
    enum Kind {
        case first, late
        /// Again, because its publisher had sent it again at QoS 1.
        case repeated
        /// Again on a new connection, at QoS 1: the broker can't know that it had arrived.
        case redelivered
        /// Again without any reason.
        case duplicate
    }

    private(set) var numbers = IntervalSet()
    private(set) var highest: UInt64 = 0
    /// The connection it was last looked at on, what was the highest then, and how far the broker has repeated itself since.
    private var connection = 0
    private var before: UInt64 = 0
    private var replayed: UInt64 = 0
    /// Copies on this connection, of what the publisher had sent again.
    private var copies: [UInt64: Int] = [:]

    func contains(_ number: UInt64) -> Bool { numbers.contains(number) }

    /// - Parameters:
    ///   - resends: how often the publisher has sent it again.
    ///   - connection: counts the reader's connections.
    mutating func note(_ number: UInt64, _ qos: QoS, resends: Int, connection: Int) -> Kind {
        if connection != self.connection {
            self.connection = connection
            before = highest
            replayed = 0
            copies.removeAll(keepingCapacity: true)
        }
        if number > highest {
            highest = number
            insert(number, qos)
            return .first
        }
        if !numbers.contains(number) {
            insert(number, qos)
            return .late
        }
        guard qos == .atLeastOnce else { return .duplicate }
        if number <= before, number > replayed {
            replayed = number
            return .redelivered
        }
        let copy = copies[number, default: 0] + 1
        guard copy <= resends else { return .duplicate }
        copies[number] = copy
        return .repeated
    }

    private mutating func insert(_ number: UInt64, _ qos: QoS) {
        numbers.insert(number)
        // At QoS 0 what is missing stays missing: only the latest gaps are remembered.
        if qos == .atMostOnce, numbers.intervals.count > 512 { numbers = IntervalSet(numbers.intervals.suffix(256)) }
    }
}
