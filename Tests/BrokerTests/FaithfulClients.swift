import MQTT

/// A publisher that keeps its side of the session: it sends again what was not acknowledged, in order, on each connection.
final class FaithfulPublisher {
    private enum State { case published, released }
    private struct Flight {
        let identifier: UInt16
        let topic: String
        let payload: String
        let qos: QoS
        var state = State.published
    }

    let name: String
    private var flights: [Flight] = []
    private(set) var client: TestClient?
    /// Payloads whose PUBACK or PUBREC came.
    private(set) var acknowledged: Set<String> = []
    var isDone: Bool { flights.isEmpty }

    init(_ name: String) { self.name = name }

    func connect(_ node: Node, clean: Bool = false) throws {
        let client = try node.client(name, .v5, clean: clean, expiry: 3600)
        self.client = client
        for flight in flights {
            switch flight.state {
            case .published:
                client.publish(
                    flight.topic, flight.payload, flight.qos, isDuplicate: true, identifier: flight.identifier)
            case .released: client.acknowledge(.pubrel, flight.identifier)
            }
        }
    }

    func publish(_ topic: String, _ payload: String, _ qos: QoS) {
        // The lowest free one, so that each is used again as soon as it may be.
        var identifier: UInt16 = 1
        while flights.contains(where: { $0.identifier == identifier }) { identifier += 1 }
        flights.append(Flight(identifier: identifier, topic: topic, payload: payload, qos: qos))
        client?.publish(topic, payload, qos, identifier: identifier)
    }

    /// Answers what came.
    func turn() {
        for case .acknowledgement(let packet) in client?.drain() ?? [] {
            guard let index = flights.firstIndex(where: { $0.identifier == packet.packetIdentifier }) else { continue }
            switch packet.type {
            case .puback:
                acknowledged.insert(flights[index].payload)
                flights.remove(at: index)
            case .pubrec:
                acknowledged.insert(flights[index].payload)
                flights[index].state = .released
                client?.acknowledge(.pubrel, packet.packetIdentifier)
            case .pubcomp: flights.remove(at: index)
            default: break
            }
        }
    }
}

/// A subscriber that keeps its side of the session: it knows which QoS 2 messages it has had.
final class FaithfulSubscriber {
    let name: String
    private(set) var client: TestClient?
    private var unreleased: Set<UInt16> = []
    private var owed: [(PacketType, UInt16)] = []
    private(set) var deliveries: [Delivery] = []

    init(_ name: String) { self.name = name }

    func connect(_ node: Node, clean: Bool = false, receiveMaximum: UInt16 = 65_535) throws {
        owed = []
        client = try node.client(name, .v5, clean: clean, expiry: 3600, receiveMaximum: receiveMaximum)
    }

    func drop() {
        client?.drop()
        client = nil
    }

    /// Takes what came; the answers wait for `answer`.
    func turn() {
        for packet in client?.drain() ?? [] {
            switch packet {
            case .publish(let delivery) where delivery.qos == .exactlyOnce:
                if unreleased.insert(delivery.identifier).inserted { deliveries.append(delivery) }
                owed.append((.pubrec, delivery.identifier))
            case .publish(let delivery):
                deliveries.append(delivery)
                if delivery.qos == .atLeastOnce { owed.append((.puback, delivery.identifier)) }
            case .acknowledgement(let packet) where packet.type == .pubrel:
                unreleased.remove(packet.packetIdentifier)
                owed.append((.pubcomp, packet.packetIdentifier))
            default: break
            }
        }
    }

    /// Sends the oldest answers.
    func answer(_ count: Int = .max) {
        for (type, identifier) in owed.prefix(count) { client?.acknowledge(type, identifier) }
        owed.removeFirst(min(count, owed.count))
    }
}
