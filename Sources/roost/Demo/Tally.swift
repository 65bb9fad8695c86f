import MQTT

/// Counts what became of every message, by the number each carries within its publisher's topic: published, acknowledged,
/// arrived; and what must not be: missing, out of order, duplicate. Its memory grows with what is on its way, not with what
/// has passed.
struct Tally {
    /// Sums over all topics. QoS 0, which nobody acknowledges, is counted apart.
    struct Totals: Equatable {
        /// Handed to a connected client at QoS 1 or 2, each message once.
        var published = 0
        var acknowledged = 0
        /// Acknowledged with an error: the edge said that it won't keep the message.
        var refused = 0
        /// Different messages of QoS 1 or 2 that came out at the far end.
        var arrived = 0
        /// Acknowledged, and not arrived (yet).
        var missing = 0
        /// Arrived for the first time behind a later one of its topic; QoS 0 too.
        var outOfOrder = 0
        /// Arrived again though its publisher had sent it once, or at QoS 2; QoS 0 too.
        var duplicates = 0
        /// Sent a second time by its publisher, whose acknowledgement had not come.
        var resent = 0
        /// Arrived again because its publisher had sent it again at QoS 1, as MQTT has it.
        var repeated = 0
        var published0 = 0
        var arrived0 = 0
    }

    private struct Topic {
        let qos: QoS
        /// The highest number that has arrived.
        var highest = 0
        /// Numbers below it that have not.
        var skipped: Set<Int> = []
        /// Acknowledged, not arrived.
        var awaited: Set<Int> = []
        /// Arrived, not acknowledged.
        var early: Set<Int> = []
        /// How often the publisher sent a message again, by number.
        var resends: [Int: Int] = [:]
        /// How many copies arrived beside the first, by number.
        var copies: [Int: Int] = [:]
    }

    private var topics: [Topic] = []
    private(set) var totals = Totals()

    /// A topic of one publisher; its messages are numbered from 1. Returns the index that names it below.
    mutating func add(_ qos: QoS) -> Int {
        topics.append(Topic(qos: qos))
        return topics.count - 1
    }

    mutating func published(_ topic: Int) {
        if topics[topic].qos == .atMostOnce { totals.published0 += 1 } else { totals.published += 1 }
    }

    mutating func resent(_ topic: Int, _ number: Int) {
        topics[topic].resends[number, default: 0] += 1
        totals.resent += 1
    }

    mutating func acknowledged(_ topic: Int, _ number: Int) {
        totals.acknowledged += 1
        if topics[topic].early.remove(number) == nil {
            topics[topic].awaited.insert(number)
            totals.missing += 1
        }
    }

    mutating func refused(_ topic: Int, _ number: Int) {
        totals.refused += 1
        topics[topic].early.remove(number)
    }

    mutating func arrived(_ topic: Int, _ number: Int) {
        guard number > 0 else { return }
        if number > topics[topic].highest {
            for skipped in (topics[topic].highest + 1)..<number { topics[topic].skipped.insert(skipped) }
            topics[topic].highest = number
            arrivedFirst(topic, number)
        } else if topics[topic].skipped.remove(number) != nil {
            totals.outOfOrder += 1
            arrivedFirst(topic, number)
        } else {
            arrivedAgain(topic, number)
        }
    }

    private mutating func arrivedFirst(_ topic: Int, _ number: Int) {
        guard topics[topic].qos != .atMostOnce else {
            totals.arrived0 += 1
            return
        }
        totals.arrived += 1
        if topics[topic].awaited.remove(number) != nil {
            totals.missing -= 1
        } else {
            topics[topic].early.insert(number)
        }
    }

    private mutating func arrivedAgain(_ topic: Int, _ number: Int) {
        let copies = topics[topic].copies[number, default: 0] + 1
        topics[topic].copies[number] = copies
        if topics[topic].qos == .atLeastOnce, copies <= topics[topic].resends[number, default: 0] {
            totals.repeated += 1
        } else {
            totals.duplicates += 1
        }
    }
}

extension Tally.Totals {
    /// Every acknowledged message arrived exactly once and in order, and every published one was acknowledged.
    var isPerfect: Bool {
        missing == 0 && outOfOrder == 0 && duplicates == 0 && refused == 0 && acknowledged == published
    }
}
