import MQTT

/// Holds what publishers were promised against what a subscriber got.
struct Ledger {
    private(set) var published = 0
    private(set) var acknowledged = 0
    private(set) var missing: [String] = []
    private(set) var outOfOrder: [String] = []
    /// QoS 2 messages that came more than once.
    private(set) var twice: [String] = []
    /// QoS 1 messages that came again on the same connection though their publisher sent them once, or that were not in
    /// flight, or didn't say that they come again.
    private(set) var repeated: [String] = []
    /// QoS 1 messages that came again on a later connection, though their publisher sent them once: they were in flight
    /// when one was cut.
    private(set) var repeatedOverCuts = 0
    private(set) var resentByPublishers = 0
    private(set) var complaints: [String] = []
    /// QoS 1 messages of each connection that came again on another, the broker's run being the same.
    private var inFlight: [Int: Int] = [:]

    init(_ publishers: [LoadPublisher], _ subscriber: LoadSubscriber) {
        complaints = subscriber.complaints + publishers.flatMap(\.complaints)
        for publisher in publishers {
            published += publisher.count
            acknowledged += publisher.acknowledgedCount
            resentByPublishers += publisher.resent.count
            for number in 0..<publisher.count {
                let name = MessageName(publisher: publisher.index, number: number)
                let deliveries = subscriber.deliveries[name] ?? []
                if deliveries.isEmpty {
                    if publisher.acknowledged[number] { missing.append("\(name)") }
                } else if name.qos == .exactlyOnce {
                    if deliveries.count > 1 { twice.append("\(name) on connections \(deliveries.map(\.connection))") }
                } else {
                    countCopies(of: name, deliveries, sentAgain: publisher.resent[number] ?? 0)
                }
            }
        }
        for (connection, count) in inFlight where count > subscriber.receiveMaximum {
            repeated.append("\(count) of connection \(connection), and \(subscriber.receiveMaximum) may be in flight")
        }
        for (stream, numbers) in subscriber.order {
            for (before, after) in zip(numbers, numbers.dropFirst()) where after < before {
                outOfOrder.append("\(stream)#\(after) behind #\(before)")
            }
        }
    }

    /// Copies at QoS 1 beyond the publisher's own.
    private mutating func countCopies(of name: MessageName, _ deliveries: [LoadSubscriber.Delivery], sentAgain: Int) {
        guard deliveries.count > 1 + sentAgain else { return }
        var onOneConnection: [Int: Int] = [:]
        for delivery in deliveries { onOneConnection[delivery.connection, default: 0] += 1 }
        if let most = onOneConnection.values.max(), most > 1 + sentAgain {
            repeated.append("\(name) on connections \(deliveries.map(\.connection)), sent again \(sentAgain) times")
            return
        }
        repeatedOverCuts += 1
        // A broker that was killed can't know what it had sent. One that lives does: no more than were in flight come
        // again, and they say so [MQTT-3.3.1-1].
        for (before, after) in zip(deliveries, deliveries.dropFirst())
        where before.run == after.run && sentAgain == 0 {
            inFlight[before.connection, default: 0] += 1
            if !after.isDuplicate { repeated.append("\(name) without DUP on connection \(after.connection)") }
        }
    }

    var isKept: Bool {
        missing.isEmpty && outOfOrder.isEmpty && twice.isEmpty && repeated.isEmpty && complaints.isEmpty
    }

    var summary: String {
        func some(_ what: String, _ list: [String]) -> String {
            list.isEmpty ? "" : "\n\(list.count) \(what): \(list.prefix(12).joined(separator: ", "))"
        }
        return "\(published) published, \(acknowledged) acknowledged, \(resentByPublishers) sent again by publishers, "
            + "\(repeatedOverCuts) came again over a cut"
            + some("missing", missing) + some("out of order", outOfOrder) + some("twice at QoS 2", twice)
            + some("repeated at QoS 1", repeated) + some("complaints", complaints)
    }
}
