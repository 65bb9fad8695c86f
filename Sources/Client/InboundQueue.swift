import MQTT

/// Inbound PUBLISHes of one QoS on one connection that we have not acknowledged, in the order they came. However they are
/// acknowledged, the answers leave in that order [MQTT-4.6.0-2, MQTT-4.6.0-3].
struct InboundQueue {
    private struct Entry {
        let identifier: UInt16
        var answer: ReasonCode?
    }

    private var entries: [Entry] = []
    /// Entries before it have been answered.
    private var front = 0

    var count: Int { entries.count - front }

    mutating func append(_ identifier: UInt16) {
        if front == entries.count {
            entries.removeAll(keepingCapacity: true)
            front = 0
        } else if front >= 64 && front * 2 >= entries.count {
            entries.removeFirst(front)
            front = 0
        }
        entries.append(Entry(identifier: identifier, answer: nil))
    }

    /// Notes the answer for the oldest unanswered PUBLISH with `identifier`; false if there is none.
    mutating func answer(_ identifier: UInt16, _ reason: ReasonCode) -> Bool {
        for index in front..<entries.count
        where entries[index].identifier == identifier && entries[index].answer == nil {
            entries[index].answer = reason
            return true
        }
        return false
    }

    /// The next answer that may leave.
    mutating func next() -> (identifier: UInt16, reason: ReasonCode)? {
        guard front < entries.count, let reason = entries[front].answer else { return nil }
        defer { front += 1 }
        return (entries[front].identifier, reason)
    }

    mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
        front = 0
    }
}
